"""What the search for a workspace needs to know of one `Cargo.toml`. Source: cargo's `src/workspace/parser/`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.cargo.files import Unreadable, parse_toml, read_text
from sandbox.errors import WorkspaceError
from sandbox.record import record

MAX_MANIFESTS = 10_000
"""Most manifests that one discovery reads."""

MAX_TOTAL_BYTES = 64 << 20
"""Most bytes that one discovery parses, over all manifests."""

_SECTIONS = ("dependencies", "build-dependencies", "build_dependencies", "dev-dependencies", "dev_dependencies")


@record
class PathDependency:
    """A dependency on a directory. `inherits` names an entry of `[workspace.dependencies]` instead of a path.

    `base` names a `[path-bases]` entry that the path starts from.
    """

    path: str = ""
    base: str = ""
    inherits: str = ""
    dev: bool = False


@record
class WorkspaceTable:
    """The `[workspace]` table. `members` is None when the key is missing, which differs from an empty list."""

    members: tuple[str, ...] | None
    default_members: tuple[str, ...] | None
    exclude: tuple[str, ...]
    dependencies: dict[str, PathDependency]


@record
class Manifest:
    """One manifest. `pointer` is `package.workspace`; `replaced` are the paths of `[patch]` and `[replace]`."""

    path: Path
    is_package: bool
    pointer: str | None
    workspace: WorkspaceTable | None
    dependencies: tuple[PathDependency, ...]
    replaced: tuple[PathDependency, ...]

    @property
    def directory(self) -> Path:
        return self.path.parent

    def excludes(self, manifest: Path) -> bool:
        """Whether this workspace root excludes a manifest (or directory): by name, unless `members` names it."""
        table = self.workspace
        if table is None:
            return False
        parts = _parts(manifest)
        listed = any(_starts_with(parts, self.directory / item) for item in table.members or ())
        return not listed and any(_starts_with(parts, self.directory / item) for item in table.exclude)


class Manifests:
    """Reads manifests once each, within the limits."""

    def __init__(self) -> None:
        self._known: dict[Path, Manifest | None] = {}
        self._bytes = 0

    @property
    def read(self) -> tuple[Path, ...]:
        """All that were read, in order."""
        return tuple(path for path, manifest in self._known.items() if manifest is not None)

    def load(self, path: Path) -> Manifest | None:
        """The manifest at a normal absolute path; None when there is no file.

        Raises WorkspaceError for one that can't be read or is no TOML, and beyond the limits.
        """
        if path in self._known:
            return self._known[path]
        if len(self._known) >= MAX_MANIFESTS:
            raise WorkspaceError(f"the project leads to more than {MAX_MANIFESTS} manifests", file=str(path))
        try:
            text = read_text(path)
            self._bytes += len(text)
            if self._bytes > MAX_TOTAL_BYTES:
                raise Unreadable(f"all manifests together are larger than {MAX_TOTAL_BYTES} bytes")
            manifest = _manifest(path, parse_toml(text))
        except FileNotFoundError:
            manifest = None
        except Unreadable as error:
            raise WorkspaceError(f"the manifest {path} can't be read: {error}", file=str(path)) from None
        self._known[path] = manifest
        return manifest


def normal(path: Path | str) -> Path:
    """The path without `.` and `..`, by name alone (as cargo does), and with one leading slash."""
    text = os.path.normpath(path)
    return Path(text[1:] if text.startswith("//") else text)


def _manifest(path: Path, table: dict[str, Any]) -> Manifest:
    package = _table(table, "package") or _table(table, "project")
    pointer = package.get("workspace") if package else None
    workspace = table.get("workspace")
    return Manifest(
        path=path,
        is_package="package" in table or "project" in table,
        pointer=pointer if isinstance(pointer, str) else None,
        workspace=_workspace(workspace) if isinstance(workspace, dict) else None,
        dependencies=tuple(_dependencies(table)),
        replaced=tuple(_replaced(table)),
    )


def _workspace(table: dict[str, Any]) -> WorkspaceTable:
    shared = _table(table, "dependencies")
    found = {name: _dependency(name, item, dev=False) for name, item in shared.items()}
    return WorkspaceTable(
        members=_strings(table.get("members")),
        default_members=_strings(table.get("default-members")),
        exclude=_strings(table.get("exclude")) or (),
        dependencies={name: item for name, item in found.items() if item is not None and not item.inherits},
    )


def _dependencies(table: dict[str, Any]) -> Iterator[PathDependency]:
    for part in (table, *(item for item in _table(table, "target").values() if isinstance(item, dict))):
        for section in _SECTIONS:
            for name, item in _table(part, section).items():
                found = _dependency(name, item, dev=section.startswith("dev"))
                if found is not None:
                    yield found


def _replaced(table: dict[str, Any]) -> Iterator[PathDependency]:
    sources = [_table(table, "replace"), *(item for item in _table(table, "patch").values() if isinstance(item, dict))]
    for source in sources:
        for name, item in source.items():
            found = _dependency(name, item, dev=False)
            if found is not None and not found.inherits:
                yield found


def _dependency(name: str, item: object, *, dev: bool) -> PathDependency | None:
    if not isinstance(item, dict):
        return None
    if item.get("workspace") is True:
        return PathDependency(inherits=name, dev=dev)
    path, base = item.get("path"), item.get("base")
    if not isinstance(path, str):
        return None
    return PathDependency(path, base if isinstance(base, str) else "", dev=dev)


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _strings(value: object) -> tuple[str, ...] | None:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else None


def _parts(path: Path | str) -> tuple[str, ...]:
    return tuple(part for part in os.fspath(path).split("/") if part not in ("", "."))


def _starts_with(parts: tuple[str, ...], top: Path) -> bool:
    wanted = _parts(top)
    return parts[: len(wanted)] == wanted
