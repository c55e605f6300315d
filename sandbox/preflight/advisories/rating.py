"""How bad a vulnerability is: from its CVSS vectors, or the database's own word."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.judge.model import SEVERITIES, Severity
from sandbox.preflight.advisories.model import Advisory

DEFAULT: Severity = "high"
"""Of a vulnerability that nobody rated."""

_WORDS: dict[str, Severity] = {
    "none": "low", "low": "low", "moderate": "medium", "medium": "medium", "high": "high", "critical": "critical",
}  # fmt: skip
_MAX_VECTOR = 300


def rate(advisories: Iterable[Advisory]) -> tuple[Severity, tuple[str, ...]]:
    """How bad what these advisories are all about is, and lines that say why.

    The worst vector counts; one that can't be read is told. Words count where there is no vector.
    """
    given = tuple(advisories)
    found: list[Severity] = []
    lines: list[str] = []
    for vector in dict.fromkeys(vector for item in given for vector in item.vectors):
        rated = _vector(vector)
        if rated is None:
            lines.append(f"rated by a CVSS vector that can't be read: {vector[:100]}")
        else:
            found.append(rated[0])
            lines.append(f"CVSS {rated[1]:.1f} ({vector})")
    for word in {item.rating.lower() for item in given} & _WORDS.keys() if not found else ():
        found.append(_WORDS[word])
        lines.append(f"rated {word} by the database")
    return max(found, key=SEVERITIES.index, default=DEFAULT), tuple(lines)


def _vector(vector: str) -> tuple[Severity, float] | None:
    """The rating by the specification's own scale (base score of version 3), and the score from 0 to 10."""
    # Costs 15 ms, and most lock files have no vulnerability.
    from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
    from cvss.exceptions import CVSSError  # type: ignore[import-untyped]

    if len(vector) > _MAX_VECTOR:
        return None
    try:
        if vector.startswith("CVSS:4"):
            four = CVSS4(vector)
            return _WORDS[four.severity.lower()], float(four.base_score)
        three = CVSS3(vector) if vector.startswith("CVSS:3") else CVSS2(vector)
        return _WORDS[three.severities()[0].lower()], float(three.base_score)
    except (CVSSError, ArithmeticError, LookupError, ValueError):
        return None
