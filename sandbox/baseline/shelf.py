"""The shelf of behaviours beside a ledger: what each unit did when it last ran, for the runs in which it is fresh.

`behaviours.jsonl` in the ledger's folder, out of every unit's reach; later lines replace earlier ones. What is lost
here is lost with words: a unit that is not on the shelf has no behaviour, never an empty one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from sandbox.baseline.keyed_lines import index, read_at, whole_lines
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

    def put(self, run_id: str, units: Iterable[tuple[str, Iterable[tuple[str, str, dict[str, Any]]]]]) -> None:
        """Keep the behaviours of units that ran, by their ledger key: (package, version, `canonical.unit_json`) for
        each of them (one key may stand for several units that told no folder). They are asked for one after another,
        and none is held. Never raises for the file system."""
        mine: list[str] = []
        try:
            with self._locked() as dir_fd:
                for key, found in units:
                    self._append(self._line(run_id, key, found), mine, dir_fd)
                    mine.append(key)
        except OSError as error:
            self.failed = self.failed or f"behaviours can't be kept: {error.strerror}"

    def _line(self, run_id: str, key: str, found: Iterable[tuple[str, str, dict[str, Any]]]) -> bytes:
        shelved = [{"package": package, "version": version, "unit": unit} for package, version, unit in found]
        line = files.dump({"key": key, "run": run_id, "normaliser": VERSION, "units": shelved})
        if len(line) <= LINE_MAX:
            return line
        self.failed = self.failed or f"the behaviour of {key} is larger than {LINE_MAX >> 20} MiB"
        return files.dump({"key": key, "run": run_id, "gone": True})

    def read(self, current_keys: Iterable[str]) -> Shelved:
        """What is kept of these keys. Lines that are torn, broken or of another normaliser count as missing."""
        wanted = frozenset(current_keys)
        found: dict[str, tuple[Behaviour, ...]] = {}
        runs: dict[str, str] = {}
        with contextlib.suppress(OSError), self._opened() as fd:
            for key, place in index(fd, SHELF_MAX).places.items():
                if key not in wanted:
                    continue
                line = files.parse_object(read_at(fd, place)) or {}
                units = _units(line)
                if units is not None:
                    found[key], runs[key] = units, str(line.get("run", ""))
        return Shelved(found, runs, wanted - found.keys())

    def compact(self, current_keys: Iterable[str]) -> None:
        """Drop what no current key needs, if the shelf holds more than twice as much. Never raises."""
        wanted = set(current_keys)
        try:
            with self._locked() as dir_fd, contextlib.suppress(FileNotFoundError), self._opened(dir_fd) as fd:
                known = index(fd, SHELF_MAX)
                if known.lines > max(2 * len(wanted), _COMPACT_MIN):
                    places = (place for key, place in known.places.items() if key in wanted)
                    files.write_atomic_parts(FILE, whole_lines(fd, places), dir_fd)
        except OSError as error:
            self.failed = self.failed or f"the shelf can't be compacted: {error.strerror}"

    @contextlib.contextmanager
    def _opened(self, dir_fd: int | None = None) -> Iterator[int]:
        """The shelf's file, for reading. Raises OSError."""
        with contextlib.ExitStack() as stack:
            if dir_fd is None:
                dir_fd = files.open_dir(self.folder)
                stack.callback(os.close, dir_fd)
            fd = files.open_regular(FILE, dir_fd)
            stack.callback(os.close, fd)
            yield fd

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

    def _append(self, line: bytes, mine: Collection[str], dir_fd: int) -> None:
        """Add a line; where there is no room, without what is old: first of each key, then of all keys but `mine`."""
        fd = os.open(FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
        try:
            size = os.fstat(fd).st_size
            if size + len(line) > SHELF_MAX:
                files.write_atomic_parts(FILE, chain(self._kept(fd, len(line), mine), (line,)), dir_fd)
                return
            if size and os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line
            files.write_all(fd, line)
        finally:
            os.close(fd)

    def _kept(self, fd: int, taken: int, mine: Collection[str]) -> Iterator[bytes]:
        places = index(fd, SHELF_MAX).places
        # The newest are the ones that are asked for.
        for kept in (places, {key: place for key, place in places.items() if key in mine}):
            # One more for a newline that the last line may lack.
            if sum(place.length for place in kept.values()) + 1 + taken <= SHELF_MAX:
                return whole_lines(fd, kept.values())
        return iter(())


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
