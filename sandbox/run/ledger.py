"""The ledger before a run: what of the build dir is believed (DESIGN §5 "Freshness must not launder")."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.errors import SetupError
from sandbox.trace.ledger import Entry, Ledger, SealBreak


@dataclass(slots=True)
class OpenLedger:
    """The ledger of one build dir, held for this run. `touched` are outputs that changed since the last run."""

    ledger: Ledger
    touched: list[SealBreak] = field(default_factory=list)
    touched_units: dict[str, dict[str, Any]] = field(default_factory=dict)


def prepare_ledger(state_dir: str, build_dir: str, guard: str, filled_under: str) -> OpenLedger:
    """Open and lock the ledger, and make everything stale that must not be believed.

    `filled_under` names guard and image by their digests. A build dir that isn't the ledger's, or was filled under
    others, is emptied; a unit without an entry, or with an output that changed behind our back, runs again. Raises
    SetupError when the state or build dir can't be used.
    """
    try:
        ledger = Ledger.open(Path(state_dir), Path(build_dir), filled_under)
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


def _blocking() -> None:
    sys.stderr.write("    Blocking waiting for file lock on build directory\n")
