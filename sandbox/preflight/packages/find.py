"""Finds the files of a locked package in the cargo home, or where the resolved graph has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sandbox.cargo.files import Unreadable
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Facts
from sandbox.preflight.packages.contents import Contents, Origin, of_crate, of_folder
from sandbox.preflight.packages.places import folders

_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,120}")


class Packages:
    """Finds contents. `why(package)` tells afterwards why there were none."""

    def __init__(self, cargo_home: Path | None, facts: Facts | None = None) -> None:
        self._home = cargo_home
        self._why: dict[LockedPackage, str] = {}
        self._known: dict[tuple[str, str], tuple[Path, ...]] = {}
        self._directories = {
            (one.name, one.version, _plain(one.source)): one.directory for one in facts.packages
        } if facts else {}  # fmt: skip

    def why(self, package: LockedPackage) -> str:
        """In words, what kept us from the package's files."""
        return self._why.get(package, "its sources are not on this machine")

    def contents(self, package: LockedPackage) -> Contents | None:
        """The files of a package: of the `.crate` with the lock file's checksum, else of the unpacked sources, else of
        the folder that the resolved graph names. None when there is none that can be read."""
        return self._first(package, [lambda: self._packed(package), lambda: self._unpacked(package)])

    def manifest(self, package: LockedPackage) -> Contents | None:
        """Its `Cargo.toml` alone, of the unpacked sources first, for that is much faster; else as `contents`."""
        return self._first(
            package,
            [
                lambda: self._unpacked(package, "Cargo.toml"),
                lambda: self._packed(package),
            ],
        )

    def _first(
        self, package: LockedPackage, ways: list[Callable[[], Iterator[Callable[[], Contents]]]]
    ) -> Contents | None:
        self._why.pop(package, None)
        if not all(_NAME.fullmatch(text) and text not in (".", "..") for text in (package.name, package.version)):
            self._why[package] = "its name is none that a file could have"
            return None
        for way in ways:
            for read in way():
                try:
                    return read()
                except FileNotFoundError:
                    continue
                except (Unreadable, OSError) as error:
                    self._why[package] = f"its files can't be read: {error}"
        return None

    def _packed(self, package: LockedPackage) -> Iterator[Callable[[], Contents]]:
        if package.checksum and package.source:
            for folder in self._folders("cache", package.source):
                path, checksum = folder / f"{package.name}-{package.version}.crate", package.checksum
                yield lambda path=path, checksum=checksum: of_crate(path, checksum)  # type: ignore[misc]

    def _unpacked(self, package: LockedPackage, only: str = "") -> Iterator[Callable[[], Contents]]:
        tops = []
        if package.source:
            tops = [one / f"{package.name}-{package.version}" for one in self._folders("src", package.source)]
        directory = self._directories.get((package.name, package.version, _plain(package.source)))
        origin: Origin = "unpacked" if package.checksum else "folder"
        for top in [*tops, *([Path(directory)] if directory else [])]:
            yield lambda top=top: of_folder(top, origin, only)  # type: ignore[misc]

    def _folders(self, kind: str, source: str) -> tuple[Path, ...]:
        if self._home is None:
            return ()
        if (kind, source) not in self._known:
            self._known[kind, source] = folders(self._home, kind, source)
        return self._known[kind, source]


def _plain(source: str | None) -> str:
    return (source or "").partition("#")[0]
