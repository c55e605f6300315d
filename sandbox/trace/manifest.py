"""Ground truth (DESIGN §5): which files of the build dir changed in a run, and for which of them nobody answers.

A file's ctime can't be set (inode(7)), so whatever was written, linked, renamed or had its mode changed since the run
began shows, however it was done and whether or not the recorder saw it. Someone answers for a changed file when it
lies in a place that a unit of this run owns (a script's `OUT_DIR`, a compiler run's incremental folder), is an output
of such a unit by its name, is one of cargo's own files, or stands in an event. Any other is a hole in the record.

Removed files don't show here; the seals tell of those. Final artifacts outside the build dir are not looked at: another
cargo may rightly write there at the same time.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.trace.builddir import open_build_dir
from sandbox.trace.files import open_dir
from sandbox.trace.texts import text

MOST_ENTRIES = 2_000_000
MOST_LEVELS = 64
MOST_PATHS = 200_000
_EXTRA = re.compile("-[0-9a-f]{16}")
_PROFILE_FILES = frozenset((".cargo-lock", ".cargo-build-lock", ".cargo-artifact-lock", "CACHEDIR.TAG"))
_ROOT_FILES = _PROFILE_FILES | {".rustc_info.json", ".rustdoc_fingerprint.json", ".cargo-sandbox-token"}
_FOLDERS = frozenset((".fingerprint", "build", "deps", "examples", "incremental"))
_SCRIPT_FILES = frozenset(("output", "stderr", "stdout", "root-output", "invoked.timestamp"))


class Accounts:
    """Who answers for what. `build_dir` is an absolute path."""

    def __init__(self, build_dir: str) -> None:
        self._top = build_dir.rstrip("/") + "/"
        self._folders: set[str] = {self._top + "tmp"}  # CARGO_TARGET_TMPDIR, which is the programs'
        self._outputs: dict[str, set[str]] = {}
        self._sharing: set[str] = set()  # crates without an incremental folder of their own
        self._paths: set[str] = set()

    def unit(self, start: Mapping[str, Any]) -> None:
        """A unit has begun: its start record, as the guard tells it."""
        out_dir = str(start.get("out_dir") or "").rstrip("/")
        if not out_dir.startswith(self._top):
            return
        if start.get("role") == "script":
            self._folders.add(out_dir)
            return
        crate = str(start.get("crate") or "")
        self._outputs.setdefault(out_dir, set()).add(str(start.get("extra") or "") or crate)
        incremental = str(start.get("incremental") or "").rstrip("/")
        match self._in_profile(incremental) if incremental.startswith(self._top) else []:
            case ["incremental", _]:
                self._folders.add(incremental)
            case ["incremental"]:
                self._sharing.add(crate)

    def event(self, event: Mapping[str, Any]) -> None:
        """An event: the paths in it were seen, as far as there is room for them (else `covers` says no)."""
        if event.get("kind") == "open" and event.get("access") != "write":
            return
        for name in ("path", "path2"):
            if name not in event or len(self._paths) >= MOST_PATHS:
                continue
            path = text(event[name])
            if path.startswith(self._top) and os.path.dirname(path) not in self._folders:
                self._paths.add(path)

    def owns_folder(self, folder: str) -> bool:
        """Whether everything below this folder is answered for."""
        match self._in_profile(folder):
            case [".fingerprint"] | ["build", _, _, "fingerprint"]:
                return True
            case ["incremental", name]:
                return name.rpartition("-")[0] in self._sharing or folder in self._folders
        return folder in self._folders

    def covers(self, path: str) -> bool:
        """Whether someone answers for this file, whose folder is not owned as a whole."""
        folder, name = os.path.split(path)
        if path in self._paths:
            return True
        match self._in_profile(folder):
            case []:
                own = _ROOT_FILES if folder + "/" == self._top else _PROFILE_FILES
            case ["build", *rest] if len(rest) <= 3 and "out" not in rest:
                own = _SCRIPT_FILES
            case _:
                own = frozenset()
        marks = self._outputs.get(folder, set())
        # There are as many marks as crates, so look first for what cargo gives nearly all of them.
        return name in own or not marks.isdisjoint(_EXTRA.findall(name)) or any(_is_output(name, m) for m in marks)

    def _in_profile(self, folder: str) -> list[str]:
        """A folder's parts from the one that cargo makes in `PROFILE/` or `TRIPLE/PROFILE/` on; none outside."""
        parts = folder[len(self._top) :].split("/")
        start = next((index for index in (1, 2) if parts[index : index + 1] and parts[index] in _FOLDERS), None)
        if start is None:
            return parts if len(parts) > 2 else []
        return parts[start:]


