"""Index files of registries, and what cargo keeps of them. Sources: the Cargo Book, "Registry Index"; cargo's
`src/sources/registry/index/cache.rs`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sandbox.cargo.files import Unreadable

MAX_BYTES = 16 << 20
"""Largest file of an index that is read, in bytes (the largest of crates.io has about 2 MiB)."""

MAX_VERSIONS = 50_000
_CACHE_VERSIONS = (1, 2, 3)
_SCHEMA_BYTES = 4


def place(name: str) -> str:
    """The path of a package's file below an index."""
    name = name.lower()
    if len(name) <= 2:
        return f"{len(name)}/{name}"
    return f"3/{name[0]}/{name}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}/{name}"


def parse(data: bytes, name: str) -> dict[str, str]:
    """Checksums by version, of a file with one JSON object a line. Raises Unreadable for what is no such file."""
    return _versions((line for line in data.split(b"\n", MAX_VERSIONS + 1) if line.strip()), name)


def parse_cached(data: bytes, name: str) -> dict[str, str]:
    """As `parse`, of a file in cargo's `.cache`: a version byte, from version 2 on four bytes of the schema's version,
    then the index's version and pairs of version and JSON, each with a zero byte after it."""
    if not data or data[0] not in _CACHE_VERSIONS:
        raise Unreadable("a cache of another cargo than is known")
    start = 1 if data[0] == 1 else 1 + _SCHEMA_BYTES
    _, *pairs = data[start:].split(b"\0", 2 * MAX_VERSIONS + 2)
    return _versions(pairs[1::2], name)


def _versions(lines: Iterable[bytes], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        entry = _entry(line)
        if str(entry.get("name", "")).lower() != name.lower():
            raise Unreadable(f"an entry is not about {name}")
        version, checksum = entry.get("vers"), entry.get("cksum")
        if not isinstance(version, str) or not isinstance(checksum, str):
            raise Unreadable("an entry has no proper version or checksum")
        found[version] = checksum.lower()
        if len(found) > MAX_VERSIONS:
            raise Unreadable(f"more than {MAX_VERSIONS} versions")
    return found


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise Unreadable("a line is no JSON") from None
    if not isinstance(entry, dict):
        raise Unreadable("a line is no JSON object")
    return entry
