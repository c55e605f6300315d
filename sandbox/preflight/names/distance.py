"""One letter of difference, and which. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple


class Edit(NamedTuple):
    """What makes the second name of the first: at `at`, `old` is replaced by `new` (one of them may be empty)."""

    kind: Literal["replaced", "added", "dropped", "swapped"]
    at: int
    old: str
    new: str


def one_edit(target: str, name: str) -> Edit | None:
    """The one letter that was replaced, added or dropped, or the two neighbours that were swapped, to make `name` of
    `target`; None when they are equal or further apart. Linear time."""
    if target == name or abs(len(target) - len(name)) > 1:
        return None
    at = 0
    shorter = min(len(target), len(name))
    while at < shorter and target[at] == name[at]:
        at += 1
    if len(target) < len(name):
        return Edit("added", at, "", name[at]) if target[at:] == name[at + 1 :] else None
    if len(target) > len(name):
        return Edit("dropped", at, target[at], "") if target[at + 1 :] == name[at:] else None
    if target[at + 1 :] == name[at + 1 :]:
        return Edit("replaced", at, target[at], name[at])
    two, other = target[at : at + 2], name[at : at + 2]
    if two == other[::-1] and target[at + 2 :] == name[at + 2 :]:
        return Edit("swapped", at, two, other)
    return None


def deletions(name: str) -> Iterator[str]:
    """The name, and it without each of its letters: two names one edit apart share one of these."""
    yield name
    for at in range(len(name)):
        yield name[:at] + name[at + 1 :]
