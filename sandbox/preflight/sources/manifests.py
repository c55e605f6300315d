"""What the workspace's own manifests ask for, dependency by dependency."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.cargo.files import load_toml

_SECTIONS = ("dependencies", "build-dependencies", "build_dependencies", "dev-dependencies", "dev_dependencies")


class Dependency(NamedTuple):
    """One entry. `name` is the package's, also where the entry renames it; `requirement` is empty when there is none.

    `local`: it has a `path`, or a `git` address: its version is that of what lies there.
    """

    manifest: Path
    section: str
    key: str
    name: str
    requirement: str
    registry: str
    local: bool


def dependencies(path: Path) -> Iterator[Dependency]:
    """All entries of a manifest but those that inherit from the workspace. Raises FileNotFoundError and Unreadable."""
    table = load_toml(path)
    workspace = _table(table.get("workspace"))
    yield from _section(path, "workspace.dependencies", workspace.get("dependencies"))
    for section in _SECTIONS:
        yield from _section(path, section, table.get(section))
    for target, part in _table(table.get("target")).items():
        for section in _SECTIONS:
            yield from _section(path, f"target.'{target}'.{section}", _table(part).get(section))


def _section(path: Path, section: str, entries: Any) -> Iterator[Dependency]:
    for key, entry in _table(entries).items():
        table = entry if isinstance(entry, dict) else {"version": entry}
        if table.get("workspace") is True:
            continue
        yield Dependency(
            path, section, key, _text(table.get("package")) or key, _text(table.get("version")),
            _text(table.get("registry")) or _text(table.get("registry-index")), "path" in table or "git" in table,
        )  # fmt: skip


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
