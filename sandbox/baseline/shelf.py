"""The shelf of behaviours beside a ledger: what each unit did when it last ran, for the runs in which it is fresh.

`behaviours.jsonl` in the ledger's folder, out of every unit's reach; later lines replace earlier ones. What is lost
here is lost with words: a unit that is not on the shelf has no behaviour, never an empty one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.behaviour.canonical import SCHEMA as BEHAVIOUR_SCHEMA
from sandbox.behaviour.canonical import BehaviourError, from_json
from sandbox.behaviour.model import Behaviour, Profile
from sandbox.behaviour.patterns import VERSION
from sandbox.judge.model import Finding
from sandbox.trace import files, locks

FILE = "behaviours.jsonl"
LINE_MAX = 8 << 20
"""Bytes of one unit's line; a longer one is not kept, and its unit has then no behaviour on the shelf."""

SHELF_MAX = 256 << 20
_LOCK = "behaviours.lock"
_COMPACT_MIN = 64


@dataclass(frozen=True, slots=True)
class Shelved:
    """What the shelf has for some ledger keys. `behaviours` by key; `runs`: in which run each unit was seen;
    `missing`: keys of which it has nothing that can be used."""

    behaviours: Mapping[str, tuple[Behaviour, ...]] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()

    @property
    def holes(self) -> tuple[str, ...]:
        """In words, what is missing."""
        return (f"{len(self.missing)} fresh units have no behaviour on record",) if self.missing else ()


FRESH = "fresh:"
"""What the name of a unit that was not run begins with; its ledger key follows."""


def joined(profile: Profile, shelved: Shelved) -> Profile:
    """A run's profile with its fresh units, named `fresh:KEY`, so that their drift is judged anew in each run: what was
    accepted meanwhile is none any more."""
    fresh = [replace(one, unit=FRESH + key) for key, units in sorted(shelved.behaviours.items()) for one in units]
    found = sorted((*profile.behaviours, *fresh), key=lambda one: (one.key, one.facts, one.macros))
    return replace(profile, behaviours=tuple(found))


def mark_fresh(findings: Iterable[Finding], shelved: Shelved) -> tuple[Finding, ...]:
    """Findings about `joined` units, told apart as those of the run in which the unit ran."""
    return tuple(
        replace(one, fresh=True, run=shelved.runs.get(one.unit.removeprefix(FRESH), ""))
        if one.unit.startswith(FRESH)
        else one
        for one in findings
    )


class BehaviourShelf:
    """The shelf in one ledger's folder (`Ledger.folder`). Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed: str | None = None
        """Why something could not be kept; None if all was. What is not kept is missing when it is read."""

    def put(self, run_id: str, units: Mapping[str, Iterable[tuple[str, str, dict[str, Any]]]]) -> None:
        """Keep the behaviours of units that ran, by their ledger key: (package, version, `canonical.unit_json`) for
        each of them (one key may stand for several units that told no folder). Never raises for the file system."""
        lines = []
        for key, found in units.items():
            shelved = [{"package": package, "version": version, "unit": unit} for package, version, unit in found]
            line = files.dump({"key": key, "run": run_id, "normaliser": VERSION, "units": shelved})
            if len(line) > LINE_MAX:
                line = files.dump({"key": key, "run": run_id, "gone": True})
                self.failed = self.failed or f"the behaviour of {key} is larger than {LINE_MAX >> 20} MiB"
            lines.append(line)
        if not lines:
            return
        try:
            with self._locked() as dir_fd:
                self._append(b"".join(lines), dir_fd)
        except OSError as error:
            self.failed = self.failed or f"behaviours can't be kept: {error.strerror}"

    def read(self, current_keys: Iterable[str]) -> Shelved:
        """What is kept of these keys. Lines that are torn, broken or of another normaliser count as missing."""
        wanted = set(current_keys)
        found: dict[str, tuple[Behaviour, ...]] = {}
        runs: dict[str, str] = {}
        for key, line in self._latest().items():
            if key not in wanted:
                continue
            units = _units(line)
            if units is not None:
                found[key], runs[key] = units, str(line.get("run", ""))
        return Shelved(found, runs, frozenset(wanted - found.keys()))

    def compact(self, current_keys: Iterable[str]) -> None:
        """Drop what no current key needs, if the shelf holds more than twice as much. Never raises."""
        wanted = set(current_keys)
        try:
            with self._locked() as dir_fd:
                lines = _lines(files.read_small(FILE, dir_fd, SHELF_MAX) or b"")
                if len(lines) <= max(2 * len(wanted), _COMPACT_MIN):
                    return
                kept = {key: value for key, value in _by_key(lines).items() if key in wanted}
                files.write_atomic(FILE, b"".join(map(files.dump, kept.values())), dir_fd)
        except OSError as error:
            self.failed = self.failed or f"the shelf can't be compacted: {error.strerror}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The folder, which no other process changes meanwhile. Raises OSError."""
        dir_fd = files.open_dir(self.folder)
        try:
            lock_fd = locks.open_lock(_LOCK, dir_fd)
            try:
                locks.lock(lock_fd)
                yield dir_fd
            finally:
                os.close(lock_fd)
        finally:
            os.close(dir_fd)

    def _append(self, data: bytes, dir_fd: int) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(FILE, flags, 0o600, dir_fd=dir_fd)
        try:
            size = os.fstat(fd).st_size
            if size + len(data) > SHELF_MAX:
                os.close(fd)
                fd = -1
                kept = list(_by_key(_lines(files.read_small(FILE, dir_fd, SHELF_MAX) or b"")).values())
                text = b"".join(map(files.dump, kept)) + data
                if len(text) > SHELF_MAX:
                    # The newest are the ones that are asked for.
                    text = data
                files.write_atomic(FILE, text, dir_fd)
                return
            if size and os.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data
            files.write_all(fd, data)
        finally:
            if fd >= 0:
                os.close(fd)

    def _latest(self) -> dict[str, dict[str, Any]]:
        try:
            dir_fd = files.open_dir(self.folder)
        except OSError:
            return {}
        try:
            return _by_key(_lines(files.read_small(FILE, dir_fd, SHELF_MAX) or b""))
        finally:
            os.close(dir_fd)


def _lines(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line]


def _by_key(lines: Iterable[bytes]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        value = files.parse_object(line)
        if value is not None and isinstance(key := value.get("key"), str):
            found[key] = value
    return found


def _units(line: dict[str, Any]) -> tuple[Behaviour, ...] | None:
    shelved = line.get("units")
    if line.get("normaliser") != VERSION or not isinstance(shelved, list) or not shelved:
        return None
    try:
        units = [one["unit"] for one in shelved]
        data = {"schema": BEHAVIOUR_SCHEMA, "run": "", "normaliser": VERSION, "holes": [], "units": units}
        return from_json(data).behaviours
    except (BehaviourError, KeyError, TypeError):
        return None
