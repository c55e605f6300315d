"""The tables of both engines, and which walls to take away in which containers to prove them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from tests.walls.docker import on_docker
from tests.walls.rows import BUBBLEWRAP, Row, Walls

ENGINES = ("bubblewrap", "docker")
"""Engines that the probe and the posture test run in."""

IS_ROOT = os.geteuid() == 0
_ROOTS_TO_TAKE = frozenset(("user", "userns"))


def rows(engine: str, by_root: bool = IS_ROOT) -> tuple[Row, ...]:
    """The table of an engine, for tests that root runs, or an ordinary user."""
    return BUBBLEWRAP if engine == "bubblewrap" else tuple(on_docker(row, by_root) for row in BUBBLEWRAP)


def removals(table: Iterable[Row], by_root: bool = IS_ROOT) -> tuple[Walls, ...]:
    """Sets of walls to take away, a container each. They prove of each row

    - that it gets through without any of its sets of walls: these sets themselves;
    - that it does not while one wall of such a set stands: for each such wall a container where the rest of the set is
      away. Few do for all, since nearly every other wall may be away there too.
    """
    sets = [(row, walls) for row in table for walls in row.opened_by if by_root or not walls & _ROOTS_TO_TAKE]
    found = {walls for _, walls in sets}
    every = frozenset(wall for walls in found for wall in walls)
    unproven = [(row, walls - {wall}) for row, walls in sets for wall in walls if len(walls) > 1]
    nearly_all = [every - {one, other} for one in sorted(every) for other in sorted(every)]
    choice = [away for away in (*nearly_all, *(walls for _, walls in unproven)) if _adds_up(away)]

    def proves(away: Walls, row: Row, walls: Walls) -> bool:
        return walls <= away and not row.open_without(away)

    def missing() -> list[tuple[Row, Walls]]:
        return [pair for pair in unproven if not any(proves(away, *pair) for away in found)]

    while left := missing():
        found.add(max(choice, key=lambda away: sum(proves(away, *pair) for pair in left)))
    return tuple(sorted(found, key=lambda walls: (len(walls), sorted(walls))))


def _adds_up(away: Walls) -> bool:
    """Whether no wall of these is back because another one is away: the guard's word outweighs the outer filter, but
    without the inner filter nobody asks for it."""
    return not (away >= {"deny", "inner"} and "outer" not in away)


def named(walls: Walls, table: Iterable[Row]) -> str:
    """`a+b`, or `all but c+d` where that is shorter."""
    every = frozenset(wall for row in table for walls in row.opened_by for wall in walls)
    kept = every - walls
    return "+".join(sorted(walls)) if len(walls) <= len(kept) else f"all but {'+'.join(sorted(kept))}"
