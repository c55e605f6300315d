"""Makes checks, one after the other. A check that fails has not been done, which is neither clean nor a finding."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.errors import SandboxError
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Check, Subject


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a check. `failed`: it could not do what it was to do, other than for want of something that nobody
    gave it (a database, a resolved graph)."""

    check: Check
    answer: Answer
    failed: bool = False

    @property
    def done(self) -> bool:
        """Whether the check looked at all that it looks at."""
        return self.answer.state == "done"


def make(checks: Iterable[Check], subject: Subject) -> tuple[Outcome, ...]:
    """Make each of them. Raises nothing for what a lock file, a manifest or a database can cause."""
    return tuple(_make(check, subject) for check in checks)


def findings(outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    """All findings, each once, in the order of the checks."""
    return tuple(dict.fromkeys(one for outcome in outcomes for one in outcome.answer.findings))


def holes(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What was not looked at, as sentences."""
    return tuple(
        f"the check {one.check.name} {'failed' if one.failed else 'was not done'}: {one.answer.why or 'no reason told'}"
        for one in outcomes
        if not one.done
    )


def _make(check: Check, subject: Subject) -> Outcome:
    try:
        return Outcome(check, check.run(subject))
    except SandboxError as error:
        why = f"{error.message} ({error.hint})" if error.hint else error.message
    except Exception as error:  # our bug in one check must not take the others' findings along
        if os.environ.get("CARGO_SANDBOX_DEBUG"):
            raise
        why = f"this is our bug: {type(error).__name__}: {error}"
    return Outcome(check, Answer(check.name, "not done", why=why), failed=True)
