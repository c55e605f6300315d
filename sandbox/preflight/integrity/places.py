"""Where cargo has a package's archive and its unpacked sources."""

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
from sandbox.preflight.sources.source import host, parse

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
        self._existing = tuple(sorted(_names(f"{self._registry}/cache") | _names(f"{self._registry}/src")))
        self._known: dict[str, tuple[tuple[str, str], ...]] = {}

    def of(self, package: LockedPackage) -> tuple[Place, ...]:
        """All places that cargo of any version may have used; the package must be sound and from a registry."""
        url = parse(package.source).url
        if url not in self._known:
            self._known[url] = self._folders(url)
        top = f"{package.name}-{package.version}"
        return tuple(
            Place(f"{archives}/{top}.crate", f"{self._registry}/src/{name}/{top}", top)
            for archives, name in self._known[url]
        )

    def _folders(self, url: str) -> tuple[tuple[str, str], ...]:
        """(folder of archives, name of the folder of sources)."""
        names = self._here(url)
        replacement = stand_in(self._config, url)
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
        return names or [name for name in self._existing if host(url) and name.rpartition("-")[0] == host(url)]


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()
