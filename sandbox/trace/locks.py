"""Advisory locks on files of ours (flock(2)). They end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def open_lock(name: str, dir_fd: int) -> int:
    """File descriptor of a lock file, made if it is missing. Raises OSError."""
    return os.open(name, _FLAGS, 0o600, dir_fd=dir_fd)


def lock(fd: int, exclusive: bool = True, wait: bool = True) -> bool:
    """Take a lock, or change the one held. False if `wait` is false and another process has it. Raises OSError."""
    operation = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(fd, operation if wait else operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(name: str, dir_fd: int) -> bool:
    """Whether a process holds the lock right now; False if there is no such file."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError:
        return False
    try:
        return not lock(fd, exclusive=False, wait=False)
    except OSError:
        return False
    finally:
        os.close(fd)
