"""A named runtime is tried once, by the guard, and what was found is kept no longer than it is true."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli.options import Settings
from sandbox.doctor import look_runtime
from sandbox.engine.docker import identity
from sandbox.engine.fake import FakeEngine
from sandbox.errors import RecordIncomplete, SetupError
from sandbox.plan.facts import RuntimeFacts
from sandbox.run.runtime import demand, forget, look_at

FOUND: dict[str, Any] = {
    "v": 1, "landlock": 0, "filter": True, "sizes_fit": False, "wait_killable": False, "new_listener": False,
    "answered": False, "continued": False, "sync_wakeup": False, "why": "EINVAL", "close_range": True,
    "capabilities": "0", "bounding": "0", "no_new_privs": True, "subreaper": False, "confined": False,
    "kernel": "4.4.0", "interfaces": ["lo"],
}  # fmt: skip
GVISOR = RuntimeFacts("runsc", notify=False, landlock=0)


def engine(found: dict[str, Any] | bytes = FOUND, *, status: int = 0, known: str = "daemon 1") -> FakeEngine:
    made = FakeEngine(found if isinstance(found, bytes) else json.dumps(found).encode(), status, b"exec format error")
    made.info = replace(made.info, runtime="runsc", runtime_is=known)
    return made


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    yield {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_without_a_named_runtime_nothing_is_started(env: dict[str, str]) -> None:
    plain = FakeEngine(b"")
    assert look_at(plain, env) is None and plain.plans == []


def test_it_is_tried_as_a_build_would_stand_there_and_then_kept(env: dict[str, str]) -> None:
    first = engine()
    found = look_at(first, env)
    assert found is not None
    assert (found.notify, found.landlock, found.filters, found.subreaper) == (False, 0, True, False)
    assert (found.kernel, found.network, found.confined) == ("4.4.0", False, False)
    assert [(plan.network, plan.command[-1]) for plan in first.plans] == [(False, "probe")]
    assert all(not plan.recorded and plan.runtime == "" for plan in first.plans)
    second = engine()
    assert look_at(second, env) == found and second.plans == []


@pytest.mark.parametrize(
    ("before", "inside", "after", "shared"),
    [
        ("lo eth0", "lo eth0", "lo eth0", True),
        ("lo eth0", "lo eth0 veth1", "lo eth0 veth1", True),
        ("lo eth0 veth1", "lo eth0", "lo eth0", True),
        ("lo eth0", "lo", "lo eth0", False),
        ("lo eth0", "lo eth0 csbench0", "lo eth0", False),
    ],
)
def test_a_runtime_of_our_own_kernel_is_tried_with_the_hosts_network_too(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, before: str, inside: str, after: str, shared: bool
) -> None:
    looks = iter([before, after])
    monkeypatch.setattr(look_runtime, "host_interfaces", lambda: tuple(next(looks).split()))
    ours = engine(FOUND | {"kernel": os.uname().release, "interfaces": inside.split()})
    found = look_at(ours, env)
    assert found is not None and found.network == shared
    assert [plan.network for plan in ours.plans] == [False, True]


def test_another_daemon_or_runtime_of_the_name_is_tried_anew(env: dict[str, str]) -> None:
    look_at(engine(), env)
    other = engine(FOUND | {"landlock": 7}, known="daemon 2")
    found = look_at(other, env)
    assert found is not None and found.landlock == 7
    again = engine()
    assert (kept := look_at(again, env)) is not None and kept.landlock == 0 and again.plans == []


@pytest.mark.parametrize("rubbish", ["", "{}", "[]", '{"key": 1}', '{"key": "x", "facts": {}}'])
def test_what_is_kept_and_broken_is_not_believed(env: dict[str, str], tmp_path: Path, rubbish: str) -> None:
    look_at(engine(), env)
    [kept] = (tmp_path / "cache/cargo-sandbox/runtimes").iterdir()
    kept.write_text(rubbish)
    again = engine()
    assert look_at(again, env) is not None and len(again.plans) == 1


def test_what_the_guard_could_not_do_there_is_forgotten(env: dict[str, str]) -> None:
    look_at(engine(), env)
    forget(engine(), env)
    again = engine()
    look_at(again, env)
    assert len(again.plans) == 1
    forget(FakeEngine(b""), env)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (engine(b"", status=126), "exec format error"),
        (engine(b"hello\n"), "Expecting value"),
        (engine(FOUND | {"filter": False}), "a syscall filter can't be had there"),
    ],
)
def test_a_runtime_that_runs_nothing_or_holds_nothing_is_refused_and_not_kept(
    env: dict[str, str], tmp_path: Path, broken: FakeEngine, why: str
) -> None:
    with pytest.raises(SetupError) as caught:
        look_at(broken, env)
    assert "runsc" in caught.value.message and why in caught.value.why
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("settings", "code", "word"),
    [
        (Settings(require_complete=True), 122, "--require-complete"),
        (Settings(strict=True), 121, "--strict"),
        (Settings(strict=True, require_complete=True), 121, "--strict"),
    ],
)
def test_who_asks_for_a_whole_record_is_told_before_anything_is_built(settings: Settings, code: int, word: str) -> None:
    with pytest.raises((SetupError, RecordIncomplete)) as caught:
        demand(GVISOR, settings)
    assert caught.value.exit_code == code
    assert "nothing was built" in caught.value.message and "no user notification" in caught.value.message
    assert word in caught.value.hint
    for fine in (None, RuntimeFacts("crun", landlock=7)):
        demand(fine, settings)
    demand(GVISOR, Settings())


def test_a_runtime_is_told_by_its_daemon_by_what_that_says_of_it_and_by_its_program(tmp_path: Path) -> None:
    program = tmp_path / "runsc"
    program.write_text("1")
    info = {"ID": "A", "ServerVersion": "29", "KernelVersion": "6.18", "Runtimes": {"runsc": {"path": str(program)}}}
    known = identity(info, "runsc")
    assert known == identity(dict(info), "runsc")
    others = [
        identity(info | {"ID": "B"}, "runsc"),
        identity(info | {"ServerVersion": "30"}, "runsc"),
        identity(info | {"Runtimes": {"runsc": {"path": str(program), "runtimeArgs": ["--network=host"]}}}, "runsc"),
        identity(info, "io.containerd.runsc.v1"),
    ]
    program.write_text("22")
    others.append(identity(info, "runsc"))
    assert len({known, *others}) == 6
