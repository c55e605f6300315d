"""Cuts cargo's standard output into its JSON messages, whatever pieces it comes in."""

from __future__ import annotations

from collections.abc import Callable

MOST = 4 << 20
"""Bytes of the longest message that is put together; of what is longer the pieces are handed on as they are."""


class MessageLines:
    """Hands on whole lines, each with its end. Memory is bounded by `MOST` and one piece."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """The next piece."""
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            for line in (bytes(self._rest) + whole).split(b"\n"):
                self._take(line + b"\n")
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > MOST:
            self.end()

    def end(self) -> None:
        """No more comes: hand on what is left."""
        if self._rest:
            self._take(bytes(self._rest))
            self._rest.clear()
