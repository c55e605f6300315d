"""Versions as programs and distributions write them, and the question whether one is older than a fix."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PARTS = re.compile(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[-~.]?(rc|beta|alpha|pre)[.-]?(\d{1,9})?)?")
_DISTRIBUTION = re.compile(
    r"[+~-](ds|dfsg|deb|really|\d*ubuntu)|\.(el|fc|amzn)\d|~(bookworm|trixie|jammy|noble)|-\d+[.+]"
)
_FINAL = 10**9

Version = tuple[int, int, int, int]


def parse(text: str) -> Version | None:
    """(major, minor, patch, number of the pre-release); None for no version.

    A release, which has no number of a pre-release, is newer than all its pre-releases.
    """
    found = _PARTS.match(text.strip())
    if found is None:
        return None
    major, minor, patch, early, number = found.groups()
    rank = int(number or 0) if early else _FINAL
    return int(major), int(minor or 0), int(patch or 0), rank


def is_fixed(version: Version, fixed_in: Sequence[Version]) -> bool:
    """Whether a version has a fix that came with `fixed_in`, one of each series (major.minor) that got it."""
    newest = max(fixed_in)
    return version >= newest or any(version[:2] == fixed[:2] and version >= fixed for fixed in fixed_in)


def is_distribution_s(text: str) -> bool:
    """Whether a version looks like a distribution's own, which may have fixes of newer ones."""
    return _DISTRIBUTION.search(text) is not None
