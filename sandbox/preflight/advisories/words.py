"""Findings and notes on advisories. Their texts are the databases' own: untrusted, as all text of a finding is."""

from __future__ import annotations

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding, Severity
from sandbox.preflight.advisories.matching import Hit
from sandbox.preflight.advisories.model import Advisory, Kind
from sandbox.preflight.advisories.rating import rate
from sandbox.preflight.model import finding

_CODES: dict[Kind, str] = {
    "malware": "CS0550", "vulnerability": "CS0551", "unsound": "CS0552", "unmaintained": "CS0553", "notice": "CS0554",
}  # fmt: skip
_NAMED = 20
"""So many functions, aliases or requirements are shown."""


def hit(found: Hit) -> Finding:
    """The finding of one hit: by its worst advisory, with the others' ids as further names of it."""
    first = found.advisories[0]
    severity: Severity | None = None
    rated: tuple[str, ...] = ()
    if first.kind == "vulnerability":
        severity, rated = rate(found.advisories)
    mended = _list(dict.fromkeys(first.mended))
    return finding(
        _CODES[first.kind],
        found.package,
        f"{first.id}: {first.title}" if first.title else first.id,
        subject=first.id,
        severity=severity,
        evidence=(*_lines(found, first, mended), *rated),
        help=f"take a version that is mended: {mended}"
        if mended and first.kind in ("vulnerability", "unsound")
        else "",
    )


def elsewhere(package: LockedPackage, advisory: Advisory) -> str:
    """A note on a package that bears the name and a version of another one's advisory."""
    source = package.source or "a folder"
    return (
        f"{package.name} {package.version} comes from {source}, so {advisory.id} is not about it"
        f" ({advisory.kind} in the package of {advisory.source or 'crates.io'})"
    )


def _lines(found: Hit, first: Advisory, mended: str) -> tuple[str, ...]:
    names = dict.fromkeys(name for item in found.advisories for name in (item.id, *item.aliases) if name != first.id)
    lines = [
        ("known since", first.date),
        ("also called", _list(names)),
        ("mended in", mended or ("no version" if first.kind in ("vulnerability", "unsound") else "")),
        ("concerns systems", _list(first.systems)),
        ("concerns architectures", _list(first.architectures)),
        ("concerns functions", _list(first.functions)),
        ("see", first.url),
    ]
    return tuple(f"{what}: {value}" for what, value in lines if value)


def _list(items: tuple[str, ...] | dict[str, None]) -> str:
    shown = list(items)[:_NAMED]
    return ", ".join(shown) + (f" and {len(items) - _NAMED} more" if len(items) > _NAMED else "")
