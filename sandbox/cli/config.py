"""`cargo-sandbox config show`: what is decided here, and by whom. Nothing is run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sandbox.cargo import workspace
from sandbox.cli.options import OPTIONS, Settings
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, parse
from sandbox.errors import UsageError, WorkspaceError
from sandbox.policy.files import present
from sandbox.policy.load import decide
from sandbox.policy.model import Allowance, ProjectPolicy
from sandbox.report.render import render_untrusted as safe

_USAGE = USAGES["config"]


def run(words: Sequence[str], settings: Settings) -> int:
    """Print the effective policy. Raises UsageError, PolicyError."""
    given = parse(words, _USAGE, ("--origin", "--json"), MANIFEST)
    if given.names != ["show"] or given.rest:
        raise UsageError(f"config {' '.join(words)}: not understood", hint=_USAGE)
    root = root_of(given.manifest)
    env = dict(os.environ)
    _, policy = decide(settings, present(root, env), root, env)
    if "--json" in given.switches:
        print(json.dumps(to_json(policy), indent=1, sort_keys=True))
    else:
        print("\n".join(lines(policy, "--origin" in given.switches)))
    return 0


def lines(policy: ProjectPolicy, origin: bool) -> list[str]:
    """The policy for people: one line a setting, one an allowance."""
    found = []
    for one in policy.shown:
        text = f"{one.key} = {_value(one.key, one.value)}"
        found.append(safe(f"{text:<40} # {one.origin}" if origin else text, 4000))
    for allowance in policy.allowances:
        text = f"allow {allowance.words()}"
        if allowance.expires:
            text += f", {'expired on' if allowance.expired(date.today()) else 'until'} {allowance.expires}"
        found.append(safe(f"{text:<40} # {allowance.origin}" if origin else text, 4000))
    for label, notes in (("loosened by the tree", policy.loosened), ("left out of the tree's file", policy.ignored)):
        found += [safe(f"# {label}: {note}", 4000) for note in notes]
    return found


def to_json(policy: ProjectPolicy) -> dict[str, Any]:
    """The policy for programs; times in seconds, sizes in bytes."""
    return {
        "schema": "cargo-sandbox/config-v1",
        "policy": policy.name,
        "files": list(policy.files),
        "settings": {one.key: {"value": one.value, "origin": one.origin} for one in policy.shown},
        "allow": [_allowance(one) for one in policy.allowances],
        "loosened": list(policy.loosened),
        "ignored": list(policy.ignored),
    }


def _allowance(one: Allowance) -> dict[str, Any]:
    data: dict[str, Any] = {
        "package": one.package, "version": one.version, "checksum": one.checksum, "path": list(one.paths),
        "write": one.write, "program": list(one.programs), "env": list(one.env), "directive": list(one.directives),
        "rule": list(one.rules), "reason": one.reason, "origin": one.origin,
    }  # fmt: skip
    return data | {"expires": one.expires.isoformat() if one.expires else None}


def _value(key: str, value: Any) -> str:
    if value is None:
        # What it comes to may depend on the machine; the help has it in words.
        words = next((option.help for option in OPTIONS if option.flag == f"--{key}"), "")
        return f"(default: {words.rpartition('[')[2].rstrip(']')})" if words.endswith("]") else "(default)"
    if isinstance(value, tuple):
        return json.dumps(["=".join(item) if isinstance(item, tuple) else item for item in value], ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def root_of(manifest: str | None = None) -> str:
    """The workspace of a manifest, or of the working directory; empty outside of any, where the user's and the system's
    files count. Raises WorkspaceError."""
    try:
        return str(workspace.discover(Path(os.path.realpath(os.getcwd())), manifest, dict(os.environ)).root)
    except WorkspaceError as error:
        if error.file or manifest is not None:
            raise
        return ""
