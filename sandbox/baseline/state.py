"""What a workspace's units do today: the last run's, and for fresh units what they did when they last ran."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.baseline.context import Context, contexts
from sandbox.baseline.model import BaselineError
from sandbox.baseline.shelf import BehaviourShelf
from sandbox.behaviour.model import Behaviour, Profile
from sandbox.behaviour.normalise import escape
from sandbox.behaviour.profile import profile_of
from sandbox.cargo.lockfile import LockedPackage
from sandbox.trace import files
from sandbox.trace.ledger import Entry, Ledger
from sandbox.trace.reader import RunReader, StoreError
from sandbox.trace.store import RunInfo, RunStore

BUILD_FIRST = "build first: cargo-sandbox build"


@dataclass(frozen=True, slots=True)
class State:
    """A workspace's behaviours. `run` is the newest run that is part of it, `toolchain` and `host` (its triple) are of
    that; `holes`: in words, what is missing."""

    workspace: str
    run: str
    profile: Profile
    checksums: Mapping[tuple[str, str], str]
    toolchain: str = ""
    holes: tuple[str, ...] = ()
    host: str = ""

    def contexts(self) -> dict[tuple[str, str], Context]:
        """Under what each package version was built."""
        return contexts(self.profile, self.toolchain, self.host)


def checksums_of(packages: Iterable[LockedPackage]) -> dict[tuple[str, str], str]:
    """Cargo.lock's checksums by normal name and version; empty for path and git packages. Of two sources of one name
    and version neither can be told from the other by a unit, so none counts as checked."""
    found: dict[tuple[str, str], str] = {}
    for one in packages:
        key = str(escape(one.name)), str(escape(one.version))
        found[key] = "" if key in found else one.checksum or ""
    return found


def state_of_run(workspace: str, checksums: Mapping[tuple[str, str], str], name: str, store: RunStore) -> State:
    """One run alone. Raises StoreError, and BaselineError for a run of another workspace or without units."""
    with store.open(name) as reader:
        header = reader.header
        if header.get("workspace") != workspace:
            raise BaselineError(
                f"run {reader.id} is of the workspace {header.get('workspace')}",
                hint="name a run of this one: cargo-sandbox runs list",
            )
        profile = _locked(profile_of(reader), checksums)
    return State(workspace, profile.run, profile, checksums, _toolchain(header), profile.holes, _host(header))


def state_of(workspace: str, checksums: Mapping[tuple[str, str], str], store: RunStore, state_dir: Path) -> State:
    """Today's state of a workspace: all units of its ledger that are in Cargo.lock, and the last run's.

    A unit's behaviour is taken from the last run, else from the shelf, else from the stored run in which it ran.
    Raises BaselineError when nothing is on record.
    """
    runs = [info for info in store.list() if info.header.get("workspace") == workspace and _recorded(info)]
    if not runs:
        raise BaselineError(f"no run of {workspace} is on record", hint=BUILD_FIRST)
    last = runs[0]
    reader_run = _Runs(store)
    profile = reader_run.profile(last.id)
    if profile is None:
        raise BaselineError(f"run {last.id} can't be read", hint=BUILD_FIRST)
    profile = _locked(profile, checksums)
    entries, folder = ledger_of(store, last, state_dir)
    here = {one.unit for one in profile.behaviours}
    wanted = {
        key: entry
        for key, entry in entries.items()
        if not (entry.run == last.id and entry.unit in here)
        and (escape(entry.package), escape(entry.version)) in checksums
    }
    found: list[Behaviour] = [*profile.behaviours]
    holes = list(profile.holes)
    missing: set[str] = set(wanted)
    if wanted and folder is not None:
        shelved = BehaviourShelf(folder).read(wanted)
        for key, units in shelved.behaviours.items():
            found += [replace(one, unit=f"{shelved.runs[key]}/{one.unit}") for one in units]
        missing = set(shelved.missing)
    lost = []
    for key in sorted(missing):
        unit = reader_run.unit(wanted[key])
        if unit is None:
            lost.append(f"{wanted[key].role} {wanted[key].package} {wanted[key].version}")
        else:
            found.append(unit)
    if lost:
        some = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        holes.append(f"{len(lost)} fresh units have no behaviour on record ({some}); build them again: cargo clean")
    found.sort(key=lambda one: (one.key, one.facts, one.macros))
    whole = Profile(last.id, profile.normaliser, tuple(found), tuple(holes))
    return State(workspace, last.id, whole, checksums, _toolchain(last.header), tuple(holes), _host(last.header))


def _locked(profile: Profile, checksums: Mapping[tuple[str, str], str]) -> Profile:
    """Without what Cargo.lock does not have any more: nobody can say what content that was, so nothing is accepted of
    it and nothing held against it. What took its place has not been built then, which is a hole."""
    gone = sorted(
        {
            (one.key.package, one.key.version)
            for one in profile.behaviours
            if one.key.package and (one.key.package, one.key.version) not in checksums
        }
    )
    if not gone:
        return profile
    some = ", ".join(" ".join(one) for one in gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
    hole = f"Cargo.lock has changed since run {profile.run}: it has no {some}; build again: cargo-sandbox build"
    kept = tuple(one for one in profile.behaviours if (one.key.package, one.key.version) not in gone)
    return replace(profile, behaviours=kept, holes=(*profile.holes, hole))


class _Runs:
    """Profiles of stored runs, each read once."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._known: dict[str, Profile | None] = {}
        self._units: dict[str, dict[str, Behaviour]] = defaultdict(dict)

    def profile(self, run: str) -> Profile | None:
        if run not in self._known:
            self._known[run] = None
            try:
                with RunReader(self._store.base / self._store.find(run)) as reader:
                    self._known[run] = profile_of(reader)
            except (StoreError, OSError):
                return None
            profile = self._known[run]
            if profile is not None:
                self._units[run] = {one.unit: one for one in profile.behaviours}
        return self._known[run]

    def unit(self, entry: Entry) -> Behaviour | None:
        if self.profile(entry.run) is None:
            return None
        found = self._units[entry.run].get(entry.unit)
        return None if found is None else replace(found, unit=f"{entry.run}/{found.unit}")


