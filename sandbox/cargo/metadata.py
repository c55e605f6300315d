"""What we keep of `cargo metadata --format-version 1`: packages, their scripts and macros, who depends on whom."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sandbox.cargo.lockfile import LockedPackage
from sandbox.errors import WorkspaceError

CACHE_VERSION = 5
"""Version of `Facts.to_json`; raised with any change of its shape."""

_KINDS = ("normal", "build", "dev")


class BuildScript(NamedTuple):
    """A build script: the crate name that rustc gets (`build_script_build`) and the absolute path of its source."""

    crate: str
    source: str


class Package(NamedTuple):
    """One package of the graph. `source` and `checksum` are None for a path; `id` is cargo's package id; `dylib` tells
    whether it makes a Rust library that is loaded at run time."""

    id: str
    name: str
    version: str
    source: str | None
    checksum: str | None
    manifest_path: str
    scripts: tuple[BuildScript, ...]
    proc_macro: bool
    links: str | None
    binaries: tuple[str, ...]
    sources: tuple[str, ...]
    dylib: bool = False

    @property
    def directory(self) -> str:
        return self.manifest_path.rpartition("/")[0] or "/"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Dependency(NamedTuple):
    """An edge to `packages[package]`. `kinds` are some of `normal`, `build`, `dev`."""

    package: int
    kinds: tuple[str, ...]


class Facts(NamedTuple):
    """The resolved graph. `members` and `default_members` are indexes into `packages`, and `graph` goes by them."""

    root: str
    target_dir: str
    packages: tuple[Package, ...]
    members: tuple[int, ...]
    default_members: tuple[int, ...]
    graph: tuple[tuple[Dependency, ...], ...]

    @property
    def scripts(self) -> tuple[tuple[str, str], ...]:
        """(crate name, absolute source) of every build script in the graph."""
        return tuple((script.crate, script.source) for package in self.packages for script in package.scripts)

    @property
    def owners(self) -> tuple[tuple[str, Package], ...]:
        """Whose each crate's root source file is: (absolute path, package)."""
        return tuple((source, package) for package in self.packages for source in package.sources)

    @property
    def dylibs(self) -> bool:
        """Whether any package makes a dylib, which cargo's output folders are searched for."""
        return any(package.dylib for package in self.packages)

    @property
    def binaries(self) -> tuple[str, ...]:
        """Names of the programs that the workspace's members make."""
        return tuple(name for index in self.members for name in self.packages[index].binaries)

    def find(self, name: str, version: str = "", manifest_dir: str = "") -> Package | None:
        """The first package of that name; version and directory narrow it when they are given."""
        index = self._index(name, version, manifest_dir)
        return None if index is None else self.packages[index]

    def chain(self, name: str, version: str = "", manifest_dir: str = "") -> list[str]:
        """The shortest way from a workspace member to a package, as `name version` each; empty for an unknown one."""
        wanted = self._index(name, version, manifest_dir)
        if wanted is None:
            return []
        came_from: dict[int, int | None] = dict.fromkeys(self.members)
        waiting = deque(self.members)
        while waiting and wanted not in came_from:
            at = waiting.popleft()
            for dependency in sorted(self.graph[at], key=lambda edge: min(map(_KINDS.index, edge.kinds), default=0)):
                if dependency.package not in came_from:
                    came_from[dependency.package] = at
                    waiting.append(dependency.package)
        way: list[str] = []
        step: int | None = wanted if wanted in came_from else None
        while step is not None:
            way.append(str(self.packages[step]))
            step = came_from[step]
        return way[::-1]

    def _index(self, name: str, version: str, manifest_dir: str) -> int | None:
        for at, package in enumerate(self.packages):
            if (
                package.name == name
                and version in ("", package.version)
                and manifest_dir.rstrip("/") in ("", package.directory)
            ):
                return at
        return None

    def to_json(self) -> str:
        """Compact text for a cache file."""
        return json.dumps(
            {
                "v": CACHE_VERSION,
                "root": self.root,
                "target": self.target_dir,
                "packages": self.packages,
                "members": self.members,
                "default": self.default_members,
                "graph": [[[edge.package, *map(_KINDS.index, edge.kinds)] for edge in edges] for edges in self.graph],
            },
            separators=(",", ":"),
        )

    @staticmethod
    def from_json(text: str | bytes) -> Facts | None:
        """What `to_json` wrote; None for another version or a broken file: then make the facts anew."""
        try:
            data = json.loads(text)
            if data["v"] != CACHE_VERSION:
                return None
            packages = tuple(_unpack(item) for item in data["packages"])
            size = len(packages)
            return Facts(
                str(data["root"]),
                str(data["target"]),
                packages,
                tuple(_within(item, size) for item in data["members"]),
                tuple(_within(item, size) for item in data["default"]),
                tuple(_edges(edges, size) for edges in _of_length(data["graph"], size)),
            )
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            return None

    @staticmethod
    def from_metadata(text: str | bytes, locked: Iterable[LockedPackage] = ()) -> Facts:
        """The facts in cargo's JSON; checksums come from the lock file. Raises WorkspaceError for other JSON."""
        try:
            return _facts(json.loads(text), locked)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise WorkspaceError(f"cargo's metadata can't be understood: {error!r}") from None


