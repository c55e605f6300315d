"""Listeners on the host: a build that reaches one of them has left its network namespace."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_NUMBERS = itertools.count()


@dataclass
class Listener:
    """What has come in. `address` is the port, the path or the abstract name."""

    address: str
    heard: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def tcp() -> Iterator[Listener]:
    """On 127.0.0.1, at a free port."""
    server = socket.create_server(("127.0.0.1", 0))
    with _listening(server, Listener(f"127.0.0.1:{server.getsockname()[1]}")) as listener:
        yield listener


@contextlib.contextmanager
def udp() -> Iterator[Listener]:
    """On 127.0.0.1, at a free port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    with _listening(server, Listener(f"127.0.0.1:{server.getsockname()[1]}")) as listener:
        yield listener


@contextlib.contextmanager
def abstract() -> Iterator[Listener]:
    """An abstract unix socket, which belongs to the network namespace and not to any file system."""
    name = f"csbench-{os.getpid()}-{next(_NUMBERS)}"
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0" + name)
    server.listen()
    with _listening(server, Listener(name)) as listener:
        yield listener


@contextlib.contextmanager
def unix(path: Path) -> Iterator[Listener]:
    """A unix socket with a name in the file system, as docker and the ssh agent have."""
    server = socket.socket(socket.AF_UNIX)
    path.unlink(missing_ok=True)  # of a listener before us
    here = os.open(path.parent, os.O_PATH)  # the path may be longer than a socket's name can be
    try:
        server.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)
    server.listen()
    path.chmod(0o777)
    with _listening(server, Listener(str(path))) as listener:
        yield listener


@contextlib.contextmanager
def _listening(server: socket.socket, listener: Listener) -> Iterator[Listener]:
    server.settimeout(0.1)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError, ConnectionError):
                if server.type == socket.SOCK_DGRAM:
                    listener.heard.append(server.recv(100))
                else:
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(1)
                        listener.heard.append(connection.recv(100))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener
    finally:
        over.set()
        thread.join()
        server.close()
