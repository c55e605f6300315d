"""Reads Cargo.lock, versions 1 to 4. Source: cargo's `src/resolver/encode.rs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sandbox.cargo.files import Unreadable, parse_toml, read_text
from sandbox.errors import WorkspaceError

MAX_BYTES = 32 << 20
"""Largest lock file that is read, in bytes (a workspace of 10,000 packages needs about 3 MiB)."""


class LockedPackage(NamedTuple):
    """One `[[package]]`. `source` is None for a path; `checksum` is hex SHA-256, None for paths and git.

    `dependencies` are cargo's abbreviated references: `name`, `name version` or `name version (source)`.
    """

    name: str
    version: str
    source: str | None = None
    checksum: str | None = None
    dependencies: tuple[str, ...] = ()


def read(path: Path) -> tuple[LockedPackage, ...]:
    """The packages of a lock file; empty when there is no file. Raises WorkspaceError when it is broken."""
    try:
        return parse(read_text(path, MAX_BYTES))
    except FileNotFoundError:
        return ()
    except Unreadable as error:
        raise WorkspaceError(f"the lock file {path} can't be read: {error}", file=str(path)) from None


def parse(text: str) -> tuple[LockedPackage, ...]:
    """The packages in a lock file's text, in order. Raises Unreadable for anything that is none."""
    table = parse_toml(text)
    version = table.get("version", 1)
    if not isinstance(version, int) or not 1 <= version <= 4:
        raise Unreadable(f"its version is {version!r}, known are 1 to 4")
    packages = table.get("package", [])
    # Version 1 kept the root package apart, and checksums in a table of their own.
    root = table.get("root")
    entries = [*packages, root] if isinstance(packages, list) and isinstance(root, dict) else packages
    if not isinstance(entries, list):
        raise Unreadable("`package` is no list")
    metadata = table.get("metadata")
    return tuple(_package(entry, metadata if isinstance(metadata, dict) else {}) for entry in entries)


def _package(entry: Any, metadata: dict[str, Any]) -> LockedPackage:
    if not isinstance(entry, dict):
        raise Unreadable("a `package` is no table")
    name, version, source = entry.get("name"), entry.get("version"), entry.get("source")
    if not isinstance(name, str) or not isinstance(version, str) or not isinstance(source, str | None):
        raise Unreadable("a package has no proper name, version or source")
    checksum = entry.get("checksum")
    if checksum is None and source is not None:
        checksum = metadata.get(f"checksum {name} {version} ({source})")
        checksum = None if checksum == "<none>" else checksum
    dependencies = entry.get("dependencies", [])
    if not isinstance(checksum, str | None) or not isinstance(dependencies, list):
        raise Unreadable(f"the package {name} has no proper checksum or dependencies")
    return LockedPackage(name, version, source, checksum, tuple(str(item) for item in dependencies))
