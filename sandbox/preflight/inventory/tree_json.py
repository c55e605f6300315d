"""The tree for programs: `schema/tree-v1.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sandbox.preflight.inventory.model import Code, Inventory, Item
from sandbox.preflight.inventory.properties import checksum_state
from sandbox.preflight.inventory.refs import unique
from sandbox.preflight.inventory.view import View

SCHEMA = "cargo-sandbox/tree-v1"


def to_json(inventory: Inventory, view: View, more: dict[str, Any] | None = None) -> str:
    """The packages of a view (with a filter: those that it wants and those on the way to them), each once, with the
    ids of those that it needs. `more` is put beside them. ASCII, so no text of a stranger moves a cursor."""
    ids = unique(inventory.items, [f"{item.name}@{item.version}" for item in inventory.items])
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "name": inventory.name,
        "version": inventory.version,
        "resolved": inventory.resolved,
        "run": None if inventory.ran is None else {
            "id": inventory.ran.id, "started": inventory.ran.started, "verdict": inventory.ran.verdict,
            "seen": inventory.ran.seen,
        },
        "inverted": view.inverted,
        "starts": [ids[at] for at in view.starts if at in view.kept],
        "packages": [_package(inventory.items[at], at, ids, view) for at in sorted(view.kept)],
        "elsewhere": [ids[at] for at, item in enumerate(inventory.items) if item.use == "other"],
        "notes": list(inventory.notes),
    }  # fmt: skip
    return json.dumps(data | (more or {}), indent=1)


def _package(item: Item, at: int, ids: list[str], view: View) -> dict[str, Any]:
    return {
        "id": ids[at], "name": item.name, "version": item.version,
        "source": {"kind": item.origin.kind, "url": item.origin.url, "revision": item.origin.revision},
        "checksum": {"state": checksum_state(item), "sha256": item.checksum or None},
        "member": item.member, "use": item.use, "wanted": view.wanted is None or at in view.wanted,
        "build_script": None if item.has_script is None else item.script or "none",
        "proc_macro": None if item.proc_macro is None else item.macro or "none",
        "links": item.links or None, "native": list(item.native),
        "licence": {"state": item.licence.state, "text": item.licence.text},
        "baseline": item.baseline or None, "baseline_store": item.store or None, "new": item.new,
        "verdict": item.verdict or None,
        "findings": _codes(item.findings), "warnings": _codes(item.warnings),
        "needs": [
            {"id": ids[edge.item], "kinds": list(edge.kinds)} for edge in item.depends if edge.item in view.kept
        ],
    }  # fmt: skip


def _codes(codes: Iterable[Code]) -> list[dict[str, str]]:
    return [{"code": one.code, "severity": one.severity, "detail": one.detail} for one in codes]
