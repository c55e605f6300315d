"""The ledger's part of a run: what is believed before it, and what its fresh units are worth after it (DESIGN §5)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.errors import SetupError
from sandbox.judge.model import Finding, at_least
from sandbox.trace.ledger import Entry, Ledger, SealBreak


@dataclass(slots=True)
class OpenLedger:
    """The ledger of one build dir, held for this run. `touched` are outputs that changed since the last run."""

    ledger: Ledger
    touched: list[SealBreak] = field(default_factory=list)
    touched_units: dict[str, dict[str, Any]] = field(default_factory=dict)


def prepare_ledger(state_dir: str, build_dir: str, guard: str, guard_digest: str) -> OpenLedger:
    """Open and lock the ledger, and make everything stale that must not be believed.

    A build dir that isn't the ledger's is emptied; a unit without an entry, or with an output that changed behind our
    back, runs again. Raises SetupError when the state or build dir can't be used.
    """
    try:
        ledger = Ledger.open(Path(state_dir), Path(build_dir), guard_digest)
        ledger.acquire(_blocking)
        opened = OpenLedger(ledger)
        if not ledger.trusted:
            ledger.renew(_blocking)
        for path in ledger.unknown_fingerprints():
            ledger.make_stale(path)
        opened.touched = ledger.check(guard)
        for broken in opened.touched:
            entry = ledger.entries.get(broken.key)
            if entry is not None:
                opened.touched_units[broken.key] = unit_of(entry)
                ledger.make_stale(broken.key)
    except OSError as error:
        raise SetupError(
            f"the ledger of {build_dir} can't be used: {error}",
            wall="ledger",
            why="without it a fresh unit can't be believed",
            fix="make the state directory and the target dir writable; cargo clean starts anew",
        ) from error
    return opened


def unit_of(entry: Entry) -> dict[str, Any]:
    """An entry in the form of a unit's start record, for findings about it."""
    return {
        "unit": f"fresh:{entry.key}",
        "role": entry.role,
        "package": entry.package,
        "version": entry.version,
        "crate": entry.crate,
    }


@dataclass(frozen=True, slots=True)
class Fresh:
    """The fresh units of a run's graph: their keys, what they did when they last ran, how many nobody knows."""

    keys: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    unknown: int = 0


def fresh_units(ledger: Ledger, looked_at: Iterable[str], ran: set[str]) -> Fresh:
    """`looked_at` are the fingerprint folders that cargo opened in this run, `ran` the keys of units that ran."""
    keys, findings, unknown = set(), [], 0
    for path in dict.fromkeys(looked_at):
        if path in ran:
            continue
        entry = ledger.entries.get(path)
        if entry is None:
            unknown += os.path.isdir(path) and path in map(str, ledger.unknown_fingerprints())
            continue
        keys.add(path)
        for data in entry.findings:
            findings.append(Finding.from_json(data | {"fresh": True, "unit": f"fresh:{path}"}))
    return Fresh(frozenset(keys), tuple(findings), unknown)


def make_violators_stale(ledger: Ledger, owners: Iterable[tuple[str, Finding]]) -> None:
    """A unit with a finding of high or above runs again next time, so that it is seen until it is fixed."""
    for key in {key for key, finding in owners if at_least(finding.severity, "high")}:
        if key in ledger.entries:
            ledger.make_stale(key)


def _blocking() -> None:
    sys.stderr.write("    Blocking waiting for file lock on build directory\n")


__all__ = ["Fresh", "OpenLedger", "fresh_units", "make_violators_stale", "prepare_ledger", "unit_of"]
