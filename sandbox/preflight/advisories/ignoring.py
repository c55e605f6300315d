"""The project's list of advisories that it has looked at and lets pass."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sandbox.judge.model import Finding
from sandbox.policy.model import Permit
from sandbox.preflight.advisories.matching import Hit
from sandbox.preflight.model import finding


def apply(
    hits: Iterable[Hit], ignored: tuple[Permit, ...], today: date, *, whole: bool
) -> tuple[list[Hit], list[str], list[Finding]]:
    """The hits that remain, a note for each that does not, and findings on entries of the list (CS0556).

    An entry names an id or an alias, in any case. It is not in force once it has expired, nor without a reason. That
    it is not needed can only be told when the `whole` database was read.
    """
    force = {entry.what.lower(): entry for entry in ignored if entry.reason.strip() and entry.holds(today)}
    used: set[str] = set()
    held: list[Hit] = []
    notes: list[str] = []
    for hit in hits:
        entries = sorted(hit.names & force.keys())
        used.update(entries)
        if not entries:
            held.append(hit)
            continue
        entry = force[entries[0]]
        until = f" (until {entry.expires})" if entry.expires else ""
        package = f"{hit.package.name} {hit.package.version}"
        notes.append(f"{hit.advisories[0].id} on {package} is ignored{until}: {entry.reason}")
    findings = []
    for entry in ignored:
        if not entry.holds(today):
            findings.append(_stale(entry, f"it has expired on {entry.expires}"))
        elif not entry.reason.strip():
            findings.append(_stale(entry, "it gives no reason, so it is not in force"))
        elif whole and entry.what.lower() not in used:
            findings.append(_stale(entry, "it is about no package of this lock file"))
    return held, notes, findings


def _stale(entry: Permit, detail: str) -> Finding:
    return finding("CS0556", None, f"{entry.what}: {detail}", subject=entry.what)
