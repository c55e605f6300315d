"""Where each package stands against what was accepted: the baselines of its behaviour, and the accepted graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sandbox.baseline.ladder import look_up
from sandbox.baseline.store import Stores
from sandbox.behaviour.normalise import escape
from sandbox.policy.graph import Graph
from sandbox.preflight.inventory.model import Inventory, Item, Standing

DRIFT = frozenset({"CS0301", "CS0302", "CS0303"})
"""Findings of the last run that say: it does what its baseline does not have (`sandbox.baseline.judge`)."""


def with_baselines(inventory: Inventory, stores: Stores | None, checksums: Mapping[tuple[str, str], str]) -> Inventory:
    """Each package's baseline: `known`, this version is accepted and nothing new was seen; `other version`, only others
    are; `changed`, this version is with another checksum, or the last run saw what its baseline does not have; `none`;
    empty for a package of which no unit has a baseline: those of build scripts and of compiles that load macros have
    (`sandbox.baseline.convert.has_baseline`). `checksums` are as `checksums_of` makes them. Without stores (they
    can't be read) it is `unread`."""
    macros = {at for at, item in enumerate(inventory.items) if item.proc_macro}
    return replace(
        inventory,
        items=tuple(
            _standing(
                item, stores, checksums, bool(item.has_script) or any(edge.item in macros for edge in item.depends)
            )
            for item in inventory.items
        ),
    )


def with_accepted(inventory: Inventory, accepted: Graph | None) -> Inventory:
    """Which packages the accepted graph lacks, by name, version and source; without one nobody can say."""
    if accepted is None:
        note = "no accepted graph: which packages are new is not known (cargo-sandbox baseline accept)"
        return replace(inventory, notes=(*inventory.notes, note))
    known = {(node.name, node.version, node.source) for node in accepted}
    items = tuple(
        replace(item, new=None if item.use == "other" else (item.name, item.version, _bare(item.source)) not in known)
        for item in inventory.items
    )
    return replace(inventory, items=items)


def _standing(item: Item, stores: Stores | None, checksums: Mapping[tuple[str, str], str], judged: bool) -> Item:
    if stores is None:
        return replace(item, baseline="unread" if judged else "")
    name, version = str(escape(item.name)), str(escape(item.version))
    step = look_up(name, version, checksums.get((name, version), ""), stores)
    drifted = any(found.code in DRIFT for found in item.findings)
    standing: Standing = "none" if judged else ""
    if drifted or step.rung == "same version, other checksum":
        standing = "changed"
    elif step.entry is not None:
        standing = "known" if step.rung == "same version" else "other version"
    return replace(item, baseline=standing, store=step.store or "")


def _bare(source: str) -> str:
    """As the accepted graph keeps it: without the revision behind `?` and `#`."""
    return source.partition("#")[0].partition("?")[0]
