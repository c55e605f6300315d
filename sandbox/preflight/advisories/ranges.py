"""Which versions an advisory is about.

Source of the meaning: rustsec 0.33, `src/osv/unaffected_range.rs` and `ranges_for_advisory.rs`: requirements are spans
of the whole order of versions, pre-releases among them. This is *not* how cargo reads a requirement
(`sandbox.cargo.semver.matches`): `>= 1.2.0` has `1.3.0-rc.1` here, `> 1.2` begins right after 1.2.0, `= 1.2` is 1.2.0.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sandbox.cargo import semver
from sandbox.cargo.files import Unreadable
from sandbox.cargo.semver import Version

_PART = re.compile(
    r" *(\^|~|=|>=|<=|>|<)? *(\d{1,19})(?:\.(\d{1,19})(?:\.(\d{1,19})(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)?)? *",
    re.ASCII,
)
_LOWEST = ((False, 0, ""),)
"""`-0`: the lowest pre-release that there is."""

MAX_TEXT = 1000
"""Longest requirement or version that is looked at, in characters."""


class Span(NamedTuple):
    """Versions from `low` to `high`, each None for no limit; whether the limits belong to it."""

    low: Version | None = None
    low_in: bool = True
    high: Version | None = None
    high_in: bool = False

    def has(self, version: Version) -> bool:
        """Whether the version lies in the span, by semver's order."""
        if self.low is not None and (version < self.low or (version == self.low and not self.low_in)):
            return False
        return self.high is None or version < self.high or (version == self.high and self.high_in)


class Versions(NamedTuple):
    """The versions an advisory is about: those in a span or listed; with `inverse` those in no span (RustSec)."""

    spans: tuple[Span, ...] = ()
    listed: tuple[Version, ...] = ()
    inverse: bool = False

    def affects(self, version: Version) -> bool:
        """Whether the advisory is about the version. Build metadata has no say (semver 2.0.0, 10)."""
        return (any(span.has(version) for span in self.spans) != self.inverse) or version in self.listed


def span(requirement: str) -> Span:
    """The span of a RustSec requirement. Raises Unreadable for what rustsec does not take either (`1.*`, three parts,
    two lower limits, a limit above the other)."""
    if requirement.strip(" ") == "*":
        return Span()
    parts = requirement.split(",", 2) if len(requirement) <= MAX_TEXT else []
    found = [match for match in map(_PART.fullmatch, parts) if match]
    if len(found) != len(parts) or not 1 <= len(found) <= 2:
        raise Unreadable(f"no requirement: {requirement[:80]!r}")
    spans = [_one(match) for match in found]
    if len(spans) == 1:
        return spans[0]
    first, second = spans if spans[0].low is not None else reversed(spans)
    both = Span(first.low, first.low_in, second.high, second.high_in)
    whole = {sign for match in found if (sign := match[1] or "^") in "^~="}
    if whole or both.low is None or both.high is None or second.low is not None or first.high is not None:
        raise Unreadable(f"no lower and upper limit: {requirement[:80]!r}")
    if both.low > both.high or (both.low == both.high and not (both.low_in and both.high_in)):
        raise Unreadable(f"the lower limit is above the upper one: {requirement[:80]!r}")
    return both


def version_of(text: str) -> Version:
    """A version as OSV records write them, where `0` and `1.2` stand for 0.0.0 and 1.2.0. Raises Unreadable."""
    core = text + ".0" * max(0, 2 - text.count("."))
    found = semver.parse(core) if len(text) <= MAX_TEXT else None
    if found is None:
        raise Unreadable(f"no version: {text[:80]!r}")
    return found


def _one(part: re.Match[str]) -> Span:
    sign = part[1] or "^"
    major, minor, patch = int(part[2]), int(part[3] or 0), int(part[4] or 0)
    version = semver.parse(f"{major}.{minor}.{patch}{part[5] or ''}")
    if version is None:
        raise Unreadable(f"no version: {part[0][:80]!r}")
    if sign in (">", ">="):
        return Span(version, sign == ">=")
    if sign in ("<", "<="):
        return Span(None, True, version, sign == "<=")
    if sign == "=":
        return Span(version, True, version, True)
    if sign == "~":
        top = (major + 1, 0, 0) if part[3] is None else (major, minor + 1, 0)
    elif major or part[3] is None:
        top = (major + 1, 0, 0)
    else:
        top = (0, 0, patch + 1) if minor == 0 and part[4] is not None else (0, minor + 1, 0)
    return Span(version, True, Version(*top, False, _LOWEST), False)
