"""Where cargo has a package's archive, its unpacked sources and what it knows of its registry's index."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from sandbox.cargo import semver
from sandbox.cargo.config import CargoConfig
from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.sources import folders
from sandbox.preflight.sources.replaced import stand_in
from sandbox.preflight.sources.source import Source, host, parse

_KINDS = ("cache", "src", "index")
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,200}", re.ASCII)


class Place(NamedTuple):
    """One `.crate` and the folder that it is unpacked to. Either need not exist."""

    crate: str
    folder: str
    top: str


def is_sound(package: LockedPackage) -> bool:
    """Whether name and version can be part of a path at all: neither may lead to another folder."""
    return semver.is_package(package.name) and _VERSION.fullmatch(package.version) is not None


class Places:
    """Finds places in one cargo home, looking up its folders once."""

    def __init__(self, home: Path, config: CargoConfig | None) -> None:
        self._registry = os.path.join(home, "registry")
        self._config = config
        self._existing = tuple(sorted(set().union(*(_names(f"{self._registry}/{kind}") for kind in _KINDS))))
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}

    def of(self, package: LockedPackage) -> tuple[Place, ...]:
        """All places that cargo of any version may have used; none for what is not sound, or of no registry."""
        source = parse(package.source)
        if source.kind != "registry" or not is_sound(package):
            return ()
        url = source.url
        if url not in self._known:
            self._known[url] = self._folders(url)
        top = f"{package.name}-{package.version}"
        return tuple(
            Place(f"{archives}/{top}.crate", f"{self._registry}/src/{name}/{top}", top)
            for archives, name in self._known[url]
        )

    def indexes(self, source: str | None) -> tuple[str, ...]:
        """The folders of the index, and of the one that stands in for it; none for what is no registry."""
        found = parse(source)
        if found.kind != "registry":
            return ()
        replacement = stand_in(self._config, found)
        names = self._here(found.url)
        if replacement is not None and replacement.kind == "registry":
            names += self._here(replacement.value)
        return tuple(f"{self._registry}/index/{name}" for name in dict.fromkeys(names))

    def _folders(self, url: str) -> tuple[tuple[str, str], ...]:
        """(folder of archives, name of the folder of sources)."""
        names = self._here(url)
        replacement = stand_in(self._config, Source("registry", url))
        found: list[tuple[str, str]] = []
        if replacement is not None and replacement.kind == "registry":
            names += self._here(replacement.value)
        elif replacement is not None and replacement.kind == "local-registry":
            path = os.path.normpath(replacement.value)
            ours = folders.of_local_registry(path)
            found = [(path, name) for name in ours if name in self._existing] or [(path, ours[0])]
        return (*((f"{self._registry}/cache/{name}", name) for name in dict.fromkeys(names)), *found)

    def _here(self, url: str) -> list[str]:
        names = [name for name in folders.of_registry(url) if name in self._existing]
        # A cargo that names its folders in another way than we know: whatever that host has must then be right.
        hosts = {host(one) for one in folders.urls(url)} - {""}
        return names or [name for name in self._existing if name.rpartition("-")[0] in hosts]


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()
