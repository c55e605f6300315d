"""Cargo's hierarchical configuration, read as cargo reads it (`src/context/mod.rs`), each value knowing who set it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from sandbox.cargo.files import Unreadable, load_toml, parse_toml, stays_below
from sandbox.cargo.subset import SafeSubset, safe_subset, to_toml
from sandbox.cargo.values import Node, Origin, Value, merge, wrap
from sandbox.errors import UsageError, WorkspaceError
from sandbox.record import record

_CREDENTIALS = ("credentials", "credentials.toml")
_MAX_INCLUDES = 100


@record
class CargoConfig:
    """The merged configuration.

    layers   (kind, table) for each file or argument with its includes: nearest file first, then home, then command line
    files    every configuration file that was read
    ignored  files that cargo would read and we neither read nor show, with the reason (`path: reason`)
    """

    cwd: Path
    cargo_home: Path
    root: dict[str, Node]
    layers: tuple[tuple[str, Node], ...] = ()
    files: tuple[Path, ...] = ()
    ignored: tuple[str, ...] = ()

    def get(self, *key: str) -> Node | None:
        """The node at a path of keys, without a look at the environment; None when unset."""
        node: Node | None = self.root
        for name in key:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    def string(self, env: Mapping[str, str], *key: str) -> Value | None:
        """A string setting as cargo sees it: `--config`, else `CARGO_<KEY>`, else files. None when it is no string."""
        found = self.get(*key)
        found = found if isinstance(found, Value) and isinstance(found.value, str) else None
        if found is not None and found.origin.kind == "cli":
            return found
        variable = "CARGO_" + "_".join(key).upper().replace("-", "_").replace(".", "_")
        return self._env(env, variable) or found

    def target_dir(self, env: Mapping[str, str]) -> Value | None:
        """The target directory asked for by the environment or configuration; None: `target` in the workspace root.

        `--target-dir` goes before it. The path is `.path()`. Raises UsageError for an empty one, as cargo does.
        """
        if "CARGO_TARGET_DIR" in env:
            found: Value | None = Value(env["CARGO_TARGET_DIR"], self._env_origin("CARGO_TARGET_DIR"))
        else:
            found = self.string(env, "build", "target-dir")
        if found is not None and not found.value:
            raise UsageError(f"the target directory is set to an empty string in {found.origin}")
        return found

    def build_dir(self, env: Mapping[str, str]) -> Value | None:
        """`build.build-dir` (cargo 1.91 and later); templates such as `{workspace-root}` are left in it."""
        return self.string(env, "build", "build-dir")

    def lockfile_path(self, env: Mapping[str, str]) -> Value | None:
        """`resolver.lockfile-path`, which cargo honours from 1.97 on."""
        return self.string(env, "resolver", "lockfile-path")

    def build_targets(self, env: Mapping[str, str]) -> tuple[str, ...]:
        """The default of `--target`: triples, and absolute paths of target specifications (`*.json`)."""
        node = self.get("build", "target")
        single = self.string(env, "build", "target")
        if single is not None:
            return (_target(single),)
        return tuple(_target(item) for item in node if isinstance(item, Value)) if isinstance(node, list) else ()

    def rustc_wrapper(self, env: Mapping[str, str]) -> Value | None:
        """The wrapper that cargo would call: an absolute path or a bare name of PATH as `.value`; None without one."""
        return self._program(env, "RUSTC_WRAPPER", "rustc-wrapper")

    def rustc_workspace_wrapper(self, env: Mapping[str, str]) -> Value | None:
        """As `rustc_wrapper`, for members of the workspace only."""
        return self._program(env, "RUSTC_WORKSPACE_WRAPPER", "rustc-workspace-wrapper")

    def registries(self) -> dict[str, str]:
        """Index URLs by name of registry."""
        tables = self.get("registries")
        found: dict[str, str] = {}
        for name, table in tables.items() if isinstance(tables, dict) else ():
            index = table.get("index") if isinstance(table, dict) else None
            if isinstance(index, Value) and isinstance(index.value, str):
                found[name] = index.value
        return found

    def source_directories(self) -> tuple[Value, ...]:
        """Directory sources and local registries (vendored code): each must be visible, at `.path()`."""
        tables = self.get("source")
        return tuple(
            item
            for table in (tables.values() if isinstance(tables, dict) else ())
            for name in ("directory", "local-registry")
            if isinstance(table, dict) and _is_string(item := table.get(name))
        )

    def path_overrides(self) -> tuple[Value, ...]:
        """`paths`: directories whose packages replace dependencies of the same name."""
        node = self.get("paths")
        return tuple(item for item in node if _is_string(item)) if isinstance(node, list) else ()

    def patch_paths(self) -> tuple[Value, ...]:
        """The `path` of every `[patch]` entry in the configuration."""
        patches = self.get("patch")
        return tuple(
            item
            for source in (patches.values() if isinstance(patches, dict) else ())
            for entry in (source.values() if isinstance(source, dict) else ())
            if isinstance(entry, dict) and _is_string(item := entry.get("path"))
        )

    def path_base(self, name: str) -> Path | None:
        """The directory of a `[path-bases]` entry (unstable in cargo), None when it is not defined."""
        node = self.get("path-bases", name)
        return node.path() if _is_string(node) else None

    def _program(self, env: Mapping[str, str], variable: str, key: str) -> Value | None:
        if variable in env:
            found: Value | None = Value(env[variable], self._env_origin(variable))
        else:
            found = self.string(env, "build", key)
        if found is None or not found.value:
            return None
        return Value(str(found.path()), found.origin) if "/" in found.value else found

    def _env(self, env: Mapping[str, str], variable: str) -> Value | None:
        return Value(env[variable], self._env_origin(variable)) if variable in env else None

    def _env_origin(self, variable: str) -> Origin:
        return Origin("env", self.cwd, name=variable)


def load(cwd: Path, cargo_home: Path, cli_config: Sequence[str] = ()) -> CargoConfig:
    """Reads the configuration that cargo, called in `cwd` with these `--config` values, would read.

    Raises WorkspaceError for a file that can't be read or merged, UsageError for a bad `--config`.
    """
    reader = _Reader(cwd, cargo_home)
    root: Node = {}
    layers: list[tuple[str, Node]] = []
    for path, kind in _discover(cwd, cargo_home):
        layer = reader.file(path, kind, path.parent.parent)
        if layer is not None:
            layers.append((kind, layer))
            root = _merged(root, layer, path, force=False)
    for argument in cli_config:
        layer = reader.argument(argument)
        layers.append(("cli", layer))
        root = _merged(root, layer, argument, force=True)
    assert isinstance(root, dict)
    return CargoConfig(cwd, cargo_home, root, tuple(layers), tuple(reader.files), tuple(reader.ignored))


def _discover(cwd: Path, cargo_home: Path) -> Iterator[tuple[Path, str]]:
    """(file, kind), nearest first. A `.cargo` that is the cargo home itself is the user's, wherever `cwd` lies.

    One that only links to the cargo home is passed over, and the home is read under its own name: from a link in the
    tree, the relative paths of the user's settings would lead into the tree.
    """
    names = {os.fspath(cargo_home), os.path.join(os.path.realpath(cargo_home.parent), cargo_home.name)}
    real_home = os.path.realpath(cargo_home)
    home_seen = False
    for folder in (cwd, *cwd.parents):
        place = folder / ".cargo"
        own = os.fspath(place) in names or os.path.join(os.path.realpath(folder), ".cargo") in names
        home_seen = home_seen or own
        if own or os.path.realpath(place) != real_home:
            path = _config_file(place)
            if path is not None:
                yield path, "home" if own else "tree"
    if not home_seen:
        path = _config_file(cargo_home)
        if path is not None:
            yield path, "home"


def _config_file(folder: Path) -> Path | None:
    for name in ("config", "config.toml"):
        path = folder / name
        if os.path.exists(path):
            return path
    return None


class _Reader:
    """Loads single files and arguments with what they include, and keeps account."""

    def __init__(self, cwd: Path, cargo_home: Path) -> None:
        self.cwd = cwd
        self.cargo_home = cargo_home
        self.files: list[Path] = []
        self.ignored: list[str] = []

    def file(self, path: Path, kind: str, top: Path, seen: frozenset[Path] = frozenset()) -> Node | None:
        """The table of one file; None when it must not be followed. `top` is where a file of the tree has to stay."""
        if kind == "tree" and not stays_below(path, top):
            self.ignored.append(f"{path}: it leads outside {top}")
            return None
        if kind != "cli" and os.path.basename(os.path.realpath(path)) in _CREDENTIALS:
            self.ignored.append(f"{path}: it holds credentials")
            return None
        origin = Origin(kind, path.parent.parent, path)
        try:
            table = wrap(load_toml(path), origin)
        except FileNotFoundError:
            raise WorkspaceError(f"cargo's configuration {path} does not exist", file=str(path)) from None
        except Unreadable as error:
            raise WorkspaceError(f"cargo's configuration {path} can't be read: {error}", file=str(path)) from None
        assert isinstance(table, dict)
        self.files.append(path)
        return self._with_includes(table, origin, top, seen | {path})

    def argument(self, argument: str) -> Node:
        """The table of one `--config`: a file if there is one of that name, else `KEY=VALUE`."""
        path = self.cwd / argument
        if argument and os.path.exists(path):
            return self.file(path, "cli", path.parent) or {}
        origin = Origin("cli", self.cwd, name=f"--config {argument}")
        try:
            table = parse_toml(argument)
            node: Any = table
            while isinstance(node, dict) and len(node) == 1:
                node = next(iter(node.values()))
            if isinstance(node, dict):
                raise Unreadable("it is neither a file nor one KEY=VALUE")
            wrapped = wrap(table, origin)
        except Unreadable as error:
            raise UsageError(f"`--config {argument}` can't be used: {error}") from None
        assert isinstance(wrapped, dict)
        return self._with_includes(wrapped, origin, self.cwd, frozenset())

    def _with_includes(self, table: dict[str, Node], origin: Origin, top: Path, seen: frozenset[Path]) -> Node:
        includes = table.pop("include", [])
        merged: Node = {}
        folder = origin.file.parent if origin.file else self.cwd
        for item in includes if isinstance(includes, list) else ():
            name, optional = _include(item)
            if name is None:
                continue
            path = Path(os.path.normpath(folder / name))
            if path in seen or len(self.files) > _MAX_INCLUDES or (optional and not os.path.exists(path)):
                continue
            if not os.path.exists(path):
                self.ignored.append(f"{path}: included by {origin}, it does not exist")
                continue
            layer = self.file(path, origin.kind, top, seen)
            if layer is not None:
                merged = _merged(merged, layer, path, force=True)
        return _merged(merged, table, origin, force=True)


def _include(item: Node) -> tuple[str | None, bool]:
    if isinstance(item, dict):
        path, optional = item.get("path"), item.get("optional")
        name = path.value if isinstance(path, Value) else None
        return (name if isinstance(name, str) else None), isinstance(optional, Value) and optional.value is True
    name = item.value if isinstance(item, Value) else None
    return (name if isinstance(name, str) else None), False


def _merged(old: Node, new: Node, place: object, *, force: bool) -> Node:
    try:
        return merge(old, new, force=force)
    except Unreadable as error:
        raise WorkspaceError(f"cargo's configuration {place} can't be merged: {error}", file=str(place)) from None


def _is_string(node: Node | None) -> TypeGuard[Value]:
    return isinstance(node, Value) and isinstance(node.value, str)


def _target(value: Value) -> str:
    text = str(value.value)
    return str(value.path()) if text.endswith(".json") else text


__all__ = ["CargoConfig", "Node", "Origin", "SafeSubset", "Value", "load", "safe_subset", "to_toml"]
