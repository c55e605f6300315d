"""An audit for people: findings as those of a run, then a line for each check that says what it looked at."""

from __future__ import annotations

from collections import Counter

from sandbox.judge.model import SEVERITIES
from sandbox.preflight.audit import Audit
from sandbox.preflight.run import Outcome
from sandbox.report.formats import Context, key_of
from sandbox.report.render import render_untrusted as safe
from sandbox.report.terminal import count, finding_text

MAX_NOTES = 5
"""Most notes of one check that are shown; JSON has all."""

_MARK = {"clean": "1;32", "drift": "1;33", "violation": "1;31", "incomplete": "1;33"}


def render(audit: Audit, context: Context) -> str:
    """All of it, without a final newline. `context` gives chains, colour and the home to shorten."""
    ordered = sorted(audit.findings, key=lambda one: -SEVERITIES.index(one.severity))
    lines = [
        finding_text(one, context.chains.get(key_of(one), ()), "", context.colour, context.home) for one in ordered
    ]
    if audit.waived:
        lines.append(f"allowed by policy: {count(len(audit.waived), 'finding')}")
        lines += [
            f"  {safe(one.code)} {safe(one.package or 'the project')} {safe(one.version)}".rstrip()
            + f": {safe(one.evidence[-1] if one.evidence else one.subject)}"
            for one in audit.waived
        ]
    lines.append("checks")
    width = max((len(one.check.name) for one in audit.outcomes), default=0)
    for one in audit.outcomes:
        lines += [_line(one, width), *_notes(one)]
    lines += [f"warning: not looked at: {safe(words)}" for words in audit.unseen]
    return "\n".join([*lines, last_line(audit, context.colour)])


def last_line(audit: Audit, colour: bool) -> str:
    """The verdict, how much of the audit was done, and the findings by severity."""
    done = sum(one.done for one in audit.outcomes)
    counted = Counter(one.severity for one in audit.findings)
    told = ", ".join(f"{counted[name]} {name}" for name in reversed(SEVERITIES) if counted[name])
    head = f"Audit {audit.verdict}"
    if audit.verdict in ("drift", "violation") and audit.holes:
        head += " and incomplete"
    if colour:
        head = f"\x1b[{_MARK[audit.verdict]}m{head}\x1b[0m"
    packages = count(len(audit.subject.locked), "package")
    found = count(len(audit.findings), "finding") + (f" ({told})" if told else "")
    return f"{head}: {done} of {count(len(audit.outcomes), 'check')} done, {packages}, {found}"


def _notes(one: Outcome) -> list[str]:
    notes = one.answer.notes
    lines = [f"           note: {safe(words)}" for words in notes[:MAX_NOTES]]
    return lines + [f"           and {len(notes) - MAX_NOTES} more notes: --json"] * (len(notes) > MAX_NOTES)


def _line(one: Outcome, width: int) -> str:
    answer = one.answer
    state = "failed" if one.failed else answer.state
    words = f"  {state:<8} {one.check.name:<{width}}  {one.check.title}: "
    if one.done:
        unit = answer.unit.removesuffix("s") if answer.looked_at == 1 else answer.unit
        return safe(f"{words}{answer.looked_at} {unit}, {count(len(answer.findings), 'finding')}", 1000)
    return safe(words + (answer.why or "no reason told"), 2000)
