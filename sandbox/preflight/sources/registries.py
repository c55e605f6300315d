"""The registries that cargo would know here, and what the project's rules mean by a source."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.cargo.config import Value
from sandbox.preflight.model import Subject, Wishes
from sandbox.preflight.sources.replaced import stand_in
from sandbox.preflight.sources.source import CRATES_IO, Source, fold, key, matches, name_matches, parse


class Registry(NamedTuple):
    """A registry by its name in cargo's configuration. `where` says who set it; `trusted`: the user, not the tree."""

    name: str
    url: str
    where: str
    trusted: bool

    @property
    def key(self) -> str:
        return key(self.url)

    @property
    def public(self) -> bool:
        """Whether it is crates.io under another name."""
        return self.key == CRATES_IO


def named(subject: Subject) -> tuple[Registry, ...]:
    """`[registries]` of the configuration, with `CARGO_REGISTRIES_<NAME>_INDEX` of the environment before it."""
    found: dict[str, Registry] = {}
    tables = subject.config.get("registries") if subject.config else None
    for name, table in tables.items() if isinstance(tables, dict) else ():
        index = table.get("index") if isinstance(table, dict) else None
        if isinstance(index, Value) and isinstance(index.value, str):
            found[name] = Registry(name, index.value, str(index.origin), index.origin.trusted)
    for variable, url in subject.env.items():
        middle = variable.removeprefix("CARGO_REGISTRIES_").removesuffix("_INDEX")
        if variable == f"CARGO_REGISTRIES_{middle}_INDEX" and middle:
            same = [name for name in found if fold(name) == fold(middle)]
            for name in same or [fold(middle)]:
                found[name] = Registry(name, url, variable, True)
    return tuple(found.values())


def sources(subject: Subject) -> tuple[Registry, ...]:
    """`[source.NAME] registry = URL` of the configuration."""
    tables = subject.config.get("source") if subject.config else None
    found = []
    for name, table in tables.items() if isinstance(tables, dict) else ():
        url = table.get("registry") if isinstance(table, dict) else None
        if isinstance(url, Value) and isinstance(url.value, str):
            found.append(Registry(name, url.value, str(url.origin), url.origin.trusted))
    return tuple(found)


def private(subject: Subject) -> tuple[Registry, ...]:
    """Every registry but crates.io that the configuration or the lock file has, each URL once. What stands in for
    crates.io by `[source]` is a mirror of it and none of these."""
    mirror = stand_in(subject.config, Source("registry", CRATES_IO))
    hidden = {CRATES_IO, key(mirror.value) if mirror and mirror.kind == "registry" else CRATES_IO}
    found = {registry.key: registry for registry in reversed(named(subject)) if registry.key not in hidden}
    for package in subject.locked:
        source = parse(package.source)
        if source.kind == "registry" and source.key not in hidden | found.keys():
            found[source.key] = Registry(str(source), source.url, str(subject.lock_file), False)
    return tuple(found.values())


def fits(source: Source, wish: str, known: tuple[Registry, ...]) -> bool | None:
    """Whether a source is what a rule names: `crates-io`, `registry:NAME`, `git:URL`, `path` or an index URL, with `*`
    for any text in URLs. None when the rule names a registry that nobody knows, and the source could be it."""
    if wish == "path":
        return source.kind == "path"
    if wish == CRATES_IO or wish == f"registry:{CRATES_IO}":
        return source.public
    if wish.startswith("git:"):
        return source.kind == "git" and matches(key(wish[4:]), source.key)
    if source.kind != "registry":
        return False
    if not wish.startswith("registry:"):
        return matches(key(wish), source.key)
    urls = {registry.key for registry in known if registry.name == wish.removeprefix("registry:")}
    if not urls:
        return False if source.public else None
    return source.key in urls


def is_private(wish: str) -> bool:
    """Whether a rule's source is the project's own, not what everybody can publish to."""
    return wish != f"registry:{CRATES_IO}" and key(wish) != CRATES_IO


def is_internal(name: str, wishes: Wishes) -> bool:
    """Whether a name is the project's own: listed as such, or a rule gives it (not just everything) to a registry of
    its own."""
    if any(name_matches(pattern, name) for pattern in wishes.internal):
        return True
    return any(
        rule.pattern.strip("*") and is_private(rule.source) and name_matches(rule.pattern, name)
        for rule in wishes.sources
    )
