"""Names by which a document speaks of packages: unique, and the same each time."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence

from sandbox.preflight.inventory.model import Inventory, Item

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:cargo-sandbox:sbom")
"""Ours, for serial numbers (RFC 9562, §5.5)."""

_UNFIT = re.compile(r"[^A-Za-z0-9.-]+")


def unique(items: Sequence[Item], wanted: Sequence[str]) -> list[str]:
    """The wanted names; of equal ones the later get a digest of their source and place behind them."""
    used: set[str] = set()
    found = []
    for at, (item, name) in enumerate(zip(items, wanted, strict=True)):
        if not name or name in used:
            more = hashlib.sha256(repr((item.name, item.version, item.source, at)).encode()).hexdigest()[:16]
            name = f"{name or 'package'}#{more}"
        used.add(name)
        found.append(name)
    return found


def spdx_id(text: str) -> str:
    """Letters, digits, `.` and `-` alone, as SPDX 2.3 (§7.2) wants them; what had to go is told apart by a digest."""
    fit = _UNFIT.sub("-", text)[:150]
    if fit == text:
        return f"SPDXRef-Package-{fit}"
    return f"SPDXRef-Package-{fit}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def serial(inventory: Inventory) -> uuid.UUID:
    """A number that is the same for the same inventory, and another one for any other."""
    return uuid.uuid5(NAMESPACE, hashlib.sha256(repr(inventory).encode("utf-8", "surrogatepass")).hexdigest())
