"""The files of a project that say how it is pinned, read once each and within limits; where things stand in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.cargo.files import Unreadable, parse_toml, read_text, stays_below

MAX_BYTES = 1 << 20
"""Largest file of a CI that is read."""
MAX_CI_FILES = 200

_SECTIONS = ("dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies")


@dataclass(frozen=True, slots=True)
class Entry:
    """A dependency in a manifest: `section` is the way of keys to its table, `item` its value, `name` its key."""

    section: tuple[str, ...]
    name: str
    item: Any

    @property
    def table(self) -> dict[str, Any]:
        """The value as a table: `foo = "1"` is short for `foo = { version = "1" }`."""
        if isinstance(self.item, dict):
            return self.item
        return {"version": self.item} if isinstance(self.item, str) else {}

    @property
    def package(self) -> str:
        """The package's own name, which differs where the dependency is renamed."""
        real = self.table.get("package")
        return real if isinstance(real, str) else self.name

    @property
    def inherits(self) -> bool:
        """Whether it is an entry of `[workspace.dependencies]` that says what it is."""
        return self.table.get("workspace") is True


_Keys = tuple[str, ...]
_Line = tuple[int, str]


@dataclass(frozen=True)
class Manifest:
    """A manifest's tables and lines. Where things stand is found out once, when it is first asked for."""

    path: Path
    data: dict[str, Any]
    lines: tuple[str, ...]

    @property
    def package(self) -> dict[str, Any]:
        """`[package]`; empty for a manifest that has none."""
        found = self.data.get("package")
        return found if isinstance(found, dict) else {}

    def dependencies(self) -> Iterator[Entry]:
        """Every dependency of every section; `[workspace.dependencies]` is not among them."""
        targets = self.data.get("target")
        parts: list[tuple[tuple[str, ...], Any]] = [((), self.data)]
        parts += [(("target", name), part) for name, part in targets.items()] if isinstance(targets, dict) else []
        for way, part in parts:
            for section in _SECTIONS:
                yield from _entries(part, (*way, section))

    def shared(self) -> Iterator[Entry]:
        """The entries of `[workspace.dependencies]`."""
        yield from _entries(self.data.get("workspace"), ("workspace", "dependencies"))

    def line_of(self, entry: Entry, key: str = "version") -> tuple[int, str]:
        """Number and text of the line that says `key` of a dependency; else of the dependency itself; (0, "") for
        neither."""
        values, headers = self._marks
        table = (*entry.section, entry.name)
        wanted = ((entry.section, (entry.name,)), (entry.section, (entry.name, key)), (table, (key,)))
        found = [values[one] for one in wanted if one in values]
        return min(found) if found else headers.get(table, (0, ""))

    @cached_property
    def _marks(self) -> tuple[dict[tuple[_Keys, _Keys], _Line], dict[_Keys, _Line]]:
        """The first line of each (table, first two keys), and the last of each table's header."""
        values: dict[tuple[_Keys, _Keys], _Line] = {}
        headers: dict[_Keys, _Line] = {}
        at: _Keys = ()
        for number, line in enumerate(self.lines, 1):
            words = line.strip()
            if words.startswith("["):
                at = _header(words)
                headers[at] = number, line
                continue
            name, equals, _ = words.partition("=")
            if equals:
                keys = tuple(part.strip().strip("\"'") for part in name.split(".", 2)[:2])
                values.setdefault((at, keys), (number, line))
        return values, headers


class Files:
    """A workspace's manifests, and files of the repository around it. `unread` names those that are there and could
    not be read, `notes` what was left out by intent."""

    def __init__(self, root: Path, manifests: Sequence[Path]) -> None:
        self.root = root
        self.top = _repository(root)
        self.notes: list[str] = []
        self.unread: list[str] = []
        self.looked_at = 0
        self.manifests = tuple(found for path in manifests if (found := self._manifest(path)) is not None)

    def _manifest(self, path: Path) -> Manifest | None:
        text = self.text(path, top=None)
        if text is None:
            return None
        try:
            return Manifest(path, parse_toml(text), tuple(text.split("\n")))
        except Unreadable as error:
            self.unread.append(f"{path}: {error}")
            return None

    def text(self, path: Path, limit: int = 8 << 20, top: Path | None = None) -> str | None:
        """A file's text, None when there is none or when it can't be read. It may not lead out of `top`."""
        try:
            if top is not None and os.path.lexists(path) and not stays_below(path, top):
                self.notes.append(f"{path} is a link that leads out of the tree: not read")
                return None
            text = read_text(path, limit)
        except FileNotFoundError:
            return None
        except Unreadable as error:
            self.unread.append(f"{path}: {error}")
            return None
        self.looked_at += 1
        return text

    def up(self) -> Iterator[Path]:
        """The workspace's folder and those above it, up to the repository's."""
        for folder in (self.root, *self.root.parents):
            yield folder
            if folder == self.top:
                return

    def listed(self, folder: Path, endings: tuple[str, ...]) -> tuple[Path, ...]:
        """The files of a folder with one of these endings, sorted, at most MAX_CI_FILES."""
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(endings))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            self.unread.append(f"{folder}: {error.strerror}")
            return ()
        if len(names) > MAX_CI_FILES:
            self.unread.append(f"{folder}: has more than {MAX_CI_FILES} files")
        return tuple(folder / name for name in names[:MAX_CI_FILES])


def _entries(part: Any, section: tuple[str, ...]) -> Iterator[Entry]:
    table = part.get(section[-1]) if isinstance(part, dict) else None
    for name, item in table.items() if isinstance(table, dict) else ():
        yield Entry(section, name, item)


def _header(words: str) -> tuple[str, ...]:
    """The keys of a line such as `[target.'cfg(unix)'.dependencies]`; empty for what is none."""
    try:
        node: Any = parse_toml(words)
    except Unreadable:
        return ()
    keys = []
    while node:
        if isinstance(node, list):
            node = node[0]
        elif isinstance(node, dict):
            key = next(iter(node))
            keys.append(key)
            node = node[key]
        else:
            return ()
    return tuple(keys)


def _repository(root: Path) -> Path:
    """The folder with `.git` that the workspace lies in; the workspace's own where there is none."""
    return next((folder for folder in (root, *root.parents) if os.path.lexists(folder / ".git")), root)
