"""Joins what the checks before a run found to the packages that they speak of. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from sandbox.preflight.inventory.model import Code, Inventory
from sandbox.preflight.model import Answer


def warnings_of(inventory: Inventory, answers: Iterable[Answer]) -> Inventory:
    """The inventory with the answers' findings as `warnings`, and a note for each check that was not done.

    A finding without a version is about all versions of its package. One whose package is not here is a note: nothing
    that was found may vanish.
    """
    exact: dict[tuple[str, str], set[Code]] = defaultdict(set)
    loose: dict[str, set[Code]] = defaultdict(set)
    notes: list[str] = []
    keys = {item.key for item in inventory.items}
    names = {item.name for item in inventory.items}
    for answer in answers:
        if answer.state != "done":
            notes.append(f"{answer.check}: not done: {answer.why}")
        for one in answer.findings:
            code = Code(one.code, one.severity, one.detail)
            if (one.package, one.version) in keys:
                exact[one.package, one.version].add(code)
            elif one.package in names and not one.version:
                loose[one.package].add(code)
            else:
                whose = f"{one.package} {one.version}".strip() or one.subject or "the workspace"
                notes.append(f"{one.code} ({one.severity}): {whose} {one.title}: {one.detail}")
    items = tuple(
        replace(item, warnings=tuple(sorted({*item.warnings, *exact[item.key], *loose[item.name]})))
        for item in inventory.items
    )
    return replace(inventory, items=items, notes=(*inventory.notes, *dict.fromkeys(notes)))
