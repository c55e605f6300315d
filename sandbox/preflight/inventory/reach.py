"""Which packages are part of what is built, and which run only while it is. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from sandbox.preflight.inventory.model import USES, Edge, Use

_RANK = {use: rank for rank, use in enumerate(USES)}


def uses(edges: Sequence[Sequence[Edge]], macros: Iterable[int], members: Iterable[int]) -> list[Use]:
    """The use of each package. What a build dependency or a proc macro brings along is for the build as well, and what
    a dev dependency brings along is for development, whatever its own edges are."""
    proc_macros = set(macros)
    found: list[Use] = ["other"] * len(edges)
    waiting: deque[int] = deque()

    def reach(package: int, use: Use) -> None:
        if use == "runtime" and package in proc_macros:
            use = "build"
        if _RANK[use] < _RANK[found[package]]:
            found[package] = use
            waiting.append(package)

    for member in members:
        reach(member, "runtime")
    while waiting:
        at = waiting.popleft()
        here = found[at]
        for edge in edges[at]:
            for kind in edge.kinds:
                if kind == "normal":
                    reach(edge.item, here)
                elif kind == "build":
                    reach(edge.item, "dev" if here == "dev" else "build")
                elif kind == "dev":
                    reach(edge.item, "dev")
    return found
