"""The frames that host and guard exchange over the guard's stdin and stdout.

A frame is one type byte, the payload's length as a little-endian u32, and the payload (at most 1 MiB). The guard's
stdout carries nothing else, so a byte that fits nowhere is a broken or hostile guard and ends the run: fail closed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from sandbox.errors import SandboxError

MAX_PAYLOAD = 1 << 20
"""Largest payload of a frame in bytes, in both directions."""

STATE, STDOUT, STDERR, EVENTS, UNIT, PROGRAM, FAIL, EXIT = "S", "O", "E", "V", "U", "P", "F", "X"
"""Types of the frames that the guard sends."""

CONFIG, INPUT, INPUT_END, WINDOW, SIGNAL, QUIT = "C", "I", "Z", "W", "K", "Q"
"""Types of the frames that the host sends."""

FROM_GUARD = frozenset((STATE, STDOUT, STDERR, EVENTS, UNIT, PROGRAM, FAIL, EXIT))
FROM_HOST = frozenset((CONFIG, INPUT, INPUT_END, WINDOW, SIGNAL, QUIT))

_HEADER = struct.Struct("<BI")
_INPUT_PIECE = 64 << 10


class ProtocolError(SandboxError):
    """The bytes are not frames: a type that this side never gets, a payload over the limit, or a cut-off frame.

    Whatever the guard was to keep up can't be relied on any more, so this counts as a wall that fell.
    """

    exit_code = 121


Frame: TypeAlias = tuple[str, bytes]
"""One frame: its type (one of the letters above) and its payload."""


class FrameDecoder:
    """Cuts a byte stream into frames, whatever pieces it comes in.

    `accept` is the set of types this side may receive. Memory is bounded by one frame plus the largest piece fed.
    After a ProtocolError the decoder stays broken: every later call raises it again.
    """

    __slots__ = ("_accept", "_broken", "_buffer", "_start")

    def __init__(self, accept: frozenset[str] = FROM_GUARD) -> None:
        self._accept = {ord(kind): kind for kind in accept}
        self._buffer = bytearray()
        self._start = 0
        self._broken = ""

    @property
    def pending(self) -> int:
        """Bytes that were fed and do not yet belong to a returned frame."""
        return len(self._buffer) - self._start

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Frame]:
        """Add bytes and iterate over the frames that are now whole.

        The bytes are taken at once; frames left unread by one iterator are given by the next.
        Raises ProtocolError from the iterator, after the good frames that came before.
        """
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        if not self._broken:
            self._buffer += data
        return self._frames()

    def finish(self) -> None:
        """Tell that the stream has ended. Raises ProtocolError if it ended inside a frame."""
        if self._broken:
            raise ProtocolError(self._broken)
        if self.pending:
            raise self._break(f"the stream ended inside a frame ({self.pending} bytes left over)")

    def _frames(self) -> Iterator[Frame]:
        if self._broken:
            raise ProtocolError(self._broken)
        buffer, accept = self._buffer, self._accept
        while self._start < len(buffer):
            kind = accept.get(buffer[self._start])
            if kind is None:
                raise self._break(f"unknown frame type 0x{buffer[self._start]:02x}")
            if len(buffer) - self._start < _HEADER.size:
                return
            _, length = _HEADER.unpack_from(buffer, self._start)
            if length > MAX_PAYLOAD:
                raise self._break(f"frame {kind!r} announces {length} bytes, the limit is {MAX_PAYLOAD}")
            begin = self._start + _HEADER.size
            if len(buffer) < begin + length:
                return
            with memoryview(buffer) as view:
                payload = bytes(view[begin : begin + length])
            self._start = begin + length
            yield kind, payload

    def _break(self, reason: str) -> ProtocolError:
        self._broken = reason
        self._buffer.clear()
        self._start = 0
        return ProtocolError(reason)


def encode(kind: str, payload: bytes = b"") -> bytes:
    """One frame of any type. Raises ProtocolError if the payload is over the limit."""
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(f"frame {kind!r} would have {len(payload)} bytes, the limit is {MAX_PAYLOAD}")
    return _HEADER.pack(ord(kind), len(payload)) + payload


def encode_pairs(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """Key and value pairs as NUL-ended strings: the form of the config frame and of the guard's roles file.

    Keys may repeat and their order is kept. Raises ProtocolError for a NUL in a key or a value.
    """
    parts: list[bytes] = []
    for key, value in pairs:
        name = key.encode()
        if b"\0" in name or b"\0" in value:
            raise ProtocolError(f"config value of {key!r} contains a NUL byte")
        parts += (name, value)
    return b"\0".join(parts) + b"\0" if parts else b""


def encode_config(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """The first frame to the guard. Raises ProtocolError for a NUL inside or more than 1 MiB in all."""
    return encode(CONFIG, encode_pairs(pairs))


def encode_input(data: bytes) -> bytes:
    """Bytes for the build's standard input, as one or more frames (none for no bytes)."""
    return b"".join(encode(INPUT, data[at : at + _INPUT_PIECE]) for at in range(0, len(data), _INPUT_PIECE))


def encode_input_end() -> bytes:
    """The build's standard input ends here."""
    return encode(INPUT_END)


def encode_window(rows: int, cols: int) -> bytes:
    """Size of the host's terminal in characters; larger than a u16 is cut to its maximum."""
    return encode(WINDOW, struct.pack("<HH", min(max(rows, 0), 0xFFFF), min(max(cols, 0), 0xFFFF)))


def encode_signal(number: int) -> bytes:
    """A signal for the build's process group. Raises ProtocolError for a number that is no signal (1 to 64)."""
    if not 1 <= number <= 64:
        raise ProtocolError(f"{number} is not a signal number")
    return encode(SIGNAL, bytes((number,)))


def encode_quit() -> bytes:
    """Kill everything now and report."""
    return encode(QUIT)
