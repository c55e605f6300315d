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
    """Remove a file, a link (not its target) or a whole folder. False if there was none. Raises OSError."""
    try:
        mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            import shutil

            shutil.rmtree(name, dir_fd=dir_fd)
        else:
            os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    return True