def ledger_of(store: RunStore, last: RunInfo, state_dir: Path) -> tuple[dict[str, Entry], Path | None]:
    """The entries of the last run's build dir; none where ledger and build dir do not fit any more."""
    try:
        with RunReader(last.path) as reader:
            plan = reader.plan or {}
    except StoreError:
        return {}, None
    build_dir = plan.get("build_dir")
    if not isinstance(build_dir, str) or not build_dir.startswith("/"):
        return {}, None
    folder = ledger_folder(state_dir, build_dir)
    if not folder.is_dir():
        return {}, None
    try:
        dir_fd = files.open_dir(folder)
        try:
            header = files.read_object("header.json", dir_fd) or {}
        finally:
            os.close(dir_fd)
        with Ledger.open(state_dir, Path(build_dir), str(header.get("filled_under"))) as ledger:
            return dict(ledger.entries), folder
    except OSError:
        return {}, None


def ledger_folder(state_dir: Path, build_dir: str) -> Path:
    """Where the ledger of a build dir lies (`Ledger.open`)."""
    return state_dir / "ledger" / hashlib.sha256(os.fsencode(os.path.abspath(build_dir))).hexdigest()[:32]


def _recorded(info: RunInfo) -> bool:
    return info.status != "running" and info.result.get("recorded") is not False


def _toolchain(header: Mapping[str, Any]) -> str:
    versions = header.get("versions")
    words = str(versions.get("rustc", "")).split() if isinstance(versions, dict) else []
    return words[1] if len(words) > 1 and words[0] == "rustc" else ""


def _host(header: Mapping[str, Any]) -> str:
    host = header.get("host")
    return host if isinstance(host, str) else ""
