"""The part of cargo's configuration that resolving may see, as a file of ours.

Resolution runs with network and must run no program of the tree, so what the tree's files say is cut down to an
allow-list: where packages come from, and how to talk to that place. Everything that names a program, sets the
environment, or loosens a check is left out and reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.cargo.values import Node, Value, merge
from sandbox.errors import WorkspaceError

if TYPE_CHECKING:
    from sandbox.cargo.config import CargoConfig

_TREE: dict[tuple[str, ...], str] = {
    ("http", "check-revoke"): "keep",
    ("http", "low-speed-limit"): "keep",
    ("http", "multiplexing"): "keep",
    ("http", "ssl-version"): "tree",
    ("http", "timeout"): "keep",
    ("net", "offline"): "keep",
    ("net", "retry"): "keep",
    ("patch", "*", "*"): "patch",
    ("path-bases", "*"): "path",
    ("paths",): "paths",
    ("registries", "*", "index"): "keep",
    ("registries", "*", "protocol"): "keep",
    ("registry", "default"): "keep",
    ("registry", "index"): "keep",
    ("resolver", "feature-unification"): "keep",
    ("resolver", "incompatible-rust-versions"): "keep",
    ("resolver", "lockfile-path"): "path",
    ("source", "*", "branch"): "keep",
    ("source", "*", "directory"): "path",
    ("source", "*", "git"): "keep",
    ("source", "*", "local-registry"): "path",
    ("source", "*", "registry"): "keep",
    ("source", "*", "replace-with"): "keep",
    ("source", "*", "rev"): "keep",
    ("source", "*", "tag"): "keep",
}
"""What to do with a key: keep a string, number or boolean; make a path (or a list of them) absolute; keep a table of
such (`tree`); keep a dependency with its path made absolute (`patch`). A key that is not here is dropped."""

_USER = _TREE | {
    ("http", "cainfo"): "path",
    ("http", "proxy"): "keep",
    ("http", "proxy-cainfo"): "path",
    ("http", "user-agent"): "keep",
    ("net", "git-fetch-with-cli"): "keep",
    ("net", "ssh", "known-hosts"): "list",
}
"""The same for what the user gives with `--config`."""


class SafeSubset(NamedTuple):
    """`values` is a plain TOML table with absolute paths; `dropped` lists what was left out, as `key (file)`."""

    values: dict[str, Any]
    dropped: tuple[str, ...]


def safe_subset(config: CargoConfig) -> SafeSubset:
    """What resolution may see of the tree's own files. The cargo home's file is left out: cargo reads that itself.

    Meant for `.cargo/config.toml` of the resolve container's working directory, where it has the tree's old precedence.
    """
    found = _subset([layer for kind, layer in config.layers if kind == "tree"], _TREE, force=False)
    return _without_hijacked(found, [layer for kind, layer in config.layers if kind != "tree"])


def command_line_subset(config: CargoConfig) -> SafeSubset:
    """The same for the user's `--config` arguments; meant for a file given with `--config` in their stead.

    Needed because resolution runs elsewhere, where relative paths of the arguments mean something else.
    """
    layers = [layer for kind, layer in config.layers if kind == "cli"]
    return _subset(layers, _USER, force=True)


def to_toml(table: dict[str, Any]) -> str:
    """TOML 1.0 text of a table of strings, integers, booleans, lists and tables; `tomli.loads` gives the same back.

    Raises TypeError for other values.
    """
    lines: list[str] = []
    _write_table(table, (), lines)
    return "\n".join(lines) + "\n" if lines else ""


def _subset(layers: list[Node], allowed: dict[tuple[str, ...], str], *, force: bool) -> SafeSubset:
    root: Node = {}
    for layer in layers:
        root = merge(root, layer, force=force)
    dropped: list[str] = []
    values = _filter(root, (), allowed, dropped)
    return SafeSubset(values if isinstance(values, dict) else {}, tuple(sorted(dropped)))


def _without_hijacked(subset: SafeSubset, users: list[Node]) -> SafeSubset:
    """Leaves the user's own registries alone: a tree that moved one elsewhere would be sent the user's token for it."""
    dropped = list(subset.dropped)
    registries = subset.values.get("registries", {})
    for name in list(registries):
        indexes = {_index(layer, name) for layer in users} - {None}
        if indexes and registries[name].get("index") not in indexes:
            registries[name].pop("index", None)
            dropped.append(f"registries.{_key(name)}.index (the user's own is kept)")
    return SafeSubset(subset.values, tuple(sorted(dropped)))


def _index(layer: Node, name: str) -> Any:
    for key in ("registries", name, "index"):
        layer = layer.get(key, {}) if isinstance(layer, dict) else {}
    return layer.value if isinstance(layer, Value) else None


def _filter(node: Node, key: tuple[str, ...], allowed: dict[tuple[str, ...], str], dropped: list[str]) -> Any:
    """The allowed part of a node, None when nothing of it is. Depth is bounded by `values.wrap`."""
    rule = _rule(key, allowed)
    if rule is not None:
        kept = _keep(node, rule)
        if kept is not None:
            return kept
    elif isinstance(node, dict) and _leads_on(key, allowed):
        found = {name: _filter(item, (*key, name), allowed, dropped) for name, item in node.items()}
        return {name: item for name, item in found.items() if item is not None} or None
    dropped.extend(_names(node, key))
    return None


def _rule(key: tuple[str, ...], allowed: dict[tuple[str, ...], str]) -> str | None:
    for pattern, rule in allowed.items():
        if len(pattern) == len(key) and _matches(pattern, key):
            return rule
    return None


def _leads_on(key: tuple[str, ...], allowed: dict[tuple[str, ...], str]) -> bool:
    return any(len(pattern) > len(key) and _matches(pattern, key) for pattern in allowed)


def _matches(pattern: tuple[str, ...], key: tuple[str, ...]) -> bool:
    return all(want in ("*", have) for want, have in zip(pattern, key, strict=False))


def _keep(node: Node, rule: str) -> Any:
    if isinstance(node, Value):
        if rule == "path":
            return _absolute(node) if isinstance(node.value, str) else None
        return node.value if rule in ("keep", "tree", "patch") else None
    if isinstance(node, list):
        if rule not in ("paths", "list") or not all(_is_text(item) for item in node):
            return None
        return [_absolute(item) if rule == "paths" else item.value for item in node if isinstance(item, Value)]
    if rule == "tree":
        return {name: item.value for name, item in node.items() if isinstance(item, Value)}
    return _dependency(node) if rule == "patch" else None


def _dependency(node: dict[str, Node]) -> dict[str, Any]:
    """A dependency of `[patch]`: scalars and lists of strings stay, a path becomes absolute."""
    kept: dict[str, Any] = {}
    for name, item in node.items():
        if isinstance(item, Value):
            kept[name] = _absolute(item) if name == "path" and _is_text(item) and "base" not in node else item.value
        elif isinstance(item, list) and all(_is_text(entry) for entry in item):
            kept[name] = [entry.value for entry in item if isinstance(entry, Value)]
    return kept


def _is_text(node: Node) -> bool:
    return isinstance(node, Value) and isinstance(node.value, str)


def _absolute(value: Value) -> str:
    path = str(value.path())
    try:
        path.encode()
    except UnicodeEncodeError:
        raise WorkspaceError(f"the path of a setting in {value.origin} is not UTF-8", file=str(value.origin)) from None
    return path


def _names(node: Node, key: tuple[str, ...]) -> list[str]:
    """The leaves below a dropped node, with their file; values are never repeated, since one may be a token."""
    if isinstance(node, Value):
        return [f"{'.'.join(map(_key, key))} ({node.origin})"]
    if isinstance(node, dict):
        return [line for name, item in node.items() for line in _names(item, (*key, name))]
    return sorted({line for item in node for line in _names(item, key)})


def _write_table(table: dict[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    tables = {name: item for name, item in table.items() if isinstance(item, dict)}
    if path and (len(tables) < len(table) or not table):
        lines.append(f"[{'.'.join(map(_key, path))}]")
    lines.extend(f"{_key(name)} = {_inline(item)}" for name, item in table.items() if name not in tables)
    for name, item in tables.items():
        _write_table(item, (*path, name), lines)


def _inline(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)} = {_inline(item)}" for name, item in value.items()) + "}"
    raise TypeError(f"no TOML for {type(value).__name__}")


def _key(name: str) -> str:
    bare = name.isascii() and name != "" and all(letter.isalnum() or letter in "-_" for letter in name)
    return name if bare else _string(name)


def _string(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(c) or (f"\\u{ord(c):04x}" if c < " " or c == "\x7f" else c) for c in text) + '"'
