"""The units of a run from their records: who they are, where their own folders lay, what they left."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.behaviour.compiled import Compiled
from sandbox.behaviour.model import Key
from sandbox.behaviour.normalise import escape, stored_text
from sandbox.behaviour.roots import Root, Roots

MOST_OUTPUTS = 200_000
"""Outputs of a whole run that are kept to be found again as executed or linked."""


@dataclass(slots=True)
class Unit:
    """One unit's records. `outputs`: raw path -> SHA-256 in hexadecimal, or empty where the record has none.
    `compiled`: what its compiler was started with."""

    name: str
    key: Key
    pid: int
    start: Mapping[str, Any]
    ended: bool = False
    directives: tuple[str, ...] = ()
    directives_cut: bool = False
    outputs: dict[str, str] = field(default_factory=dict)
    outputs_cut: bool = False
    survivors: tuple[str, ...] = ()
    quiet: int = 0
    compiled: Compiled = field(default_factory=Compiled)


@dataclass(slots=True)
class Units:
    """The units of a run as their records come: each start before its end, in any order of units."""

    known: dict[str, Unit] = field(default_factory=dict)
    _room: int = MOST_OUTPUTS

    def take(self, record: Mapping[str, Any]) -> Unit | None:
        """Take one record; gives the unit if this is its start."""
        name = stored_text(record.get("unit"))
        if record.get("event") == "start" and name not in self.known and record.get("role") != "cargo":
            unit = self.known[name] = Unit(name, _key(record), _int(record.get("pid")), record)
            return unit
        if record.get("event") == "end" and name in self.known:
            unit = self.known[name]
            _end(unit, record, self._room)
            self._room -= len(unit.outputs)
        return None


def _end(unit: Unit, record: Mapping[str, Any], room: int) -> None:
    unit.ended = True
    unit.quiet = _int(record.get("quiet"))
    unit.directives = tuple(stored_text(line) for line in _list(record.get("directives")))
    unit.directives_cut = bool(record.get("directives_cut"))
    unit.outputs_cut = bool(record.get("outputs_cut"))
    for output in _list(record.get("outputs")):
        if not isinstance(output, dict):
            continue
        if len(unit.outputs) >= room:
            unit.outputs_cut = True
            break
        unit.outputs[stored_text(output.get("path"))] = stored_text(output.get("sha256"))
    found = []
    for survivor in _list(record.get("survivors")):
        argv = _list(survivor.get("argv")) if isinstance(survivor, dict) else []
        found.append(stored_text(argv[0]) if argv else "")
    unit.survivors = tuple(found)


def _key(record: Mapping[str, Any]) -> Key:
    types = tuple(sorted(escape(stored_text(kind)) for kind in _list(record.get("crate_types"))))
    package, version, role, crate = (
        escape(stored_text(record.get(name))) for name in ("package", "version", "role", "crate")
    )
    return Key(package, version, role, crate, types)


def own_roots(unit: Unit, roots: Roots) -> dict[str, Root]:
    """The folders that mean something else to this unit than to the run."""
    start = unit.start
    own: dict[str, Root] = {}

    def add(path: str, root: Root) -> None:
        path = path.rstrip("/")
        if path.startswith("/"):
            own.setdefault(path, root)

    script = start.get("role") == "script"
    out = stored_text(start.get("out_dir"))
    if script:
        add(out, Root("$OUT_DIR", "own output", "output"))
        add(os.path.dirname(stored_text(start.get("exe"))), Root("$SCRIPT", "own script"))
    # Compilers share their folder (docs/design.md §5, sealing), unless the build dir gives each its own.
    elif stored_text(start.get("extra")) and stored_text(start.get("extra")) in out:
        add(out, Root("$OUT", "own output", "output"))
    # Believed only where cargo's metadata has a package: an environment could name any folder, whose reads would count
    # as the unit's own.
    manifest_dir = stored_text(start.get("manifest_dir")).rstrip("/")
    if manifest_dir in roots.packages:
        add(manifest_dir, Root("$SRC", "own source"))
    return own


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _int(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 63 else 0
