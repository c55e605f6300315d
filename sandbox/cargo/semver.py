"""Versions and requirements as cargo reads them (the book's "Specifying Dependencies"), on a small scale."""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSION = re.compile(r"(\d{1,19})\.(\d{1,19})\.(\d{1,19})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
_PART = re.compile(
    r"\s*(\^|~|=|>=|<=|>|<)?\s*(\d{1,19})(?:\.(\d{1,19}|\*))?(?:\.(\d{1,19}|\*))?(?:-([0-9A-Za-z.-]+))?(?:\+\S*)?\s*",
    re.ASCII,
)
_PACKAGE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
SCRIPT_HINT = "write a package's name, or NAME@REQUIREMENT such as ring@0.17"


class Version(NamedTuple):
    """A version. Pre-releases sort before their release; `pre` is made of (is text, number, text)."""

    major: int
    minor: int
    patch: int
    release: bool = True
    pre: tuple[tuple[bool, int, str], ...] = ()

    @property
    def numbers(self) -> tuple[int, int, int]:
        return self.major, self.minor, self.patch


def parse(text: str) -> Version | None:
    """The version, or None for text that is none. Build metadata is left out: it has no order."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch = (int(part) for part in found.group(1, 2, 3))
    return Version(major, minor, patch, found[4] is None, _pre(found[4]))


def key(text: str) -> tuple[bool, Version, str]:
    """For sorting versions; text that is no version comes first."""
    version = parse(text)
    return version is not None, version or Version(0, 0, 0), text


def is_patch(old: str, new: str) -> bool:
    """Whether `new` is what cargo takes for the smallest kind of update of `old`: nobody looks twice at it."""
    before, after = parse(old), parse(new)
    if before is None or after is None:
        return old == new
    return before.numbers[:2] == after.numbers[:2] and after >= before


def is_requirement(text: str) -> bool:
    """Whether the text is a requirement that `matches` understands."""
    return text.strip() == "*" or all(_PART.fullmatch(part) for part in text.split(","))


def matches(requirement: str, version: str) -> bool:
    """Whether the version meets the requirement: `1.2` (caret), `^`, `~`, `=`, `>=`, `<=`, `>`, `<`, `*`, commas.

    A pre-release meets only a requirement that names a pre-release of the same numbers, as for cargo. What is not
    understood is not met.
    """
    found = parse(version)
    if found is None:
        return False
    if requirement.strip() == "*":
        return found.release
    parts = [_PART.fullmatch(part) for part in requirement.split(",")]
    if not all(parts):
        return False
    if not found.release and not any(
        part and part[5] and (int(part[2]), _number(part[3]), _number(part[4])) == found.numbers for part in parts
    ):
        return False
    return all(_meets(part, found) for part in parts if part is not None)


def is_script_name(text: str) -> bool:
    """Whether the text names a package, alone or with a requirement (`NAME@1.2`)."""
    name, found, requirement = text.partition("@")
    return bool(_PACKAGE.fullmatch(name)) and (not found or is_requirement(requirement))


def script_allowed(allowed: tuple[str, ...], name: str, version: str) -> bool:
    """Whether a list of names and `NAME@REQUIREMENT`s has the package."""
    for entry in allowed:
        wanted, found, requirement = entry.partition("@")
        if wanted == name and (not found or matches(requirement, version)):
            return True
    return False


def is_package(text: str) -> bool:
    """Whether cargo would take the text for a package's name."""
    return bool(_PACKAGE.fullmatch(text))


def _meets(part: re.Match[str], found: Version) -> bool:
    sign = part[1] or ("=" if "*" in (part[3], part[4]) else "^")
    given = 1 + sum(text not in (None, "*") for text in part.group(3, 4))
    low = Version(int(part[2]), _number(part[3]), _number(part[4]), part[5] is None, _pre(part[5]))
    if sign == "^":
        return low <= found and found.numbers < _caret(low, given)
    if sign == "~":
        return low <= found and found.numbers < _after(low, min(given, 2))
    if sign == "=":
        return found == low if given == 3 else low.numbers <= found.numbers < _after(low, given)
    if sign == ">=":
        return found >= low
    if sign == "<":
        return found < low
    if sign == ">":
        return found > low if given == 3 else found.numbers >= _after(low, given)
    return found <= low if given == 3 else found.numbers < _after(low, given)


def _after(low: Version, given: int) -> tuple[int, int, int]:
    """The first numbers that differ from `low` in what was given of it."""
    return ((low.major + 1, 0, 0), (low.major, low.minor + 1, 0), (low.major, low.minor, low.patch + 1))[given - 1]


def _caret(low: Version, given: int) -> tuple[int, int, int]:
    if low.major or given == 1:
        return low.major + 1, 0, 0
    if low.minor or given == 2:
        return 0, low.minor + 1, 0
    return 0, 0, low.patch + 1


def _number(text: str | None) -> int:
    return int(text) if text and text != "*" else 0


def _pre(text: str | None) -> tuple[tuple[bool, int, str], ...]:
    """Numbers before words, numbers by value (semver 2.0.0, 11.4)."""
    if not text:
        return ()
    parts = text.split(".")
    return tuple((False, int(p), "") if p.isdecimal() and len(p) < 20 else (True, 0, p) for p in parts)
