"""Where advisories lie, and which of the files have to be read for a lock file.

A database is a folder in one of these forms, or several in one:
- RustSec: `crates/NAME/RUSTSEC-….md`. Only the folders of locked names are read. `rust/` (std, cargo, rustdoc) is not:
  a lock file names no toolchain, and rustsec leaves it out too.
- OSV records, `….json`: in the folder itself or in `crates/` (osv.dev's export unpacked, RustSec's branch `osv`), or
  anywhere below `crates.io/`, `osv/crates.io/` or `osv/malicious/crates.io/` (OSSF's malicious-packages).

No symbolic link in a database is followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sandbox.cargo.files import Unreadable
from sandbox.preflight.advisories.model import name_key

VARIABLE = "CARGO_SANDBOX_ADVISORY_DB"
MAX_MARKDOWN = 256 << 10
MAX_JSON = 8 << 20
"""Largest files that are read, in bytes; the largest of RustSec has 16 KiB."""

MAX_FILES = 100_000
"""Most entries of a folder, and most OSV records of a database."""

_DEEP = ("crates.io", "osv/crates.io", "osv/malicious/crates.io")
_DEPTH = 4
HOW = (
    f"cargo-sandbox audit --fetch-db gets RustSec's; or name a folder with --advisory-db, {VARIABLE} or [advisories] db"
)


class File(NamedTuple):
    """A file of a database: its path relative to it, and what tells its states apart (inode, size, times in ns)."""

    path: str
    state: tuple[int, int, int, int]


class Listing(NamedTuple):
    """What a database holds. `folders` are the RustSec folders by `name_key`; `odd` names what is not read and why."""

    top: Path
    folders: Mapping[str, tuple[str, ...]]
    records: tuple[File, ...]
    odd: tuple[str, ...] = ()


def places(given: str, env: Mapping[str, str], cargo_home: Path | None, cache: Path | None = None) -> tuple[Path, ...]:
    """The databases to look into: what was given, else the variable's, else the one that `audit --fetch-db` put into
    our own `cache`, else that of cargo-audit if it exists.

    Several are separated as in PATH. Empty when there is none.
    """
    wanted = given or env.get(VARIABLE, "")
    if wanted:
        parts = [wanted] if os.path.isdir(wanted) else wanted.split(os.pathsep)
        return tuple(Path(os.path.expanduser(part)) for part in parts if part)
    usual = [folder / "advisory-db" for folder in (cache, cargo_home) if folder is not None]
    return tuple(folder for folder in usual if os.path.isdir(folder))[:1]


def look(place: Path) -> Listing:
    """What the database holds, without opening a file of it. Raises Unreadable when it is no database, or empty."""
    try:
        top = Path(os.path.realpath(place))
    except ValueError as error:
        raise Unreadable(str(error)) from None
    odd: list[str] = []
    folders: dict[str, tuple[str, ...]] = {}
    records: list[File] = []
    if not os.path.isdir(top):
        raise Unreadable("there is no such folder")
    for entry in _entries(top, "crates", odd):
        if entry.is_dir(follow_symlinks=False):
            key = name_key(entry.name)
            folders[key] = (*folders.get(key, ()), entry.name)
        elif entry.is_symlink():
            odd.append(f"crates/{entry.name}: a link")
        else:
            _take(top, entry, records, odd)
    for flat in ("", "osv"):
        for entry in _entries(top, flat, odd):
            if not entry.is_dir(follow_symlinks=False):
                _take(top, entry, records, odd)
    for deep in _DEEP:
        _walk(top, deep, records, odd, _DEPTH)
    if not folders and not records and not odd:
        raise Unreadable("it holds no advisory: neither crates/NAME/RUSTSEC-….md nor OSV records")
    return Listing(top, folders, tuple(records), tuple(odd))


def markdown(listing: Listing, keys: Iterable[str]) -> tuple[list[File], list[str]]:
    """The RustSec files of the names with these keys, and what can't be read there."""
    files: list[File] = []
    odd: list[str] = []
    for key in keys:
        for folder in listing.folders.get(key, ()):
            # Hidden files are an editor's or the system's; rustsec passes them over too.
            for entry in _entries(listing.top, f"crates/{folder}", odd):
                if entry.name.startswith("."):
                    continue
                if entry.name.endswith(".md"):
                    _take(listing.top, entry, files, odd, ".md")
                elif not entry.name.endswith(".json"):
                    odd.append(f"crates/{folder}/{entry.name}: no advisory by its name")
    return files, odd


def _walk(top: Path, folder: str, records: list[File], odd: list[str], depth: int) -> None:
    for entry in _entries(top, folder, odd):
        if not entry.is_dir(follow_symlinks=False):
            _take(top, entry, records, odd)
        elif depth > 1:
            _walk(top, f"{folder}/{entry.name}", records, odd, depth - 1)
        else:
            odd.append(f"{folder}/{entry.name}: too deep")


def _take(top: Path, entry: os.DirEntry[str], files: list[File], odd: list[str], ending: str = ".json") -> None:
    if not entry.name.endswith(ending) or entry.name.startswith("."):
        return
    path = entry.path.removeprefix(f"{top}/")
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        odd.append(f"{path}: {error.strerror}")
        return
    if not entry.is_file(follow_symlinks=False):
        odd.append(f"{path}: a link or no regular file")
    elif len(files) >= MAX_FILES:
        raise Unreadable(f"it holds more than {MAX_FILES} records")
    else:
        files.append(File(path, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)))


def _entries(top: Path, folder: str, odd: list[str]) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder in the database; none where there is no such folder."""
    try:
        # Other folders come from a listing that told them from links.
        path = os.path.join(top, folder) if folder else os.fspath(top)
        if folder in ("crates", "osv", *_DEEP) and os.path.realpath(path) != path:
            odd.append(f"{folder}: a link")
            return
        with os.scandir(path) as entries:
            for number, entry in enumerate(entries):
                if number >= MAX_FILES:
                    raise Unreadable(f"{folder or 'it'} has more than {MAX_FILES} entries")
                yield entry
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        odd.append(f"{folder}: {getattr(error, 'strerror', None) or error}")
