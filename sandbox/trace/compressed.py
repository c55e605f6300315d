"""Crash-safe compressed files: a row of independent zstd frames, each complete in itself (RFC 8878).

Whatever byte such a file breaks off at, all frames before it can be read. Frames hold at most 256 KiB of content.
The reader trusts nothing: sizes are checked before memory is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from sandbox.trace.files import write_all

FRAME_CONTENT = 256 << 10
"""Content bytes after which a frame is closed."""

FRAME_AGE_S = 2.0
"""Seconds that content may wait before its frame is closed."""

_LEVEL = 3
_MAGIC = 0xFD2FB528
_BLOCK_MAX = 128 << 10
_CONTENT_MAX = 1 << 20
_COMPRESSED_MAX = _CONTENT_MAX + (64 << 10)
_READ = 1 << 20


class FrameFile:
    """Appends content to an open file descriptor as zstd frames. Not thread-safe. Raises OSError when writing fails."""

    __slots__ = ("_buffer", "_compressor", "_fd", "_since", "stored", "taken")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()
        self._compressor: Any = None
        self._since: float | None = None
        self.taken = 0
        """Content bytes appended so far."""
        self.stored = 0
        """Compressed bytes written so far."""

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Take content; a full frame is written at once."""
        self.taken += len(data)
        if len(self._buffer) + len(data) < FRAME_CONTENT:
            self._buffer += data
            return
        view = memoryview(data)
        while view:
            room = FRAME_CONTENT - len(self._buffer)
            self._buffer += view[:room]
            view = view[room:]
            if len(self._buffer) == FRAME_CONTENT:
                self.flush()

    def tick(self, now: float) -> None:
        """Tell the time in monotonic seconds: content that has waited for two seconds is written."""
        if not self._buffer:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= FRAME_AGE_S:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as one whole frame."""
        self._since = None
        if not self._buffer:
            return
        if self._compressor is None:
            import zstandard

            self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
        frame: bytes = self._compressor.compress(self._buffer)
        self._buffer = bytearray()
        write_all(self._fd, frame)
        self.stored += len(frame)


class FrameReader:
    """Content of a file of frames, piece by piece, with bounded memory.

    After the iteration `torn` tells that the file ends inside a frame (a crash, or a run that is still being written)
    and `damaged` that something in it is no frame of ours; the pieces before were good in either case.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.torn = False
        self.damaged = False

    def __iter__(self) -> Iterator[bytes]:
        import zstandard

        decompressor = zstandard.ZstdDecompressor()
        buffer = b""
        while True:
            part = os.read(self._fd, _READ)
            buffer += part
            start = 0
            while (end := frame_end(buffer, start)) > 0:
                content = self._content(zstandard, decompressor, buffer[start:end])
                if content is None:
                    self.damaged = True
                    return
                start = end
                yield content
            buffer = buffer[start:]
            if end < 0 or len(buffer) > _COMPRESSED_MAX:
                self.damaged = True
                return
            if not part:
                self.torn = bool(buffer)
                return

    @staticmethod
    def _content(zstandard: Any, decompressor: Any, frame: bytes) -> bytes | None:
        try:
            size = zstandard.get_frame_parameters(frame).content_size
            if not 0 < size <= _CONTENT_MAX:
                return None
            content: bytes = decompressor.decompress(frame, max_output_size=_CONTENT_MAX)
        except zstandard.ZstdError:
            return None
        return content


def frame_end(data: bytes, start: int) -> int:
    """Offset just after the zstd frame that begins at `start`; 0 if it is not whole yet, -1 if it is no frame.

    Walks the block headers (RFC 8878 §3.1.1), so that neither the file's nor the frame's size is taken on trust.
    """
    left = len(data) - start
    if left < 4:
        return 0 if data[start:] == _MAGIC.to_bytes(4, "little")[:left] else -1
    if int.from_bytes(data[start : start + 4], "little") != _MAGIC:
        return -1
    if left < 5:
        return 0
    descriptor = data[start + 4]
    single = descriptor >> 5 & 1
    size_field = (single, 2, 4, 8)[descriptor >> 6]
    at = start + 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + size_field
    content = 0
    while at + 3 <= len(data):
        header = int.from_bytes(data[at : at + 3], "little")
        kind, size = header >> 1 & 3, header >> 3
        content += _BLOCK_MAX if kind == 2 else size
        if kind == 3 or size > _BLOCK_MAX or content > _CONTENT_MAX + _BLOCK_MAX:
            return -1
        at += 3 + (1 if kind == 1 else size)
        if header & 1:
            at += 4 if descriptor & 4 else 0
            return at if at <= len(data) else 0
    return 0
