"""Compares checked-out git sources with the commit that the lock file names (CS0511).

The commit's name is the SHA-1 of its content, that of its tree and so on, so what the files must be follows from the
lock file alone; the repository in the cargo home only supplies the lists. Files are hashed as git does it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from sandbox.cargo.files import Unreadable
from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.integrity.objects import Link, Objects
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.packages.tree import OK_BYTES, OK_FILE, TooMuch, Tree, listed, walk
from sandbox.preflight.sources.replaced import stand_in
from sandbox.preflight.sources.source import clip, parse

MAX_FILES = 200_000
_MAX_DEPTH = 128
_MAX_BLOB = 256 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_SHOWN = 20
_SHORTEST = 7
"""Letters of a commit by which cargo calls its checkout at least."""

_SUBMODULE, _LINK, _FOLDER = "160000", "120000", "40000"


class _Result(NamedTuple):
    findings: tuple[Finding, ...] = ()
    unknown: str = ""
    files: int = 0


def run(subject: Subject) -> Answer:
    """Looks at every checkout of a commit in the lock file. Submodules are not followed: then it is "not done", as it
    is where a commit is not checked out. What a vendored folder stands in for is for `vendored` to look at."""
    commits: dict[str, LockedPackage] = {}
    vendored = 0
    unknown: list[str] = []
    for package in subject.locked:
        source = parse(package.source)
        if source.kind != "git":
            continue
        replacement = stand_in(subject.config, source)
        if replacement is not None and replacement.kind == "directory":
            vendored += 1
        elif not _COMMIT.fullmatch(source.commit):
            unknown.append(f"{clip(package.name)} {clip(package.version)} names no commit by SHA-1")
        else:
            commits.setdefault(source.commit, package)
    home = subject.cargo_home
    if commits and home is None:
        return Answer("git-checkouts", "not done", why="there is no cargo home to look into", unit="files")
    found = _checkouts(home) if home and commits else []
    results = [
        _look(package, commit, database, folder)
        for commit, package in commits.items()
        for database, folder in found
        if len(os.path.basename(folder)) >= _SHORTEST and commit.startswith(os.path.basename(folder))
    ]
    unknown += [result.unknown for result in results if result.unknown]
    here = {name for _, folder in found if len(name := os.path.basename(folder)) >= _SHORTEST}
    absent = sum(not any(commit.startswith(name) for name in here) for commit in commits)
    if absent:
        unknown.insert(0, f"{absent} commits of the lock file are not checked out")
    more = f"; and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    notes = (f"{vendored} packages from git are vendored, and not looked at here",) if vendored else ()
    return Answer(
        "git-checkouts", "not done" if unknown else "done",
        tuple(item for result in results for item in result.findings), "; ".join(unknown[:_SHOWN]) + more,
        notes, sum(result.files for result in results), "files",
    )  # fmt: skip


def _checkouts(home: Path) -> list[tuple[str, str]]:
    """(repository, checkout): cargo calls both by the same name, and the checkout by the beginning of its commit."""
    found = []
    top = os.path.join(home, "git", "checkouts")
    for name in _names(top):
        for revision in _names(f"{top}/{name}"):
            found.append((os.path.join(home, "git", "db", name), f"{top}/{name}/{revision}"))
    return found


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _look(package: LockedPackage, commit: str, database: str, folder: str) -> _Result:
    """Never fails: what can't be read is unknown."""
    try:
        tree = walk(folder, skip=".git")
        if tree is None:
            return _Result()
        wanted, submodules = _wanted(Objects(f"{database}/objects"), commit)
        changed, missing, left = _compared(folder, tree, wanted)
    except TooMuch as error:
        return _Result((finding("CS0511", package, f"{folder}: {error}"),))
    except (OSError, Unreadable) as error:
        return _Result(unknown=f"{folder}: {clip(str(error))}")
    below = tuple(f"{path}/" for path in submodules)
    added = sorted(path for path in left if not path.startswith(below))
    # Without this file cargo checks out anew.
    missing = missing if OK_FILE in tree.files else []
    counts = ((changed, "changed"), (added, "added"), (missing, "missing"))
    detail = ", ".join(f"{len(paths)} files {word}" for paths, word in counts if paths)
    evidence = listed((word, map(clip, paths)) for paths, word in counts)
    found = (finding("CS0511", package, f"{detail} in {folder}", subject=folder, evidence=evidence),) if detail else ()
    why = f"{folder}: its submodules are not looked at: {clip(', '.join(submodules))}" if submodules else ""
    return _Result(found, why, len(tree.files))


def _wanted(objects: Objects, commit: str) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """(mode, blob) by path, and the paths of submodules. Raises Unreadable."""
    files: dict[str, tuple[str, str]] = {}
    submodules: list[str] = []
    folders = [("", objects.tree_of(commit), 0)]
    # Each line counts, folders too: a few trees that name one another often enough would never end.
    seen = 0
    known: dict[str, list[Link]] = {}
    while folders:
        above, name, depth = folders.pop()
        if name not in known:
            known[name] = objects.links(name)
        for link in known[name]:
            seen += 1
            if seen > MAX_FILES:
                raise Unreadable(f"more than {MAX_FILES} files and folders")
            path = above + link.path
            if link.mode == _FOLDER and depth < _MAX_DEPTH:
                folders.append((f"{path}/", link.name, depth + 1))
            elif link.mode == _SUBMODULE:
                submodules.append(path)
            else:
                files[path] = (link.mode, link.name)
    return files, submodules


def _compared(folder: str, tree: Tree, wanted: dict[str, tuple[str, str]]) -> tuple[list[str], list[str], set[str]]:
    """Changed and missing paths, and those that nobody asked for."""
    left = set(tree.files) | set(tree.odd)
    if OK_FILE in tree.files and tree.files[OK_FILE].st_size <= OK_BYTES:
        left.discard(OK_FILE)
    changed: list[str] = []
    missing: list[str] = []
    for path, (mode, name) in wanted.items():
        if path not in left:
            missing.append(path)
            continue
        left.discard(path)
        if (mode == _LINK) == (path in tree.files) or name not in _hashes(f"{folder}/{path}", mode == _LINK):
            changed.append(path)
    return changed, missing, left


def _hashes(path: str, is_link: bool) -> tuple[str, ...]:
    """The names that git may give to a file's content: as it is, and with the line ends that a checkout may change."""
    if is_link:
        return (_hash(os.fsencode(os.readlink(path))),)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ()
        data = stream.read(_MAX_BLOB + 1)
    if len(data) > _MAX_BLOB:
        raise Unreadable(f"{clip(path)} is larger than {_MAX_BLOB} bytes")
    return (_hash(data), _hash(data.replace(b"\r\n", b"\n"))) if b"\r\n" in data else (_hash(data),)


def _hash(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
