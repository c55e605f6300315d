"""Looking: what programs and daemons answer becomes facts, and what they don't answer is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.doctor import look
from sandbox.doctor.facts import NAMESPACES
from sandbox.doctor.look_docker import _libseccomp, look_docker, read_docker
from sandbox.plan.mounts import GUARD

WORDS = (
    '{"v":1,"landlock":7,"sizes_fit":true,"wait_killable":false,"new_listener":true,"answered":true,"continued":true,'
    '"sync_wakeup":true,"why":"","close_range":true,"capabilities":"00000000000000ff","bounding":"0","user":"user:[1]",'
    '"filter":true,"no_new_privs":true,"subreaper":false,"confined":true,"kernel":"6.1.0","interfaces":["eth0","a"]}'
)

# From `GET /version` and `GET /info` of Docker 20.10 on Debian 12.
VERSION = {
    "Version": "20.10.24+dfsg1",
    "ApiVersion": "1.41",
    "Components": [
        {"Name": "Engine", "Version": "20.10.24+dfsg1"},
        {"Name": "containerd", "Version": "1.6.20~ds1"},
        {"Name": "runc", "Version": "1.1.5+ds1"},
    ],
}
INFO = {
    "KernelVersion": "6.1.0-42-amd64",
    "CgroupVersion": "1",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "MemoryLimit": True,
    "SwapLimit": False,
    "PidsLimit": True,
    "Runtimes": {"runc": {"path": "runc"}, "runsc": {"path": "/usr/bin/runsc"}},
    "DefaultRuntime": "runc",
    "Driver": "overlay2",
}


def test_the_guard_s_words_become_facts() -> None:
    probe = look.read_probe(WORDS)
    assert (probe.landlock, probe.wait_killable, probe.answered, probe.capabilities) == (7, False, True, 0xFF)
    assert probe.namespaces == dict.fromkeys(NAMESPACES, "") | {"user": "user:[1]"}
    assert (probe.filter, probe.no_new_privs, probe.subreaper, probe.confined) == (True, True, False, True)
    assert (probe.kernel, probe.interfaces, probe.notifies) == ("6.1.0", ("a", "eth0"), True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v":2}', "cargo-sandbox: probe: No such file"])
def test_the_words_of_another_program_are_not_believed(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        look.read_probe(text)


def test_a_daemon_s_answers_become_facts() -> None:
    found = read_docker("/run/docker.sock", VERSION, INFO, "2.5.4")
    assert (found.version, found.api, found.runc, found.libseccomp) == ("20.10.24+dfsg1", "1.41", "1.1.5+ds1", "2.5.4")
    assert (found.limits, found.runtimes) == (("memory", "pids"), ("runc", "runsc"))
    assert found.storage == "overlay2"


@given(st.dictionaries(st.sampled_from([*VERSION, *INFO]), st.none() | st.text() | st.booleans() | st.lists(st.text())))
def test_whatever_a_daemon_answers_is_read_without_a_crash(answer: dict[str, object]) -> None:
    read_docker("/x", answer, answer, "")


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://192.0.2.7:2376", "nonsense://", "ssh://x"])
def test_a_daemon_that_can_t_be_used_is_an_answer_and_no_crash(address: str, tmp_path: Path) -> None:
    found = look_docker({"DOCKER_HOST": address, "HOME": str(tmp_path)})
    assert found.error and found.remedy
    assert "\n" not in found.error


def _program(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("commit", "found"), [("1.3.6+ds1-1", "2.6.1"), ("1.1.5+ds1-1+deb12u1", ""), ("", ""), (None, "")]
)
def test_only_the_daemons_own_runc_tells_of_its_libseccomp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str | None, found: str
) -> None:
    """A second daemon brings its own runc; the one that is found here may be another."""
    words = "runc version 1.3.6+ds1\ncommit: 1.3.6+ds1-1\nspec: 1.2.1\nlibseccomp: 2.6.1"
    _program(tmp_path, "runc", f"echo '{words}'")
    monkeypatch.setattr(look, "_SYSTEM_PATH", f"{tmp_path}:/usr/bin:/bin")
    version = {"Components": [{"Name": "runc", "Version": "1.3.6+ds1", "Details": {"GitCommit": commit}}]}
    assert _libseccomp({}, version) == found


def test_programs_are_asked_in_the_root_directory_without_any_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CSBENCH_SEEN", "yes")
    assert look.ask([_program(tmp_path, "teller", 'echo "$PWD$CSBENCH_SEEN$HOME"')]) == "/\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo git version 2.47.3", "2.47.3"),
        ("echo none", ""),
        ("exit 3", ""),
        ("", ""),
        ("echo cargo 1.9.0 x", "1.9.0"),
    ],
)
def test_the_version_is_the_first_word_that_begins_with_a_digit(tmp_path: Path, text: str, expected: str) -> None:
    assert look.version(_program(tmp_path, "tool", text), "-V") == expected


def test_a_relative_directory_of_path_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "csbench-tool", "exit 0")
    monkeypatch.chdir(tmp_path)
    assert look.which("csbench-tool", {"PATH": ".::"}) == ""
    assert look.which("csbench-tool", {"PATH": str(tmp_path)}) == str(tmp_path / "csbench-tool")


def test_the_container_that_is_tried_shows_nothing_of_the_user() -> None:
    plan = look.probe_plan(Path("/opt/guard"))
    assert plan.command == (GUARD, "probe")
    assert not plan.network
    assert not plan.env
    assert [mount for mount in plan.mounts if mount.kind == "rw"] == []
    assert not [mount for mount in plan.mounts if mount.source.startswith(("/home", "/root", "/etc"))]
