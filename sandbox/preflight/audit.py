"""What the checks come to together: verdict and exit code of `cargo-sandbox audit`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.errors import RecordIncomplete
from sandbox.judge.model import Completeness, Finding, RunResult, Verdict, at_least, decide
from sandbox.preflight import run
from sandbox.preflight.model import Subject
from sandbox.preflight.run import Outcome


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit at its end. `findings` are those that policy leaves, `waived` the others. `unseen` says what else than a
    check was not done (a graph that could not be resolved). `deny` is the severity from which on it fails,
    `wanted` are the checks that the user asked for by name, or gave something to."""

    subject: Subject
    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
    deny: str = "high"
    require_complete: bool = False
    wanted: frozenset[str] = frozenset()

    @property
    def holes(self) -> tuple[str, ...]:
        """All that was not looked at, as sentences."""
        return (*self.unseen, *run.holes(self.outcomes))

    @property
    def verdict(self) -> Verdict:
        """As of a run; `clean` only where every check was done."""
        return decide(self.findings, Completeness(reasons=self.holes))

    @property
    def exit_code(self) -> int:
        """120 for a finding at or above `deny`; 122 where a check failed, where one that is wanted was not done or none
        at all was, or with `require_complete` where anything was not looked at; else 0."""
        if any(at_least(finding.severity, self.deny) for finding in self.findings):
            return 120
        failed = any(one.failed or (one.check.name in self.wanted and not one.done) for one in self.outcomes)
        nothing = not any(one.done for one in self.outcomes)
        return RecordIncomplete.exit_code if failed or nothing or (self.require_complete and self.holes) else 0

    def result(self) -> RunResult:
        """In the form that reports are made of."""
        return RunResult(
            run="audit", verdict=self.verdict, findings=self.findings, completeness=Completeness(reasons=self.holes),
            exit_code=self.exit_code, cargo_code=None, cargo_signal=None, walls="nothing was run", no_baseline=0,
            waived=self.waived, notes=self.notes, audit=True,
        )  # fmt: skip

    @property
    def notes(self) -> tuple[str, ...]:
        """What checks say besides."""
        return tuple(f"{one.check.name}: {note}" for one in self.outcomes for note in one.answer.notes)
