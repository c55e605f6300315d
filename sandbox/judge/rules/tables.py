"""The generated part of docs/rules.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sandbox.judge.rules.model import Rule

BEGIN = "<!-- made by scripts/gen-rules --docs: begin -->"
END = "<!-- made by scripts/gen-rules --docs: end -->"


def table(rules: Iterable[Rule], names: Mapping[str, str]) -> str:
    """All rules, then the techniques that they name."""
    kept = list(rules)
    lines = ["| Rule | Severity | Weight | Scope | Title | Techniques |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {rule.id} | {rule.severity} | {rule.weight} | {rule.scope} | {rule.title} | {' '.join(rule.techniques)} |"
        for rule in kept
    ]
    used = sorted({technique for rule in kept for technique in rule.techniques})
    lines += ["", "| Technique | Name | Rules |", "|---|---|---|"]
    for technique in used:
        who = " ".join(rule.id for rule in kept if technique in rule.techniques)
        lines.append(f"| {technique} | {names[technique]} | {who} |")
    return "\n".join(lines)


def put(text: str, made: str) -> str:
    """The document with its generated part replaced. Raises ValueError if the marks are not there."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("docs/rules.md lacks the marks of its generated part")
    return f"{head}{BEGIN}\n\n{made}\n\n{END}{tail}"