def _facts(data: dict[str, Any], locked: Iterable[LockedPackage]) -> Facts:
    checksums = {(item.name, item.version, _source_key(item.source)): item.checksum for item in locked}
    packages = tuple(
        Package(
            id=item["id"],
            name=item["name"],
            version=item["version"],
            source=item["source"],
            checksum=checksums.get((item["name"], item["version"], _source_key(item["source"]))),
            manifest_path=item["manifest_path"],
            scripts=tuple(_scripts(item["targets"])),
            proc_macro=any("proc-macro" in target["kind"] for target in item["targets"]),
            links=item.get("links"),
            binaries=tuple(target["name"] for target in item["targets"] if "bin" in target["kind"]),
            sources=tuple(
                target["src_path"] for target in item["targets"] if item["source"] is None or not _is_extra(target)
            ),
            dylib=any("dylib" in target["crate_types"] for target in item["targets"]),
        )
        for item in data["packages"]
    )
    index = {package.id: at for at, package in enumerate(packages)}
    graph: list[tuple[Dependency, ...]] = [()] * len(packages)
    for node in (data.get("resolve") or {"nodes": ()})["nodes"]:
        graph[index[node["id"]]] = tuple(
            Dependency(index[edge["pkg"]], _kinds(edge.get("dep_kinds", ()))) for edge in node["deps"]
        )
    members = tuple(index[item] for item in data["workspace_members"])
    default = data.get("workspace_default_members", data["workspace_members"])
    return Facts(
        root=data["workspace_root"],
        target_dir=data["target_directory"],
        packages=packages,
        members=members,
        default_members=tuple(index[item] for item in default),
        graph=tuple(graph),
    )


def _is_extra(target: dict[str, Any]) -> bool:
    """Tests, benches and examples of a package from elsewhere are never built."""
    return bool({"test", "bench", "example"} & set(target["kind"]))


def _scripts(targets: list[dict[str, Any]]) -> Iterator[BuildScript]:
    for target in targets:
        if "custom-build" in target["kind"]:
            yield BuildScript(target["name"].replace("-", "_"), target["src_path"])


def _kinds(found: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    names = {item.get("kind") or "normal" for item in found} or {"normal"}
    return tuple(kind for kind in _KINDS if kind in names)


def _source_key(source: str | None) -> str | None:
    """A lock file and the metadata spell a sparse registry alike, but crates.io keeps its git name in both."""
    return source.partition("#")[0] if source else None


def _unpack(item: list[Any]) -> Package:
    package = Package(*item)
    scripts = tuple(BuildScript(*script) for script in package.scripts)
    return package._replace(scripts=scripts, binaries=tuple(package.binaries), sources=tuple(package.sources))


def _edges(edges: list[list[int]], size: int) -> tuple[Dependency, ...]:
    return tuple(Dependency(_within(edge[0], size), tuple(_KINDS[kind] for kind in edge[1:])) for edge in edges)


def _within(index: int, size: int) -> int:
    if not isinstance(index, int) or not 0 <= index < size:
        raise ValueError("an index points outside")
    return index


def _of_length(items: list[Any], size: int) -> list[Any]:
    if len(items) != size:
        raise ValueError("a list has the wrong length")
    return items
