"""`runs behaviour RUN [--json] [PACKAGE]`: what each unit of a stored run did, normalised."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sandbox.behaviour.canonical import to_json
from sandbox.behaviour.normalise import escape
from sandbox.behaviour.profile import profile_of
from sandbox.cli.usage import USAGES
from sandbox.errors import UsageError
from sandbox.report.behaviour import lines
from sandbox.trace.reader import StoreError
from sandbox.trace.store import RunStore


def run(words: Sequence[str]) -> int:
    """Print the behaviours of a run, of all units or of one package's. Raises UsageError, StoreError."""
    as_json = "--json" in words
    names = [word for word in words if word != "--json"]
    if len(names) not in (1, 2) or any(name.startswith("-") for name in names):
        raise UsageError("runs behaviour needs a run", hint=USAGES["runs behaviour"])
    with RunStore().open(names[0]) as reader:
        profile = profile_of(reader)
    package = escape(names[1]) if len(names) == 2 else None
    if package is not None:
        units = tuple(one for one in profile.behaviours if one.key.package == package)
        if not units:
            raise StoreError(f"no unit of {names[1]} ran in run {profile.run}")
        profile = replace(profile, behaviours=units)
    if as_json:
        # ASCII, so that what a build called itself can't move the cursor here either.
        print(json.dumps(to_json(profile), sort_keys=True, indent=1))
        return 0
    for line in lines(profile):
        print(line)
    return 0
