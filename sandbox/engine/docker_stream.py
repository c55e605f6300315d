"""The attached stream of a container, taken apart into two pipes.

Without a terminal the daemon sends standard output and error over one connection, in pieces with a header of eight
bytes: the stream's number, three zeros, the length as a big-endian number (Docker Engine API, ContainerAttach).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import threading
from collections.abc import Iterator

HEADER = 8
_PIECE = 256 * 1024
_PIPE = 1 << 20
_STDOUT, _STDERR = 1, 2


class BrokenStream(ValueError):
    """The daemon sent something that is no piece of an attached stream."""


class Splitter:
    """Takes the stream apart in any pieces that it comes in; holds no more than a header."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._stream = 0
        self._left = 0

    def feed(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """(stream, bytes) for each part, in order; the bytes are views of `data`. Raises BrokenStream."""
        while data:
            if self._left:
                part = data[: self._left]
                self._left -= len(part)
                yield self._stream, part
                data = data[len(part) :]
                continue
            missing = HEADER - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == HEADER:
                self._stream, zeros, self._left = struct.unpack(">B3sL", self._header)
                self._header.clear()
                if self._stream not in (_STDOUT, _STDERR) or any(zeros):
                    raise BrokenStream(f"no stream has number {self._stream}")


class Streams:
    """One thread that copies from the connection `fd` (ours from now on) to the pipes `stdout_fd` and `stderr_fd`.

    When nobody reads the pipes the thread waits, then the daemon, then the guard: nothing is kept in memory.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.stdout_fd, self._out = os.pipe()
        self.stderr_fd, self._err = os.pipe()
        with contextlib.suppress(OSError):  # above the user's share of pipe memory: slower, no less right
            fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._copy, name="docker-stream", daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        buffer = memoryview(bytearray(_PIECE))
        splitter = Splitter()
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        try:
            while True:
                ready = dict(poll.poll())
                if self._wake_read in ready:
                    return
                try:
                    count = os.readv(self._fd, [buffer])
                except BlockingIOError:
                    continue
                except ConnectionError:
                    count = 0
                if count == 0:
                    return
                for stream, part in splitter.feed(buffer[:count]):
                    self._write(self._out if stream == _STDOUT else self._err, part)
        except BrokenStream as error:
            with contextlib.suppress(OSError):
                self._write(self._err, memoryview(f"the Docker daemon's stream is broken: {error}\n".encode()))
        except OSError:
            return
        finally:
            os.close(self._out)
            os.close(self._err)

    def _write(self, fd: int, data: memoryview) -> None:
        while data:
            data = data[os.write(fd, data) :]

    def close(self) -> None:
        """Close our ends, which ends the thread wherever it is, and then the connection."""
        for fd in (self.stdout_fd, self.stderr_fd):
            os.close(fd)
        os.write(self._wake_write, b"x")
        self._thread.join()
        for fd in (self._wake_write, self._wake_read, self._fd):
            os.close(fd)
