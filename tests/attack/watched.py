"""Says what was opened, read, written or moved in some folders (inotify(7)); a look at names and sizes says nothing."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_WORDS = {
    0x1: "read", 0x2: "written", 0x4: "attributes", 0x20: "opened", 0x40: "moved from", 0x80: "moved to",
    0x100: "made", 0x200: "removed", 0x400: "removed itself", 0x800: "moved itself",
}  # fmt: skip


class Watch:
    """Watches a folder and all folders below it that are there now."""

    def __init__(self, top: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._places = {}
        for folder, _, _ in os.walk(top):
            number = libc.inotify_add_watch(self._fd, os.fsencode(folder), sum(_WORDS))
            assert number > 0, os.strerror(ctypes.get_errno())
            self._places[number] = folder
        self.seen()

    def seen(self) -> list[str]:
        """What has happened since the last question."""
        found = []
        try:
            data = os.read(self._fd, 1 << 20)
        except BlockingIOError:
            return []
        while data:
            number, mask, _, length = struct.unpack_from("iIII", data)
            name = data[16 : 16 + length].rstrip(b"\0").decode("utf-8", "replace")
            acts = ", ".join(word for bit, word in _WORDS.items() if mask & bit)
            found.append(f"{self._places.get(number, '?')}/{name}: {acts}")
            data = data[16 + length :]
        return found

    def close(self) -> None:
        os.close(self._fd)
