"""Findings and verdicts (DESIGN §2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from sandbox.record import record

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
Verdict = Literal["clean", "drift", "violation", "incomplete"]


def at_least(severity: str, threshold: str) -> bool:
    """Whether a severity reaches a threshold; threshold `never` is reached by none."""
    return threshold in SEVERITIES and SEVERITIES.index(severity) >= SEVERITIES.index(threshold)


@record
class Finding:
    """One thing that a unit did and should not have.

    `code` is stable (`CS0101`…), `subject` what it was done to (a path, an address, a call), `events` the sequence
    numbers of the evidence in the run's record, `count` how often it was seen. `fresh` tells that the unit did it in
    the earlier run `run` and was not run again in this one. `techniques` are ATT&CK ids, `tree` the evidence as lines
    with two spaces of indent a level. Of a comparison with a baseline: `rung` is the rung of the ladder that was used,
    `fact` the fact itself in canonical JSON, `score` how unusual it is (0: not scored).
    """

    code: str
    severity: Severity
    title: str
    unit: str
    role: str
    package: str
    version: str
    manifest_dir: str
    subject: str
    detail: str
    help: str
    events: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    count: int = 1
    run: str = ""
    fresh: bool = False
    macros: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    rung: str = ""
    tree: tuple[str, ...] = ()
    fact: str = ""
    score: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON form, the inverse of `from_json`."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Finding:
        """Read a stored finding; unknown keys are ignored, so that an older reader copes with newer files."""
        known = {name: data[name] for name in cls.__annotations__ if name in data}
        for name in ("events", "evidence", "macros", "techniques", "tree"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)


@record
class Completeness:
    """Whether the record has a hole. Counters are the guard's and ours; `reasons` say what is missing."""

    seen: int = 0
    listed: int = 0
    quiet: int = 0
    unreadable: int = 0
    lost: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """True when nothing is missing."""
        return not self.reasons


@record
class RunResult:
    """What a run came to: everything that a report needs, frozen.

    `tier` is what the host was worth (`cargo-sandbox doctor`), empty in records from before it was told. Where nothing
    was `recorded` no unit was seen: the counters of units and findings say nothing then. `no_baseline` counts the units
    that had no baseline to be compared with; None says that the run was compared with none at all. `waived` are
    findings that the project's policy allows: shown, and no part of the verdict; `notes` hold nothing against it.
    `audit`: nothing was run at all; what was not looked at stands in `completeness`. `programs` are the SHA-256 of
    programs that were run and that the build did not make, by path.
    """

    run: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    completeness: Completeness
    exit_code: int
    cargo_code: int | None
    cargo_signal: int | None
    stopped: str = ""
    units: Mapping[str, int] = MappingProxyType({})
    fresh_units: int = 0
    engine: str = ""
    duration_s: float = 0.0
    walls: str = ""
    tier: str = ""
    tier_reasons: tuple[str, ...] = ()
    recorded: bool = True
    no_baseline: int | None = None
    waived: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    audit: bool = False
    programs: Mapping[str, str] = MappingProxyType({})

    def to_json(self) -> dict[str, Any]:
        """JSON form for `result.json`."""
        data = vars(self) | {"units": dict(self.units), "programs": dict(self.programs)}
        for name in ("findings", "waived"):
            data[name] = [finding.to_json() for finding in getattr(self, name)]
        data["completeness"] = dict(vars(self.completeness))
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunResult:
        """The inverse of `to_json`."""
        known = {name: data[name] for name in cls.__annotations__ if name in data}
        for name in ("findings", "waived"):
            known[name] = tuple(Finding.from_json(entry) for entry in data.get(name, ()))
        for name in ("tier_reasons", "notes"):
            known[name] = tuple(data.get(name, ()))
        complete = dict(data.get("completeness", {}))
        complete["reasons"] = tuple(complete.get("reasons", ()))
        known["completeness"] = Completeness(**complete)
        return cls(**known)


def decide(findings: tuple[Finding, ...], completeness: Completeness) -> Verdict:
    """Violation before incomplete before drift: a proven act stays proven when the record has a hole."""
    if any(at_least(finding.severity, "high") for finding in findings):
        return "violation"
    if not completeness.whole:
        return "incomplete"
    return "drift" if findings else "clean"
