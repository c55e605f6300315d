"""Which licences there are, and which packages have each of them. Pure."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from typing import Any, NamedTuple

from sandbox.preflight.inventory.licences import Fixup, sort_key
from sandbox.preflight.inventory.model import Inventory, Licensed
from sandbox.preflight.inventory.properties import plain
from sandbox.preflight.inventory.view import View

_HEADS: dict[Licensed, str] = {
    "expression": "SPDX expressions",
    "other": "stated, but no SPDX expression",
    "file": "a licence file is named, and no expression: read it",
    "none": "no licence is stated",
    "unread": "not known",
}
_WIDTH = 100
_IN = " " * 7


class Group(NamedTuple):
    """Packages of one licence. `text` is the expression with its parts in order, so that "MIT OR Apache-2.0" and
    "Apache-2.0 OR MIT" are one; or what stands there; empty for `none`, why not for `unread`."""

    state: Licensed
    text: str
    packages: tuple[tuple[str, str], ...]


def groups(inventory: Inventory, view: View, fixup: Fixup) -> tuple[Group, ...]:
    """By state, then the largest first. Only packages of the view, or those that a filter wants."""
    chosen = sorted(view.inside if view.wanted is None else view.wanted)
    found: dict[tuple[Licensed, str], list[tuple[str, str]]] = defaultdict(list)
    for at in chosen:
        item = inventory.items[at]
        state, words = item.licence
        key = sort_key(words, fixup) if state == "expression" else "" if state == "file" else words
        found[state, key].append(item.key if state != "file" else (item.name, f"{item.version} ({words})"))
    order = list(_HEADS)
    made = [Group(state, words, tuple(ones)) for (state, words), ones in found.items()]
    return tuple(sorted(made, key=lambda one: (order.index(one.state), -len(one.packages), one.text)))


def text(found: tuple[Group, ...], notes: tuple[str, ...]) -> str:
    """For people: each state, each licence with its count, and the packages."""
    lines: list[str] = []
    before = None
    for group in found:
        if group.state != before:
            lines += ([""] if lines else []) + [_HEADS[group.state] + ":"]
            before = group.state
        lines.append(f"{len(group.packages):>5}  {plain(group.text, 300)}".rstrip())
        names = ", ".join(f"{plain(name, 200)} {plain(version, 200)}".rstrip() for name, version in group.packages)
        lines += textwrap.wrap(names, _WIDTH, initial_indent=_IN, subsequent_indent=_IN, break_on_hyphens=False)
    counted = sum(len(group.packages) for group in found)
    clear = sum(len(group.packages) for group in found if group.state == "expression")
    lines += ["", f"{clear} of {counted} packages have an SPDX expression"]
    return "\n".join([*lines, *(f"note: {plain(note)}" for note in notes)])


def to_json(found: tuple[Group, ...]) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {
            "state": group.state, "text": group.text, "count": len(group.packages),
            "packages": [{"name": name, "version": version} for name, version in group.packages],
        }
        for group in found
    ]  # fmt: skip
