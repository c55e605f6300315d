"""Expands the patterns of `workspace.members` as cargo does with the `glob` crate: component by component, sorted.

`*`, `?` and `[…]` match within one component (a leading dot too), `**` any depth of directories.
"""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.errors import WorkspaceError

_META = "*?["


class Budget:
    """How many directory entries one discovery may look at; beyond that the tree is taken for hostile."""

    def __init__(self, entries: int = 200_000) -> None:
        self._left = entries

    def spend(self, folder: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise WorkspaceError(
                "the patterns of workspace.members match too many files",
                file=folder,
                hint="name the members, or use patterns that stop at one level",
            )


def expand(top: Path, pattern: str, budget: Budget) -> list[Path]:
    """The directories that `pattern`, relative to `top`, stands for.

    A pattern that matches nothing stands for itself, as in cargo; the directory may be missing, which cargo will say.
    Raises WorkspaceError when the search gets out of hand.
    """
    literal = Path(os.path.normpath(top / pattern))
    if not any(mark in pattern for mark in _META):
        return [literal]
    found = ["/" if pattern.startswith("/") else str(top)]
    for part in pattern.split("/"):
        if part in ("", "."):
            continue
        if part == "**":
            found = [below for place in found for below in _descend(place, budget)]
        elif any(mark in part for mark in _META):
            found = [os.path.join(place, name) for place in found for name in _matching(place, part, budget)]
        else:
            found = [path for place in found if os.path.lexists(path := os.path.join(place, part))]
    if not found:
        return [literal]
    return [Path(os.path.normpath(path)) for path in dict.fromkeys(found) if os.path.isdir(path)]


def _matching(folder: str, part: str, budget: Budget) -> list[str]:
    from fnmatch import fnmatchcase

    names = []
    for name in _entries(folder):
        budget.spend(folder)
        if fnmatchcase(name, part):
            names.append(name)
    return names


def _descend(folder: str, budget: Budget) -> list[str]:
    """`folder` and all directories below it, through symbolic links but never around in a circle."""
    found: list[str] = []
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(folder, frozenset())]
    while pending:
        place, above = pending.pop()
        try:
            status = os.stat(place)
        except OSError:
            continue
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            continue
        found.append(place)
        inside = []
        for name in _entries(place):
            budget.spend(place)
            path = os.path.join(place, name)
            if os.path.isdir(path):
                inside.append((path, above | {identity}))
        pending.extend(reversed(inside))
    return found


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
