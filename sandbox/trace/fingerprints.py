"""Cargo's fingerprint folders: where a unit has its own, which ones cargo would believe, and removing one safely.

A fingerprint folder is what makes cargo call a unit fresh. Layouts (cargo, src/cargo/core/compiler/layout.rs; tried
with cargo 1.95 and, for the one that is the default since 1.100, with `-Zbuild-dir-new-layout` of 1.97), where P is
`<build dir>/<profile>` or `<build dir>/<triple>/<profile>`:

    old  rustc   --out-dir P/deps or P/examples, -C extra-filename=-HASH    P/.fingerprint/PACKAGE-HASH
         rustc   --out-dir P/build/PACKAGE-HASH (a build script)            P/.fingerprint/PACKAGE-HASH
         script  OUT_DIR P/build/PACKAGE-HASH/out                           P/.fingerprint/PACKAGE-HASH
    new  both    P/build/PACKAGE/HASH/out                                   P/build/PACKAGE/HASH/fingerprint

In the old layout a path package's cdylib or dylib (no extra-filename) and rustdoc (writes into the target dir) do not
tell their hash; `hidden_fingerprints` finds their folders afterwards.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.trace.builddir import open_build_dir, remove_tree
from sandbox.trace.files import open_dir

_HASH = re.compile(r"-?[0-9a-f]{16}")
_NAME = re.compile(r"[^/\0.][^/\0]*")
_FINGERPRINTS = ".fingerprint"
_CLOCK_SLACK_NS = 20_000_000


def fingerprint_dir(start: Mapping[str, Any]) -> str | None:
    """The fingerprint folder of the unit that a start record describes; None if it has none or does not tell it."""
    role, out_dir, package = start.get("role"), start.get("out_dir"), start.get("package")
    if role not in ("rustc", "script") or not isinstance(out_dir, str) or not isinstance(package, str):
        return None
    parts = out_dir.rstrip("/").split("/")
    if not out_dir.startswith("/") or len(parts) < 4 or ".." in parts or not _NAME.fullmatch(package):
        return None
    if parts[-1] == "out" and parts[-4] == "build" and parts[-3] == package and _HASH.fullmatch(parts[-2]):
        return "/".join((*parts[:-1], "fingerprint"))
    if role == "script":
        if parts[-1] == "out" and parts[-3] == "build" and _is_unit_dir(parts[-2], package):
            return "/".join((*parts[:-3], _FINGERPRINTS, parts[-2]))
        return None
    if parts[-2] == "build" and _is_unit_dir(parts[-1], package):
        return "/".join((*parts[:-2], _FINGERPRINTS, parts[-1]))
    extra = start.get("extra")
    if parts[-1] in ("deps", "examples") and isinstance(extra, str) and _HASH.fullmatch(extra):
        return "/".join((*parts[:-1], _FINGERPRINTS, package + extra))
    return None


def is_hidden(start: Mapping[str, Any]) -> bool:
    """Whether a unit has a fingerprint folder that its start record does not tell."""
    return start.get("role") in ("rustc", "rustdoc") and bool(start.get("package")) and not fingerprint_dir(start)


def hidden_fingerprints(build_dir: Path, start: Mapping[str, Any], since_ns: int) -> list[str]:
    """Folders that may be the fingerprint of a unit for which `is_hidden` holds: of its package, of its sort, and
    begun by cargo since `since_ns` (nanoseconds since 1970, before cargo was started).

    More than one when the package was built several ways in this run; then each of them stands for all of these units.
    """
    package, crate = start.get("package"), start.get("crate")
    if not isinstance(package, str) or not isinstance(crate, str):
        return []
    sorts = ("doc-",) if start.get("role") == "rustdoc" else ("lib-", "example-")
    prefix = "" if start.get("role") == "rustdoc" else profile_prefix(start)
    return [
        found.path
        for found in _all_fingerprints(build_dir)
        if found.owner == package and found.path.startswith(prefix) and _is_new(found, sorts, crate, since_ns)
    ]


def profile_prefix(start: Mapping[str, Any]) -> str:
    """How the fingerprint folders begin that can belong to a rustc unit of the old layout."""
    return f"{os.path.dirname(str(start.get('out_dir')).rstrip('/'))}/{_FINGERPRINTS}/"


def _is_new(found: _Found, sorts: tuple[str, ...], crate: str, since_ns: int) -> bool:
    try:
        with _opened(found.name, found.parent_fd) as fd:
            begun = os.stat("invoked.timestamp", dir_fd=fd, follow_symlinks=False)
            if begun.st_mtime_ns < since_ns - _CLOCK_SLACK_NS:
                return False
            names = [name for name in os.listdir(fd) if name.startswith(sorts)]
    except OSError:
        return False
    return any(name.replace("-", "_").endswith("_" + crate) for name in names)


def unknown_fingerprints(build_dir: Path, known: Mapping[str, object]) -> list[Path]:
    """Folders that cargo could believe and that are not among `known`: nobody saw their unit run.

    Folders without a written fingerprint (a build that failed or was stopped) are left out: cargo rebuilds those.
    """
    return [Path(it.path) for it in _all_fingerprints(build_dir) if it.path not in known and _believable(it)]


def make_stale(build_dir: Path, path: str | Path) -> bool:
    """Remove a fingerprint folder, so that cargo runs its unit again. False if it is gone already.

    Raises ValueError for a path that is no fingerprint folder beneath `build_dir`, and OSError if a component of it
    is a symbolic link or it can't be removed.
    """
    base, parts = str(build_dir).rstrip("/"), str(path).split("/")
    if not str(path).startswith(base + "/") or ".." in parts or not fingerprint_shape(str(path)):
        raise ValueError(f"{path} is no fingerprint folder beneath {build_dir}")
    inner = [part for part in str(path)[len(base) + 1 :].split("/") if part and part != "."]
    fd = open_build_dir(build_dir)
    try:
        for part in inner[:-1]:
            try:
                deeper = open_dir(part, fd)
            except FileNotFoundError:
                return False
            os.close(fd)
            fd = deeper
        return remove_tree(inner[-1], fd)
    finally:
        os.close(fd)


def fingerprint_shape(path: str) -> bool:
    """Whether a path looks like a fingerprint folder of either layout."""
    parts = path.split("/")
    old = len(parts) > 2 and parts[-2] == _FINGERPRINTS and parts[-1] not in ("", ".", "..")
    return old or (len(parts) > 4 and parts[-1] == "fingerprint" and parts[-4] == "build")


def _is_unit_dir(name: str, package: str) -> bool:
    return name.startswith(package + "-") and _HASH.fullmatch(name[len(package) :]) is not None


class _Found(NamedTuple):
    """A fingerprint folder. `parent_fd` is the folder around it, open until the next one is asked for."""

    path: str
    owner: str
    name: str
    parent_fd: int


@contextlib.contextmanager
def _opened(name: str, dir_fd: int) -> Iterator[int]:
    fd = open_dir(name, dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _subdirs(name: str, dir_fd: int) -> Iterator[tuple[str, int]]:
    """The folders in a folder, each with the descriptor of that one. Nothing for a link or what can't be opened.

    By descriptors and not by paths: a program of the user's may be running, and swap folders for links meanwhile.
    """
    with contextlib.suppress(OSError), _opened(name, dir_fd) as fd:
        with os.scandir(fd) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        for found in names:
            yield found, fd


def _all_fingerprints(build_dir: Path) -> Iterator[_Found]:
    """Every fingerprint folder with the name of its package."""
    try:
        top = open_build_dir(build_dir)
    except OSError:
        return
    try:
        for outer, fd in _subdirs(".", top):
            path = f"{build_dir}/{outer}"
            if _is_profile(outer, fd):
                yield from _in_profile(path, outer, fd)
                continue
            for inner, inner_fd in _subdirs(outer, fd):
                if _is_profile(inner, inner_fd):
                    yield from _in_profile(f"{path}/{inner}", inner, inner_fd)
    finally:
        os.close(top)


def _in_profile(path: str, name: str, dir_fd: int) -> Iterator[_Found]:
    with contextlib.suppress(OSError), _opened(name, dir_fd) as profile:
        for folder, fd in _subdirs(_FINGERPRINTS, profile):
            yield _Found(f"{path}/{_FINGERPRINTS}/{folder}", folder.rpartition("-")[0], folder, fd)
        for package, fd in _subdirs("build", profile):
            for unit, unit_fd in _subdirs(package, fd):
                if not _HASH.fullmatch(unit):
                    continue
                for inner, inner_fd in _subdirs(unit, unit_fd):
                    if inner == "fingerprint":
                        yield _Found(f"{path}/build/{package}/{unit}/{inner}", package, inner, inner_fd)


def _is_profile(name: str, dir_fd: int) -> bool:
    with contextlib.suppress(OSError), _opened(name, dir_fd) as fd:
        return _is_dir(_FINGERPRINTS, fd) or _is_dir("build", fd)
    return False


def _is_dir(name: str, dir_fd: int) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _believable(found: _Found) -> bool:
    """Whether the folder has a non-empty fingerprint file, which cargo truncates before it starts a unit."""
    try:
        with _opened(found.name, found.parent_fd) as fd:
            names = set(os.listdir(fd))
            for name in names:
                helper = name.startswith(("dep-", "output-")) or (name.endswith(".json") and name[:-5] in names)
                if helper or name == "invoked.timestamp":
                    continue
                if os.stat(name, dir_fd=fd, follow_symlinks=False).st_size:
                    return True
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
