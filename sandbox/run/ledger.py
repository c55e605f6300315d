"""The ledger before a run: what of the build dir is believed (DESIGN §5 "Freshness must not launder")."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sandbox.errors import SetupError
from sandbox.plan.model import Plan
from sandbox.trace import unjudged
from sandbox.trace.ledger import Entry, Ledger, SealBreak


class OpenLedger:
    """The ledger of one build dir, held for this run. `touched` are outputs that changed since the last run."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.touched: list[SealBreak] = []
        self.touched_units: dict[str, dict[str, Any]] = {}


def prepare_ledger(state_dir: str, plan: Plan, guard: str) -> OpenLedger:
    """Open and lock the ledger, and make everything stale that must not be believed.

    A build dir that isn't the ledger's, or was filled under another guard or image, is emptied. A unit without an
    entry, one of a run that was not judged to its end, or one with an output that changed behind our back runs again.
    Where nothing is recorded no unit has an entry, nothing that is said rests on one being fresh, and cargo may call
    fresh what it likes. Raises SetupError when the
    state or build dir can't be used.
    """
    build_dir = plan.build_dir
    # What was made where less could be recorded is not believed where more can be, nor the other way round; nor is what
    # was made with another image's libraries.
    made_by = " ".join(word for word in (plan.guard_digest, plan.image, *plan.missing) if word)
    try:
        ledger = Ledger.open(Path(state_dir), Path(build_dir), made_by)
        ledger.acquire(_blocking)
        opened = OpenLedger(ledger)
        if not ledger.trusted:
            ledger.renew(_blocking)
        for run in unjudged.abandoned(ledger.folder):
            for key in [entry.key for entry in ledger.entries.values() if entry.run == run]:
                ledger.make_stale(key)
            unjudged.forget(ledger.folder, run)
        for path in () if plan.alone else ledger.unknown_fingerprints():
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
