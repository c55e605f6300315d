"""The ledger after a run: what its fresh units are worth, and which units must run again (DESIGN §5)."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable

from sandbox.judge.model import Finding, at_least
from sandbox.record import record
from sandbox.run.pump import Ending
from sandbox.trace.ledger import Ledger
from sandbox.trace.seals import SealBreak


@record
class Fresh:
    """The fresh units of a run's graph: their keys, what they did when they last ran, how many nobody knows, and how
    many have outputs without a seal."""

    keys: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    unknown: int = 0
    unsealed: int = 0


@record
class Late:
    """What the behaviours of a run come to at its end: `findings` of the units that ran, those of the `fresh` ones, how
    many units have no baseline (None: compared with none), what else is to be said, why not all could be judged, and
    whether a locked baseline does not cover the state that the run leaves."""

    findings: tuple[Finding, ...] = ()
    fresh: tuple[Finding, ...] = ()
    no_baseline: int | None = None
    notes: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    uncovered: bool = False


def fresh_units(ledger: Ledger, looked_at: Iterable[str], ran: set[str]) -> Fresh:
    """`looked_at` are the fingerprint folders that cargo opened in this run, `ran` the keys of units that ran."""
    keys, findings, unknown, unsealed = set(), [], 0, 0
    for path in dict.fromkeys(looked_at):
        if path in ran:
            continue
        entry = ledger.entries.get(path)
        if entry is None:
            unknown += os.path.isdir(path) and path in map(str, ledger.unknown_fingerprints())
            continue
        keys.add(path)
        unsealed += entry.cut
        for data in entry.findings:
            findings.append(Finding.from_json(data | {"fresh": True, "unit": f"fresh:{path}"}))
    return Fresh(frozenset(keys), tuple(findings), unknown, unsealed)


def may_be_settled(finding: Finding) -> bool:
    """Whether accepting a behaviour can make a finding go away: one of a rule or of drift that is not grave."""
    return finding.code.startswith(("CS02", "CS03")) and not at_least(finding.severity, "high")


def make_violators_stale(ledger: Ledger, owners: Iterable[tuple[str, Finding]]) -> None:
    """A unit with a finding of high or above runs again next time, so that it is seen until it is fixed."""
    for key in {key for key, finding in owners if at_least(finding.severity, "high")}:
        if key in ledger.entries:
            ledger.make_stale(key)


def was_about_to_run(broken: SealBreak, ran: Container[str], ending: Ending | None) -> bool:
    """Whether an output is gone because the build was ended: cargo takes the old one away before it starts the
    compiler that makes the new one. Nobody is to blame then, and the unit is built again."""
    cut_short = ending is not None and bool(
        ending.limit or ending.stopped or ending.interrupted or ending.exit is None or ending.by_others()
    )
    return cut_short and broken.what == "missing" and broken.key not in ran
