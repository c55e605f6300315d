"""Looks for texts that are hidden in a file's literals, each alone and several together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sandbox.preflight.reader.texts import encoded_in, entropy, hidden_in, is_encoded, telling

_PART = re.compile(r"[A-Za-z0-9+/_-]{3,200}={0,2}\Z")
_WIDEST = 6
_MOST_PARTS = 200
_BLOB = 512
_DISORDER = 6.8
"""Bits per byte: compressed or encrypted bytes have more, tables of text and of machine code less."""


class Hidden:
    """The literals of one file, in order."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, str]] = []

    def look(self, text: str, data: bytes, line: int) -> Iterator[tuple[str, str]]:
        """Kinds and texts of what one string hides."""
        if len(self._parts) < _MOST_PARTS and _PART.match(text):
            self._parts.append((line, text))
        found = hidden_in(data)
        if found:
            yield "hidden-text", found
        elif is_encoded(text):
            yield "encoded-literal", f"{len(text)} characters"
        elif len(data) >= _BLOB and not data.isascii():
            yield from self._blob(data)

    def look_at_bytes(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The same for a list of bytes, in which a plain text is hidden already."""
        found = telling(data) or hidden_in(data)
        if found:
            yield "hidden-text", found
        elif len(data) >= _BLOB:
            yield from self._blob(data)

    def split_texts(self) -> Iterator[tuple[int, str]]:
        """Encoded texts that were cut into several literals."""
        parts = [(line, text) for line, text in self._parts if not encoded_in(text.encode())]
        for first, (line, joined) in enumerate(parts):
            for _, part in parts[first + 1 : first + _WIDEST]:
                joined += part
                found = encoded_in(joined.encode())
                if found:
                    yield line, found
                    break

    @staticmethod
    def _blob(data: bytes) -> Iterator[tuple[str, str]]:
        if entropy(data[:65536]) > _DISORDER:
            yield "byte-blob", f"{len(data)} bytes"
