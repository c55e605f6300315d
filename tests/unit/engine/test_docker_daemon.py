"""Which daemon is meant, and what of it is not good enough; and whose containers may be removed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine import docker_leftovers
from sandbox.engine.docker import seccomp_profile
from sandbox.engine.docker_daemon import DEFAULT, _daemon, address, connect, objection
from sandbox.errors import EngineUnavailable, SetupError


class Impostor:
    """Something that listens at a socket, and answers each connection with `words`, or never."""

    def __init__(self, path: Path, words: bytes | None) -> None:
        self._words = words
        self._held: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._held.append(connection)
                if self._words is not None:
                    connection.recv(1 << 16)
                    connection.sendall(self._words)
                    connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for found in (self._listener, *self._held):
            found.close()


INFO = {
    "OSType": "linux",
    "KernelVersion": os.uname().release,
    "MemoryLimit": True,
    "PidsLimit": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
    "ServerVersion": "20.10.24",
}


def context(home: Path, name: str, host: str) -> None:
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_the_address_is_the_one_that_the_docker_program_would_take(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert address({}, home) == DEFAULT
    context(tmp_path, "mine", "unix:///run/user/1000/docker.sock")
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "mine", "proxies": {}}')
    assert address({}, home) == "unix:///run/user/1000/docker.sock"
    assert address({"DOCKER_CONTEXT": "default"}, home) == DEFAULT
    assert address({"DOCKER_HOST": "unix:///x"}, home) == "unix:///x"
    assert address({"DOCKER_CONFIG": str(tmp_path / "other")}, home) == DEFAULT
    with pytest.raises(EngineUnavailable, match="'yours'"):
        address({"DOCKER_CONTEXT": "yours"}, home)


@pytest.mark.parametrize("where", ["tcp://192.0.2.1:2375", "ssh://user@host.invalid", "npipe:////./pipe/x"])
def test_a_daemon_that_may_be_on_another_machine_is_refused(where: str) -> None:
    with pytest.raises(SetupError, match="can't be used"):
        connect({"DOCKER_HOST": where}, "/nonexistent")


def test_a_daemon_that_does_not_answer_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no Docker daemon answers") as caught:
        connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}, "/nonexistent")
    assert "systemctl start docker" in caught.value.hint
    assert "DOCKER_CONFIG" not in os.environ or os.environ["DOCKER_CONFIG"] != "/nonexistent"


@pytest.mark.parametrize("words", [None, b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"])
def test_something_else_at_the_socket_is_no_daemon_that_answers(tmp_path: Path, words: bytes | None) -> None:
    """A tunnel to nowhere, another service, or a daemon that hangs."""
    impostor = Impostor(tmp_path / "s", words)
    try:
        with pytest.raises(EngineUnavailable, match="no Docker daemon answers") as caught:
            connect({"DOCKER_HOST": f"unix://{tmp_path}/s"}, "/nonexistent", timeout_s=1)
    finally:
        impostor.close()
    assert "DOCKER_HOST" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"MemoryLimit": False}, "memory"),
        ({"PidsLimit": False}, "processes"),
        ({"SecurityOptions": []}, "filters"),
        ({"SecurityOptions": None}, "filters"),
        ({"OSType": "windows"}, "Linux"),
        ({"KernelVersion": "6.12.5-linuxkit"}, "another machine: its kernel is 6.12.5-linuxkit"),
        ({"KernelVersion": None}, "another machine"),
    ],
)
def test_a_daemon_that_lacks_a_wall_is_refused(change: dict[str, object], word: str) -> None:
    assert objection(INFO, "1.41") is None
    refused = objection(INFO | change, "1.41")
    assert refused is not None and word in refused.message and refused.fix


@pytest.mark.parametrize("api", ["1.40", "0.9", "", "one.two"])
def test_a_daemon_without_control_group_namespaces_is_too_old(api: str) -> None:
    refused = objection(INFO, api)
    assert refused is not None and "too old" in refused.message


@pytest.mark.parametrize(
    ("info", "fix"),
    [
        ({}, "cgroup_enable=memory"),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"], "CgroupVersion": "1"}, "unified_cgroup_hierarchy=1"),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"], "CgroupVersion": "2"}, "Delegate=cpu memory pids"),
    ],
)
def test_what_to_do_about_missing_limits_depends_on_the_daemon(info: dict[str, object], fix: str) -> None:
    refused = objection(INFO | {"MemoryLimit": False, "PidsLimit": False} | info, "1.41")
    assert refused is not None and "can't limit memory and processes" in refused.message
    assert fix in refused.fix and "bubblewrap" in refused.fix
    assert ("rootless" in refused.message) == bool(info)


def test_rootless_and_remapped_daemons_are_told_apart(tmp_path: Path) -> None:
    plain = _daemon(INFO, "1.41", str(tmp_path))
    assert (plain.api, plain.rootless_uid, plain.remapped) == ((1, 41), None, False)
    rootless = _daemon(INFO | {"SecurityOptions": ["name=seccomp", "name=rootless"]}, "1.44", str(tmp_path))
    assert rootless.rootless_uid == tmp_path.stat().st_uid
    assert _daemon(INFO | {"SecurityOptions": ["name=seccomp", "name=userns"]}, "1.44", str(tmp_path)).remapped


def test_a_container_is_an_orphan_only_when_its_owner_is_certainly_gone() -> None:
    mine = docker_leftovers.owner()
    uid, where, pid, started = mine.split(" ")
    assert not docker_leftovers.is_orphan(mine)
    assert docker_leftovers.is_orphan(f"{uid} {where} {pid} 1{started}"), "the number belongs to somebody else now"
    assert docker_leftovers.is_orphan(f"{uid} {where} 4194304999 {started}")
    assert not docker_leftovers.is_orphan(f"{int(uid) + 1} {where} 4194304999 {started}"), "another user's"
    assert not docker_leftovers.is_orphan(f"{uid} elsewhere/1 4194304999 {started}"), "another machine's"


@given(st.text(max_size=60))
def test_a_label_that_is_not_ours_makes_no_orphan(label: str) -> None:
    assert not docker_leftovers.is_orphan(label)


def test_without_our_own_syscall_filter_nothing_is_started() -> None:
    """The daemon's default is no substitute: before Docker 25 it allows io_uring."""
    with pytest.raises(SetupError, match="filter") as caught:
        seccomp_profile("csbench-none")
    assert caught.value.wall == "kernel surface"
