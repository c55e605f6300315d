"""What is read of each package's own Cargo.toml: licence and repository, inherited ones included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from sandbox.cargo.files import Unreadable, load_toml, stays_below
from sandbox.cargo.metadata import Package
from sandbox.preflight.inventory.licences import Fixup, read
from sandbox.preflight.inventory.model import Licence

MAX_BYTES = 2 << 20
"""Largest manifest that is read, in bytes."""

MAX_TOTAL_BYTES = 256 << 20
"""Most bytes of manifests that one inventory reads."""

_MAX_UP = 16


class Stated(NamedTuple):
    """What a manifest says. `repository` is empty unless it is a URL of http or https."""

    licence: Licence
    repository: str = ""


class Reader:
    """Reads manifests once each. `root` is the workspace's root, whose `[workspace.package]` its members inherit."""

    def __init__(self, root: str, fixup: Fixup) -> None:
        self._root, self._fixup = root, fixup
        self._tables: dict[str, dict[str, Any] | str] = {}
        self._bytes = 0

    def of(self, package: Package, member: bool) -> Stated:
        """Never raises: what can't be read is said in the licence."""
        # A fetched package must not lead us, by a link, to a file of somebody else's.
        if package.source is not None and not stays_below(package.manifest_path, package.directory):
            return Stated(Licence("unread", "its manifest is a link out of the package"))
        table = self._load(package.manifest_path)
        if isinstance(table, str):
            return Stated(Licence("unread", table))
        stated = _table(table, "package") or _table(table, "project")
        inherited = self._inherited(package, member) if _inherits(stated) else {}
        return Stated(self._licence(stated, inherited), _repository(stated, inherited))

    def _licence(self, stated: dict[str, Any], inherited: dict[str, Any] | str) -> Licence:
        for key in ("license", "license-file"):
            value = stated.get(key)
            if _is_inherited(value):
                if isinstance(inherited, str):
                    return Licence("unread", inherited)
                value = inherited.get(key)
            if value is not None and not isinstance(value, str):
                return Licence("unread", f"its `{key}` is no text")
            if value and value.strip():
                return read(value, self._fixup) if key == "license" else Licence("file", value)
        return Licence("none")

    def _inherited(self, package: Package, member: bool) -> dict[str, Any] | str:
        if member:
            table = self._load(f"{self._root}/Cargo.toml")
            return table if isinstance(table, str) else _table(_table(table, "workspace"), "package")
        for folder in _above(package.directory):
            table = self._load(f"{folder}/Cargo.toml")
            if isinstance(table, dict) and isinstance(table.get("workspace"), dict):
                return _table(table["workspace"], "package")
        return "it inherits from a workspace that was not found"

    def _load(self, path: str) -> dict[str, Any] | str:
        if path not in self._tables:
            self._tables[path] = self._read(path)
        return self._tables[path]

    def _read(self, path: str) -> dict[str, Any] | str:
        if self._bytes > MAX_TOTAL_BYTES:
            return f"all manifests together are larger than {MAX_TOTAL_BYTES} bytes"
        try:
            self._bytes += min(Path(path).stat().st_size, MAX_BYTES)
            return load_toml(path, MAX_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return "its manifest is not there"
        except (Unreadable, OSError) as error:
            return f"its manifest can't be read: {error}"


def _above(directory: str) -> Iterable[str]:
    """The folder and those above it, but not those above a git checkout of cargo's (`git/checkouts/NAME/COMMIT`)."""
    parts = PurePosixPath(directory).parts
    least = 1
    for at in range(len(parts) - 1):
        if parts[at : at + 2] == ("git", "checkouts"):
            least = at + 4
    for size in range(len(parts), max(least, len(parts) - _MAX_UP, 1) - 1, -1):
        yield str(PurePosixPath(*parts[:size]))


def _inherits(stated: dict[str, Any]) -> bool:
    return any(_is_inherited(stated.get(key)) for key in ("license", "license-file", "repository"))


def _is_inherited(value: object) -> bool:
    return isinstance(value, dict) and value.get("workspace") is True


def _repository(stated: dict[str, Any], inherited: dict[str, Any] | str) -> str:
    value = stated.get("repository")
    if _is_inherited(value) and isinstance(inherited, dict):
        value = inherited.get("repository")
    return _url(value) if isinstance(value, str) else ""


def _url(text: str) -> str:
    good = text.startswith(("https://", "http://")) and len(text) < 1000
    plain = text.isascii() and text.isprintable() and not set(text) & set(' <>"{}|\\^`@[]')
    return text if good and plain else ""


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}
