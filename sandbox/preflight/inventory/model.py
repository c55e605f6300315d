"""The inventory: a frozen picture of a workspace's packages, from which documents and trees are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Use = Literal["runtime", "build", "dev", "other", "unknown"]
USES: tuple[Use, ...] = ("runtime", "build", "dev", "other", "unknown")
USE_WORDS: Mapping[Use, str] = {
    "runtime": "is part of what is built",
    "build": "reached only by build dependencies or proc macros: runs while others are built",
    "dev": "reached only by dev dependencies: tests, examples and benchmarks",
    "other": "in Cargo.lock alone: not in the graph that was resolved for this platform",
    "unknown": "not resolved",
}
"""How a package is reached from the workspace's members; of several ways the first of `USES` counts."""

Licensed = Literal["expression", "other", "file", "none", "unread"]
OriginKind = Literal["crates.io", "registry", "git", "path"]
Script = Literal["", "ran", "failed", "fresh", "not seen", "no run recorded", "unknown"]
Macro = Literal["", "loaded", "not seen", "no run recorded", "unknown"]
Standing = Literal["", "known", "other version", "changed", "none", "unread"]


class Licence(NamedTuple):
    """What a manifest says of the licence. `text` is, by state: `expression` a valid SPDX expression in normal form;
    `other` words that are none, as they stand there; `file` the licence file's name, and there is no expression;
    `none` empty: the manifest was read and says nothing; `unread` why the manifest is not known."""

    state: Licensed
    text: str = ""


UNREAD = Licence("unread", "not resolved")


class Origin(NamedTuple):
    """Where a package comes from. `url` is the index (registry) or repository (git) without credentials, or of a path
    its place relative to the workspace's root, empty where nobody knows; `revision` is a git commit."""

    kind: OriginKind
    url: str = ""
    revision: str = ""


class Edge(NamedTuple):
    """A dependency on `items[item]`. `kinds` are some of `normal`, `build`, `dev`, or `other` alone: in Cargo.lock and
    not in the resolved graph (another platform's), or nobody resolved it."""

    item: int
    kinds: tuple[str, ...]


class Code(NamedTuple):
    """A finding in short: of the last run (`detail` empty), or of a check that looked before it."""

    code: str
    severity: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One package. What is None is not known: nobody resolved the graph.

    `native`: packages among its build dependencies that build or find native code. `script`, `macro` and `verdict` are
    the last run's; empty where the package has no such thing, or (`verdict`) no run is on record. `store` is where the
    baseline lies: tree, user, or pack (what ships with us). `new` is against the accepted graph, None without one.
    `warnings` come from checks made before a run.
    """

    name: str
    version: str
    source: str
    origin: Origin
    checksum: str = ""
    member: bool = False
    use: Use = "unknown"
    depends: tuple[Edge, ...] = ()
    has_script: bool | None = None
    proc_macro: bool | None = None
    links: str | None = None
    native: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    licence: Licence = UNREAD
    repository: str = ""
    script: Script = ""
    macro: Macro = ""
    verdict: str = ""
    findings: tuple[Code, ...] = ()
    baseline: Standing = ""
    store: str = ""
    new: bool | None = None
    warnings: tuple[Code, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Name and version, by which runs and findings speak of it."""
        return self.name, self.version


@dataclass(frozen=True, slots=True)
class Ran:
    """The run that the items' `script`, `macro`, `verdict` and `findings` speak of. `seen` says in words how much of a
    build it has seen."""

    id: str
    started: str
    started_s: int
    verdict: str
    seen: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """A workspace, or a lock file alone (`resolved` is False then). `name`, `version` are the root package's, else the
    folder's and empty. `roots` are indexes into `items`, which are in order of name, version and source. `stamp` is
    when the picture is of, in seconds since 1970. `notes` say what is not known."""

    name: str
    version: str
    items: tuple[Item, ...]
    roots: tuple[int, ...]
    resolved: bool
    stamp: int = 0
    ran: Ran | None = None
    notes: tuple[str, ...] = ()
