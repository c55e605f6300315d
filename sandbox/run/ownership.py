"""Whose files are, when root runs a build that shall not be root's.

The Docker engine gives root's builds to another user, who must be able to write there; when root later builds with
bubblewrap, which keeps the caller's id, the same folders come back. Nothing happens for anybody but root.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from sandbox.errors import SetupError
from sandbox.plan.secrets import is_within


def hand_over(target: str, uid: int, gid: int, given: tuple[int, ...], skip: str) -> None:
    """Give `target` and what lies below it to a user, as far as it belongs to one of `given` (user ids).

    `skip` is our own folder in it, whose parts have their own owners. No link is followed, no other file system
    entered, and a file with a second name is left alone, for that name may lie anywhere. Raises SetupError when it
    can't be done.
    """
    if os.geteuid() != 0:
        return
    try:
        whole = os.stat(target)
        if whole.st_uid not in given:
            return
        for top, folders, names, fd in os.fwalk(target, follow_symlinks=False):
            here = os.fstat(fd)
            if here.st_dev != whole.st_dev:
                folders.clear()
                continue
            if top == target and skip in folders:
                folders.remove(skip)
            elif top != target and here.st_uid in given:
                os.fchown(fd, uid, gid)
            for name in names:
                _give_file(name, fd, uid, gid, given)
        # Last, since its owner says whether there is anything to do.
        os.chown(target, uid, gid, follow_symlinks=False)
    except (OSError, RecursionError) as error:
        raise SetupError(
            f"the target dir {target} can't be given to uid {uid}: {error}",
            wall="host files",
            why="the build does not run as root, and has to write there",
            fix="remove the target dir, or give another one with --target-dir",
        ) from error


def _give_file(name: str, dir_fd: int, uid: int, gid: int, given: tuple[int, ...]) -> None:
    state = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1 or state.st_uid not in given:
        return
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        state = os.fstat(fd)
        if stat.S_ISREG(state.st_mode) and state.st_nlink == 1 and state.st_uid in given:
            os.fchown(fd, uid, gid)
    finally:
        os.close(fd)


def open_packages(cargo_home: str, folders: Iterable[str], cache_dir: str, uid: int) -> None:
    """Let everybody read the packages that cargo unpacked below `cargo_home`: some bring files for their owner alone.

    Nothing is done for anybody but root's builds as somebody else, nor to sources that are no copy of a registry's. A
    package is looked through once; which ones were is kept below `cache_dir`. Raises SetupError when it can't be done.
    """
    if os.geteuid() != 0 or uid == 0:
        return
    memory = os.path.join(cache_dir, "opened-packages")
    try:
        with open(memory, encoding="utf-8", errors="surrogateescape") as stored:
            known = set(stored.read().split("\n"))
    except OSError:
        known = set()
    fresh = []
    try:
        for folder in sorted({path for path in folders if is_within(path, f"{cargo_home}/registry/src")}):
            state = os.stat(folder)
            key = f"{folder} {state.st_ino} {state.st_mtime_ns}"
            if key not in known:
                _open(folder)
                fresh.append(key)
    except OSError as error:
        raise SetupError(
            f"a package in {cargo_home} can't be made readable: {error}",
            wall="host files",
            why="the build does not run as root, and has to read it",
            fix="use --engine bubblewrap, or build as an ordinary user",
        ) from error
    if fresh:
        with (
            contextlib.suppress(OSError),
            open(memory, "a", encoding="utf-8", errors="surrogateescape") as out,
        ):
            out.write("".join(f"{key}\n" for key in fresh))


def _open(folder: str) -> None:
    for _, _, names, fd in os.fwalk(folder, follow_symlinks=False):
        here = os.fstat(fd)
        if here.st_mode & 0o005 != 0o005:
            os.fchmod(fd, stat.S_IMODE(here.st_mode) | 0o055)
        for name in names:
            state = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode) and not state.st_mode & 0o004:
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
                try:
                    os.fchmod(file, stat.S_IMODE(os.fstat(file).st_mode) | 0o044)
                finally:
                    os.close(file)


def check_readable(shown: tuple[str, ...], files: tuple[str, ...], uid: int, gid: int) -> None:
    """Raise SetupError for the first of `files` that a user could not read although it is shown (lies in `shown`).

    Looks at the permission bits, of the folders below what is shown too. Only root builds as somebody else, so for
    anybody but root there is nothing to find.
    """
    if os.geteuid() != 0 or uid == 0:
        return
    seen: dict[str, bool] = {}

    def allows(path: str, bit: int) -> bool:
        if path not in seen:
            try:
                state = os.stat(path)
            except OSError:
                return True  # cargo says what is missing
            shift = 6 if state.st_uid == uid else 3 if state.st_gid == gid else 0
            seen[path] = bool(state.st_mode >> shift & bit)
        return seen[path]

    for path in (*shown, *files):
        top = max((one for one in shown if is_within(path, one)), key=len, default="")
        bad = None if allows(path, 5 if os.path.isdir(path) else 4) else path
        folder = os.path.dirname(path)
        while bad is None and top and is_within(folder, top) and folder not in seen:
            bad = None if allows(folder, 1) else folder
            folder = os.path.dirname(folder)
        if bad is not None:
            raise SetupError(
                f"{bad} can't be read by uid {uid}, whom the build runs as",
                wall="host files",
                why="root's builds run as somebody without any right to root's files",
                fix=f"chmod go+rX {bad}, run as its owner, or use --engine bubblewrap",
            )
