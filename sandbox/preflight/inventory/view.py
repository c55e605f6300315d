"""What of an inventory is looked at: from where, in which direction, and which packages are wanted. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sandbox.errors import SandboxError
from sandbox.preflight.inventory.model import Edge, Inventory, Item

ONLY: Mapping[str, Callable[[Item], bool]] = {
    "build-scripts": lambda item: bool(item.has_script),
    "macros": lambda item: bool(item.proc_macro),
    "native": lambda item: bool(item.links or item.native),
    "findings": lambda item: bool(item.findings or item.warnings),
    "new": lambda item: item.new is True,
}
"""The filters by name."""


class NoSuchPackage(SandboxError):
    """A package that was asked for is not in the inventory."""

    exit_code = 2


class FilterUnknown(SandboxError):
    """What a filter asks for is not known here, so that an empty answer would be taken for "there is none"."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class View:
    """`starts` are indexes; `edges` go downwards, or upwards with `inverted`; `wanted` are the packages that a filter
    asks for (None without one), and `kept` they and all that lie on a way to them."""

    starts: tuple[int, ...]
    edges: tuple[tuple[Edge, ...], ...]
    inverted: bool
    wanted: frozenset[int] | None
    kept: frozenset[int]
    inside: frozenset[int]


class Asked(NamedTuple):
    """What the command line asks for. `only` are names of `ONLY`; a package passes if it fits one of them."""

    package: str = ""
    inverted: bool = False
    only: tuple[str, ...] = ()


def view(inventory: Inventory, asked: Asked) -> View:
    """The view. Raises NoSuchPackage, and FilterUnknown where a filter has nothing to go by."""
    edges = _downwards(inventory)
    if asked.inverted:
        edges = _turned(edges)
    starts = _find(inventory, asked.package) if asked.package else inventory.roots
    inside = _reached(starts, edges)
    if not asked.only:
        return View(starts, edges, asked.inverted, None, inside, inside)
    _see_that_it_is_known(inventory, asked.only)
    wanted = frozenset(at for at in inside if any(ONLY[name](inventory.items[at]) for name in asked.only))
    kept = _reached(tuple(wanted), _turned(edges)) & inside
    return View(starts, edges, asked.inverted, wanted, kept, inside)


def _downwards(inventory: Inventory) -> tuple[tuple[Edge, ...], ...]:
    """Of a resolved graph only its own edges: those of other platforms lead to what is not built here."""
    if not inventory.resolved:
        return tuple(item.depends for item in inventory.items)
    return tuple(tuple(edge for edge in item.depends if edge.kinds != ("other",)) for item in inventory.items)


def _turned(edges: Sequence[Sequence[Edge]]) -> tuple[tuple[Edge, ...], ...]:
    found: list[list[Edge]] = [[] for _ in edges]
    for at, depends in enumerate(edges):
        for edge in depends:
            found[edge.item].append(Edge(at, edge.kinds))
    return tuple(map(tuple, found))


def _reached(starts: Sequence[int], edges: Sequence[Sequence[Edge]]) -> frozenset[int]:
    found, waiting = set(starts), list(starts)
    while waiting:
        for edge in edges[waiting.pop()]:
            if edge.item not in found:
                found.add(edge.item)
                waiting.append(edge.item)
    return frozenset(found)


def _find(inventory: Inventory, spec: str) -> tuple[int, ...]:
    """All packages of a name, or of `NAME@VERSION`."""
    name, _, version = spec.partition("@")
    found = tuple(at for at, item in enumerate(inventory.items) if item.name == name and version in ("", item.version))
    if not found:
        raise NoSuchPackage(f"there is no package {spec!r} here", hint="NAME or NAME@VERSION, as in Cargo.lock")
    return found


def _see_that_it_is_known(inventory: Inventory, only: Sequence[str]) -> None:
    if not inventory.resolved and set(only) & {"build-scripts", "macros", "native", "new"}:
        raise FilterUnknown(
            "a lock file alone tells neither build scripts, macros, native code nor what is new",
            hint="leave out --lock, so that the graph is resolved",
        )
    if "new" in only and all(item.new is None for item in inventory.items):
        raise FilterUnknown(
            "no graph was accepted, so nothing can be said to be new", hint="accept one: cargo-sandbox baseline init"
        )
    if "findings" in only and inventory.ran is None and not any(item.warnings for item in inventory.items):
        raise FilterUnknown("no run is on record, so its findings are not known", hint="cargo-sandbox build")
