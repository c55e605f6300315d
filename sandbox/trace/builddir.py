"""The build dir, handled as a place that hostile code may have touched: no symbolic link is followed in it or to it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sandbox.errors import SetupError
from sandbox.trace.files import open_dir

TOKEN = ".cargo-sandbox-token"
CACHE_TAG = "CACHEDIR.TAG"
_MARKS = (TOKEN, CACHE_TAG)


def open_build_dir(build_dir: Path | str) -> int:
    """File descriptor of a build dir. Raises OSError, also if it or the folder around it is a symbolic link: both
    lie in a tree that may have been made to point elsewhere."""
    parent, name = os.path.split(os.path.abspath(build_dir))
    parent_fd = open_dir(parent)
    try:
        return open_dir(name, parent_fd)
    finally:
        os.close(parent_fd)


def wipe_build_dir(build_dir: Path | str) -> None:
    """Empty a build dir. A missing one is fine.

    Raises SetupError for a folder that holds things but neither our token nor cargo's cache tag, and OSError if it is
    a symbolic link or something in it can't be removed.
    """
    try:
        fd = open_build_dir(build_dir)
    except FileNotFoundError:
        return
    try:
        names = os.listdir(fd)
        if names and not any(mark in names for mark in _MARKS):
            raise SetupError(
                f"{build_dir} is no build dir of ours and can't be emptied",
                wall="ledger",
                why="it has files but neither our mark nor cargo's",
                fix=f"move {build_dir} away, or choose another target dir with --target-dir",
            )
        for name in sorted(names, key=_MARKS.__contains__):
            remove_tree(name, fd)
    finally:
        os.close(fd)


def remove_tree(name: str, dir_fd: int) -> bool:
    """Remove a file, a link (not its target) or a whole folder. False if there was none. Raises OSError.

    However deep the folder is (a build may have dug for `RecursionError` or for the last file descriptor): folders in
    it are moved beside it before they are emptied. However closed: folders are opened to their owner first.
    """
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=dir_fd)
            return True
    except FileNotFoundError:
        return False
    beside = f".removed-{os.urandom(8).hex()}-"
    left = [name]
    moved = 0
    while left:
        folder = left.pop()
        fd = _open_own_dir(folder, dir_fd)
        try:
            for entry in _entries(fd):
                if entry.is_dir(follow_symlinks=False):
                    os.close(_open_own_dir(entry.name, fd))
                    moved += 1
                    os.rename(entry.name, f"{beside}{moved}", src_dir_fd=fd, dst_dir_fd=dir_fd)
                    left.append(f"{beside}{moved}")
                else:
                    os.unlink(entry.name, dir_fd=fd)
        finally:
            os.close(fd)
        os.rmdir(folder, dir_fd=dir_fd)
    return True


def _entries(fd: int) -> list[os.DirEntry[str]]:
    with os.scandir(fd) as entries:
        return list(entries)


def _open_own_dir(name: str, dir_fd: int) -> int:
    """File descriptor of a folder that its owner may have closed to himself; it is opened to him. Raises OSError."""
    try:
        fd = open_dir(name, dir_fd)
        if os.fstat(fd).st_mode & stat.S_IRWXU == stat.S_IRWXU or os.geteuid() == 0:
            return fd
        os.fchmod(fd, stat.S_IRWXU)
        return fd
    except PermissionError:
        pinned = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        # chmod(2) by name would follow a link that took the folder's place meanwhile.
        os.chmod(f"/proc/self/fd/{pinned}", stat.S_IRWXU)
        return open_dir(".", pinned)
    finally:
        os.close(pinned)
