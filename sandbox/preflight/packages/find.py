"""Finds the files of a locked package in the cargo home, or where the resolved graph has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sandbox.cargo.config import CargoConfig
from sandbox.cargo.files import Unreadable
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Facts
from sandbox.preflight.packages.card import Card, card_of
from sandbox.preflight.packages.contents import Contents, Origin, of_crate, of_folder
from sandbox.preflight.packages.places import Places, is_sound

ABSENT = "its sources are not on this machine"


class Packages:
    """Finds contents. `why(package)` tells afterwards why there were none: `ABSENT`, or what is wrong with them."""

    def __init__(self, cargo_home: Path | None, facts: Facts | None = None, config: CargoConfig | None = None) -> None:
        self._places = None if cargo_home is None else Places(cargo_home, config)
        self._why: dict[LockedPackage, str] = {}
        self._directories = {
            (one.name, one.version, _plain(one.source)): one.directory for one in facts.packages
        } if facts else {}  # fmt: skip

    def why(self, package: LockedPackage) -> str:
        """In words, what kept us from the package's files."""
        return self._why.get(package, ABSENT)

    def card(self, package: LockedPackage, contents: Contents | None) -> Card | None:
        """What the manifest in a package's contents says; None without contents or a proper manifest."""
        if contents is None:
            return None
        try:
            return card_of(contents)
        except Unreadable as error:
            self._why[package] = f"its manifest can't be read: {error}"
            return None

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
        if not is_sound(package):
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
        for place in self._places.of(package) if self._places and package.checksum else ():
            path, checksum, top = Path(place.crate), package.checksum, place.top
            yield lambda path=path, checksum=checksum, top=top: of_crate(path, checksum, top)  # type: ignore[misc]

    def _unpacked(self, package: LockedPackage, only: str = "") -> Iterator[Callable[[], Contents]]:
        tops = [place.folder for place in self._places.of(package)] if self._places else []
        directory = self._directories.get((package.name, package.version, _plain(package.source)))
        origin: Origin = "unpacked" if package.checksum else "folder"
        for top in [*tops, *([directory] if directory else [])]:
            yield lambda top=Path(top): of_folder(top, origin, only)  # type: ignore[misc]


def _plain(source: str | None) -> str:
    return (source or "").partition("#")[0]
