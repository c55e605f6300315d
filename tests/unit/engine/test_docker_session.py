"""Whose process stands for a container: of this machine, or of another one that the daemon's socket leads to."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from docker.errors import APIError

from sandbox.engine.docker import DockerSession, _has_our_network, _has_started_since, _is_first_process
from sandbox.errors import SetupError
from sandbox.plan.model import Limits, Plan
from sandbox.run.build import tell_guard


def boot_clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_only_a_process_that_began_after_we_asked_can_stand_for_a_container() -> None:
    time.sleep(0.05)
    before = boot_clock()
    with subprocess.Popen(["sleep", "5"]) as child:
        assert _has_started_since(child.pid, before)
        assert not _has_started_since(os.getpid(), before)
        child.kill()
    assert not _has_started_since(child.pid, before)
    assert not _has_started_since(2**22 + 1, 0.0)


def test_a_process_of_ours_is_no_first_process_of_a_namespace() -> None:
    assert not _is_first_process(os.getpid())


class Daemon:
    """The part of the SDK that a session uses, of a daemon that starts nothing and calls one of ours the container."""

    def __init__(self, pid: int, starts: Callable[[], object] = lambda: None) -> None:
        self._pid, self._starts = pid, starts
        self._ours, self._theirs = socket.socketpair()

    def events(self, **_asked: Any) -> Iterator[dict[str, Any]]:
        yield from iter(threading.Event().wait, None)

    def attach_socket(self, name: str, params: object) -> socket.socket:
        return self._ours

    def start(self, name: str) -> None:
        self._starts()

    def inspect_container(self, name: str) -> dict[str, Any]:
        return {"State": {"Pid": self._pid}}


PLAN = Plan(command=("cargo",), cwd="/", mounts=(), env=(), limits=Limits(), recorded=True)


def started(daemon: Daemon) -> DockerSession:
    session = DockerSession(daemon, "name", PLAN)  # type: ignore[arg-type]
    session.run()
    return session


def said_to(daemon: Daemon) -> bytes:
    daemon._theirs.setblocking(False)
    try:
        return daemon._theirs.recv(1)
    except BlockingIOError:
        return b""


def test_a_container_in_this_machines_network_is_not_told_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.engine.docker._is_first_process", lambda pid: True)
    with subprocess.Popen(["sleep", "5"]) as child:
        daemon = Daemon(child.pid)
        session = started(daemon)
        with pytest.raises(SetupError, match="this machine's network") as refused:
            tell_guard(session, PLAN)
        assert said_to(daemon) == b""
        session.close()
        child.kill()
    assert refused.value.wall == "network"


def test_a_container_that_takes_long_to_start_keeps_only_its_guard_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.engine.docker._is_first_process", lambda pid: True)
    monkeypatch.setattr("sandbox.engine.docker._has_our_network", lambda pid: False)
    asked = threading.Event()
    daemon = Daemon(os.getpid(), asked.wait)
    session = started(daemon)
    teller = threading.Thread(target=tell_guard, args=(session, PLAN))
    teller.start()
    time.sleep(0.05)
    assert (said_to(daemon), session.pid) == (b"", 0)
    asked.set()
    teller.join()
    assert (said_to(daemon), session.pid) == (b"C", os.getpid())
    session.close()


def test_a_container_that_does_not_start_is_told_of_in_our_words() -> None:
    def fail() -> None:
        raise APIError("no such device")

    daemon = Daemon(os.getpid(), fail)
    session = started(daemon)
    with pytest.raises(SetupError, match="can't be set up") as refused:
        tell_guard(session, PLAN)
    assert (refused.value.wall, said_to(daemon)) == ("container", b"")
    session.close()


def test_who_has_gone_is_in_no_network_of_ours() -> None:
    assert _has_our_network(os.getpid())
    assert not _has_our_network(2**22 + 1)