def _is_output(name: str, mark: str) -> bool:
    """Whether a file of an out-dir is named by a compiler run: by its `extra-filename`, or else by its crate."""
    if mark.startswith("-"):
        return mark in name
    rest = name.removeprefix("lib").removeprefix(mark)
    return bool(mark) and rest != name.removeprefix("lib") and rest[:1] in ("", ".")


def unaccounted(build_dir: str, accounts: Accounts, since_ns: int, until_ns: int) -> list[str]:
    """Files of the build dir that changed between these times (nanoseconds since 1970) and that nobody answers for.

    Follows no link: folders are opened from the build dir down, for a program of the user's may be running by now and
    put links in their places. A folder that became a link is one of these files. Raises OverflowError when there are
    more than MOST_ENTRIES entries to look at, or more than MOST_LEVELS levels.
    """
    found: list[str] = []
    folders: deque[tuple[str, ...]] = deque([()])
    seen = 0
    try:
        top = open_build_dir(build_dir)
    except FileNotFoundError:
        return []
    except OSError:
        return [build_dir]
    try:
        while folders:
            parts = folders.pop()
            path = "/".join((build_dir, *parts))
            if len(parts) > MOST_LEVELS:
                raise OverflowError(f"more than {MOST_LEVELS} levels of folders in {build_dir}")
            try:
                entries = _entries(top, parts, since_ns, until_ns)
            except (FileNotFoundError, PermissionError):
                continue  # gone meanwhile, or closed to us: then nobody else of our user could write there either
            except OSError:
                found.append(path)
                continue
            seen += len(entries)
            if seen > MOST_ENTRIES:
                raise OverflowError(f"more than {MOST_ENTRIES} files in {build_dir}")
            for name, is_dir, changed in entries:
                if is_dir:
                    if not accounts.owns_folder(f"{path}/{name}"):
                        folders.append((*parts, name))
                elif changed and not accounts.covers(f"{path}/{name}"):
                    found.append(f"{path}/{name}")
    finally:
        os.close(top)
    return sorted(found)


def _entries(top: int, parts: tuple[str, ...], since_ns: int, until_ns: int) -> list[tuple[str, bool, bool]]:
    """What is in a folder: name, whether it is a folder, else whether it changed. Raises OSError, also for a link."""
    fd = os.dup(top)
    try:
        for part in parts:
            deeper = open_dir(part, fd)
            os.close(fd)
            fd = deeper
        with os.scandir(fd) as entries:
            return [
                (entry.name, is_dir, not is_dir and _changed(entry, since_ns, until_ns))
                for entry in entries
                for is_dir in (entry.is_dir(follow_symlinks=False),)
            ]
    finally:
        os.close(fd)


def _changed(entry: os.DirEntry[str], since_ns: int, until_ns: int) -> bool:
    try:
        return since_ns <= entry.stat(follow_symlinks=False).st_ctime_ns <= until_ns
    except OSError:
        return False


def in_words(paths: Iterable[str], most: int = 3) -> str:
    """One line for the reasons why a record is incomplete."""
    names = list(paths)
    shown = ", ".join(names[:most]) + (", …" if len(names) > most else "")
    files = "file" if len(names) == 1 else "files"
    return f"{len(names)} {files} in the build dir changed without an event: {shown}"
