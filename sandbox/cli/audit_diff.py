"""`audit diff OLD.lock NEW.lock [--json | --markdown]`: for pull requests. Reads files, runs nothing, asks nobody."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sandbox.baseline.store import Stores, open_stores
from sandbox.cargo import config as cargo_config
from sandbox.cargo import lockfile
from sandbox.cargo.homes import cargo_home
from sandbox.cli.config import root_of
from sandbox.cli.options import Settings
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, parse
from sandbox.errors import UsageError
from sandbox.judge.model import at_least
from sandbox.preflight.diff import show
from sandbox.preflight.diff.make import run as compare
from sandbox.preflight.packages.find import Packages

_USAGE = USAGES["audit diff"]
VIOLATION = 120
"""Exit code where a change is as grave as `--deny` says, as for a build's violation."""


def run(words: Sequence[str], settings: Settings) -> int:
    """Print the comparison, the most dangerous first. `words` are those after `diff`.

    Raises UsageError, WorkspaceError for a lock file that is missing or broken, BaselineError for a broken baseline.
    """
    given = parse(words, _USAGE, ("--json", "--markdown"), MANIFEST)
    if len(given.names) != 2 or given.rest or len(given.switches) > 1:
        raise UsageError("audit diff compares two lock files, and has one form", hint=_USAGE)
    old, new = (Path(name) for name in given.names)
    env, named = dict(os.environ), given.manifest is not None
    here = Path(root_of(given.manifest) if named else os.path.realpath(os.getcwd()))
    home = Path(os.path.realpath(cargo_home(env, here)))
    packages = Packages(home, config=cargo_config.load(here, home))
    diff = compare(old, new, packages, _stores(old, new, here, env, settings))
    if "--json" in given.switches:
        print(show.dumps(diff))
    elif "--markdown" in given.switches:
        print(show.markdown(diff), end="")
    else:
        for line in show.text(diff):
            print(line)
    return VIOLATION if any(at_least(one.severity, settings.deny) for one in diff.changes) else 0


def _stores(old: Path, new: Path, here: Path, env: dict[str, str], settings: Settings) -> Stores:
    """Baselines of what is in both lock files: those of the project that is named, else of the folder where the command
    is given, which is a project's root in a pull request's check; a tree that is not to be trusted has no say."""
    names = [{one.name for one in lockfile.read(path)} for path in (old, new)]
    return open_stores(None if settings.untrusted else here, env, names[0] & names[1])
