"""Cargo's configuration values: each one with its origin, merged by cargo's rules (`src/context/config_value.rs`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

from sandbox.cargo.files import Unreadable
from sandbox.record import record

_MAX_DEPTH = 64
_RANKS = {"env": 1, "cli": 2}


@record
class Origin:
    """Where a value was set.

    kind is `tree` (a file that the project may have brought), `home` ($CARGO_HOME), `cli` or `env`; `file` is None for
    a `KEY=VALUE` of the command line and for the environment, and `name` then is the argument or variable.
    `base` is the directory that relative paths of the value start from.
    """

    kind: str
    base: Path
    file: Path | None = None
    name: str = ""

    @property
    def trusted(self) -> bool:
        """True when the user said it, not a file of the tree."""
        return self.kind != "tree"

    @property
    def rank(self) -> int:
        """Who is heard first: the command line, then the environment, then files (among which the nearest)."""
        return _RANKS.get(self.kind, 0)

    def __str__(self) -> str:
        return str(self.file) if self.file else self.name


@record
class Value:
    """One string, integer or boolean, or a list of such (and of tables), with its origin."""

    value: Any
    origin: Origin

    def path(self) -> Path:
        """The value as a path, made absolute by cargo's rule for its origin."""
        return self.origin.base / str(self.value)


Node: TypeAlias = "Value | list[Node] | dict[str, Node]"
"""A merged configuration: tables are dicts, lists hold nodes, leaves know their origin."""


def wrap(value: Any, origin: Origin, depth: int = 0) -> Node:
    """A parsed TOML value with `origin` on every leaf. Raises Unreadable for types cargo refuses and deep nesting."""
    if depth > _MAX_DEPTH:
        raise Unreadable(f"nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {key: wrap(item, origin, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [wrap(item, origin, depth + 1) for item in value]
    if isinstance(value, str | int):
        return Value(value, origin)
    raise Unreadable(f"a value of type {type(value).__name__} is not allowed in cargo's configuration")


def plain(node: Node) -> Any:
    """The bare TOML value of a node."""
    if isinstance(node, dict):
        return {key: plain(item) for key, item in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    return node.value


def origin_of(node: Node) -> Origin | None:
    """The origin of the first leaf; None for an empty table or list."""
    while not isinstance(node, Value):
        children: Iterable[Node] = node.values() if isinstance(node, dict) else node
        first = next(iter(children), None)
        if first is None:
            return None
        node = first
    return node.origin


def merge(old: Node, new: Node, *, force: bool, key: tuple[str, ...] = ()) -> Node:
    """`new` merged into `old`. Among values of one rank it wins with `force` (includes, command line), else it loses.

    Lists are joined. (Cargo lets the lists that name programs replace each other; none of those is read here.)
    Raises Unreadable when a table or list meets anything else, as cargo refuses that.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        merged = dict(old)
        for name, item in new.items():
            merged[name] = merge(merged[name], item, force=force, key=(*key, name)) if name in merged else item
        return merged
    if isinstance(old, list) and isinstance(new, list):
        return sorted([*old, *new] if force else [*new, *old], key=_rank)
    if isinstance(old, Value) and isinstance(new, Value):
        return new if force or new.origin.rank > old.origin.rank else old
    raise Unreadable(f"`{'.'.join(key)}` is set to different kinds of values in two places")


def _rank(node: Node) -> int:
    origin = origin_of(node)
    return origin.rank if origin else -1
