"""Remembers which packages were found unchanged, by the state of all their files."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from sandbox.cargo.files import Unreadable, read_bytes

_FILE = "integrity-1.json"
_MAX_BYTES = 32 << 20
_MAX_ENTRIES = 50_000
_MODE = 0o700


class Kept:
    """Stamps of unchanged packages by key, in a folder of ours; None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, str] = self._load()
        self._new: dict[str, str] = {}

    def has(self, key: str, stamp: str) -> bool:
        """Whether the package was found unchanged in just this state."""
        return self._known.get(key) == stamp

    def add(self, key: str, stamp: str) -> None:
        """Remember that it was."""
        self._new[key] = stamp

    def save(self) -> None:
        """Write what is new. A folder that can't be written to only costs time, later."""
        if self._folder is None or not self._new:
            return
        # The newest are at the end, so the oldest go first.
        known = {key: value for key, value in self._known.items() if key not in self._new} | self._new
        entries = dict(list(known.items())[-_MAX_ENTRIES:])
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
            fd, fresh = tempfile.mkstemp(prefix=".integrity-", dir=self._folder)
            try:
                with open(fd, "w", encoding="utf-8") as stream:
                    json.dump(entries, stream)
                os.replace(fresh, self._folder / _FILE)
            except OSError:
                os.unlink(fresh)

    def _load(self) -> dict[str, str]:
        if self._folder is None:
            return {}
        try:
            data = json.loads(read_bytes(self._folder / _FILE, _MAX_BYTES))
        except (FileNotFoundError, Unreadable, ValueError, RecursionError):
            return {}
        if not isinstance(data, dict):
            return {}
        return {key: value for key, value in data.items() if isinstance(value, str)}
