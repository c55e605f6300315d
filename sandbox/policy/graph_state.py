"""The accepted graph on disk: `cargo-sandbox.baseline/graph.lock`, one line a package, sorted, for good diffs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox.cargo.files import Unreadable, load_toml, read_bytes, stays_below
from sandbox.cargo.metadata import Facts
from sandbox.policy.apply import pin_of
from sandbox.policy.graph import UNREADABLE, Graph, Node
from sandbox.policy.model import PolicyError

SCHEMA = 1
MAX_BYTES = 16 << 20
_SCRIPT_MAX = 8 << 20
_HEAD = "# The graph as it was last accepted, and which of its packages run code while it is built.\n"


def load(folder: Path, root: Path | None = None) -> Graph | None:
    """The graph in a folder of baselines; None when there is none. It may not lie outside `root`, if one is given.

    Raises PolicyError for a file that can't be used: a broken one must not pass for none.
    """
    path = folder / "graph.lock"
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass
    try:
        if root is not None and not stays_below(path, root):
            raise Unreadable("a link leads out of the tree")
        return _read(load_toml(path, MAX_BYTES))
    except (FileNotFoundError, Unreadable) as error:
        raise PolicyError(
            f"{path} can't be read: {error}", file=str(path), hint="restore it, or remove it and accept the graph anew"
        ) from None


def save(folder: Path, graph: Graph, today: str = "") -> Path:
    """Write the file whole or not at all. Raises PolicyError."""
    import tempfile

    path = folder / "graph.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd, fresh = tempfile.mkstemp(dir=folder, prefix=".graph-")
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            out.write(render(graph, today))
        os.chmod(fresh, 0o644)
        os.replace(fresh, path)
    except OSError as error:
        raise PolicyError(f"{path} can't be written: {error.strerror}", hint="make the folder writable") from None
    return path


def render(graph: Graph, today: str = "") -> str:
    """The file's text; equal graphs give equal text."""
    lines = [f"{_HEAD}schema = {SCHEMA}"]
    lines += [f"accepted = {_quote(today)}"] if today else []
    lines.append("packages = [")
    for node in sorted(graph):
        parts = [f"name = {_quote(node.name)}", f"version = {_quote(node.version)}"]
        for name, value in (("source", node.source), ("checksum", node.pin), ("script_sha256", node.script)):
            parts += [f"{name} = {_quote(value)}"] if value else []
        parts += ["build_script = true"] * node.has_script + ["proc_macro = true"] * node.proc_macro
        lines.append("  { " + ", ".join(parts) + " },")
    return "\n".join([*lines, "]", ""])


def digests(facts: Facts) -> dict[str, str]:
    """SHA-256 of each build script, by its path: of all its own source where nothing else pins what it is
    (`script_source`), of its first file where a checksum or commit does, so that a script that was exchanged on this
    machine differs too. `UNREADABLE` for one that can't be told."""
    return {
        script.source: _pinned(script.source)
        if pin_of(package)
        else _whole(script.source, package.directory, facts.root)
        for package in facts.packages
        for script in package.scripts
    }


def _pinned(path: str) -> str:
    try:
        return hashlib.sha256(read_bytes(path, _SCRIPT_MAX)).hexdigest()
    except (FileNotFoundError, Unreadable):
        return UNREADABLE


def _whole(script: str, package: str, workspace: str) -> str:
    # Its patterns take some milliseconds, and few builds have a script that nothing pins.
    from sandbox.policy.script_source import digest

    return digest(script, package, workspace)


def _read(table: dict[str, Any]) -> Graph:
    if table.get("schema") != SCHEMA:
        raise Unreadable(f"its schema is {table.get('schema')!r}, known is {SCHEMA}")
    entries = table.get("packages")
    if not isinstance(entries, list):
        raise Unreadable("`packages` is no list")
    return tuple(sorted(_nodes(entries)))


def _nodes(entries: Iterable[Any]) -> Iterable[Node]:
    for entry in entries:
        if not isinstance(entry, dict):
            raise Unreadable("a package is no table")
        words = [entry.get(key, "") for key in ("name", "version", "source", "checksum", "script_sha256")]
        flags = [entry.get(key, False) for key in ("build_script", "proc_macro")]
        if not all(isinstance(word, str) for word in words) or not all(isinstance(flag, bool) for flag in flags):
            raise Unreadable("a package has a value of the wrong type")
        if not words[0] or not words[1]:
            raise Unreadable("a package has no name or version")
        name, version, source, checksum, script = words
        yield Node(name, version, source, checksum, flags[0], flags[1], script)


_SPECIAL = {"\\": "\\\\", '"': '\\"'}


def _quote(text: str) -> str:
    """A basic string of TOML 1.0; names and sources are a stranger's."""
    made = (_SPECIAL.get(char) or (char if char.isprintable() else f"\\U{ord(char):08x}") for char in text)
    return '"' + "".join(made) + '"'
