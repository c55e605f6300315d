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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

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
        path
        for path, owner in _all_fingerprints(build_dir)
        if owner == package and path.startswith(prefix) and _is_new(path, sorts, crate, since_ns)
    ]


def profile_prefix(start: Mapping[str, Any]) -> str:
    """How the fingerprint folders begin that can belong to a rustc unit of the old layout."""
    return f"{os.path.dirname(str(start.get('out_dir')).rstrip('/'))}/{_FINGERPRINTS}/"


def _is_new(path: str, sorts: tuple[str, ...], crate: str, since_ns: int) -> bool:
    try:
        if os.lstat(f"{path}/invoked.timestamp").st_mtime_ns < since_ns - _CLOCK_SLACK_NS:
            return False
        names = [name for name in os.listdir(path) if name.startswith(sorts)]
    except OSError:
        return False
    return any(name.replace("-", "_").endswith("_" + crate) for name in names)


def unknown_fingerprints(build_dir: Path, known: Mapping[str, object]) -> list[Path]:
    """Folders that cargo could believe and that are not among `known`: nobody saw their unit run.

    Folders without a written fingerprint (a build that failed or was stopped) are left out: cargo rebuilds those.
    """
    return [Path(path) for path, _ in _all_fingerprints(build_dir) if path not in known and _believable(path)]


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


def _subdirs(path: str) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry


def _all_fingerprints(build_dir: Path) -> Iterator[tuple[str, str]]:
    """Every fingerprint folder with the name of its package."""
    for profile in _profiles(str(build_dir)):
        for entry in _subdirs(f"{profile}/{_FINGERPRINTS}"):
            yield entry.path, entry.name.rpartition("-")[0]
        for package in _subdirs(f"{profile}/build"):
            for unit in _subdirs(package.path):
                if _HASH.fullmatch(unit.name) and _is(stat.S_ISDIR, f"{unit.path}/fingerprint"):
                    yield f"{unit.path}/fingerprint", package.name


def _profiles(build_dir: str) -> Iterator[str]:
    for outer in _subdirs(build_dir):
        if _is_profile(outer.path):
            yield outer.path
        else:
            yield from (inner.path for inner in _subdirs(outer.path) if _is_profile(inner.path))


def _is_profile(path: str) -> bool:
    return _is(stat.S_ISDIR, f"{path}/{_FINGERPRINTS}") or _is(stat.S_ISDIR, f"{path}/build")


def _is(test: Callable[[int], bool], path: str) -> bool:
    try:
        return test(os.lstat(path).st_mode)
    except OSError:
        return False


def _believable(path: str) -> bool:
    """Whether the folder has a non-empty fingerprint file, which cargo truncates before it starts a unit."""
    try:
        names = set(os.listdir(path))
        for name in names:
            helper = name.startswith(("dep-", "output-")) or (name.endswith(".json") and name[:-5] in names)
            if not helper and name != "invoked.timestamp" and os.lstat(f"{path}/{name}").st_size:
                return True
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
