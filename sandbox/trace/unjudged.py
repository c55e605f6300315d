"""Runs whose units have ended and were not all judged: rules and baselines speak at a run's end.

A mark in the ledger's folder, locked by its run, says so. Where the run is gone and its mark is not (killed, power
lost, disk full), what the ledger says of its units is not the whole of it, and none of them may be called fresh.
"""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.trace import files, locks

_PREFIX = "unjudged."


class Mark:
    """The mark of one run, held until `remove` or the end of this process."""

    def __init__(self, folder: Path, run: str) -> None:
        """Raises OSError if it can't be set."""
        self._folder, self._name = folder, _PREFIX + run
        dir_fd = files.open_dir(folder)
        try:
            self._fd = locks.open_lock(self._name, dir_fd)
        finally:
            os.close(dir_fd)
        locks.lock(self._fd)

    def remove(self) -> None:
        """All was judged. Raises OSError; then the units run again, which errs to the safe side."""
        os.unlink(self._folder / self._name)
        os.close(self._fd)


def abandoned(folder: Path) -> tuple[str, ...]:
    """The runs that left a mark and live no more. Raises OSError."""
    names = [name for name in os.listdir(folder) if name.startswith(_PREFIX)]
    if not names:
        return ()
    dir_fd = files.open_dir(folder)
    try:
        return tuple(name.removeprefix(_PREFIX) for name in sorted(names) if not locks.is_locked(name, dir_fd))
    finally:
        os.close(dir_fd)


def forget(folder: Path, run: str) -> None:
    """Nothing of this run is believed any more. Raises OSError."""
    os.unlink(folder / (_PREFIX + run))
