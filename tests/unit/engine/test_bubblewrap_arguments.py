"""A plan becomes bwrap's arguments one to one."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from sandbox.engine.bubblewrap import Bubblewrap, _arguments, _search_path, mounted_on_settings
from sandbox.engine.fake import FakeEngine
from sandbox.errors import EngineUnavailable, SetupError
from sandbox.plan.model import Limits, Mount, Plan

PLAN = Plan(
    command=("/opt/cargo", "build"),
    cwd="/project",
    mounts=(
        Mount("ro", "/usr", "/usr"),
        Mount("tmpfs", "/tmp", size=5, mode=0o1777),
        Mount("symlink", "/bin", "usr/bin"),
        Mount("rw", "/project/target", "/project/target"),
        Mount("proc", "/proc"),
        Mount("dev", "/dev"),
    ),
    env=(("A", "1"),),
    limits=Limits(),
    recorded=True,
)


def test_a_recorded_build_has_no_network_no_capability_and_the_guard_as_first_process() -> None:
    words = list(_arguments(PLAN))
    for wanted in (
        "--unshare-net",
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--as-pid-1",
        "--die-with-parent",
    ):
        assert wanted in words
    assert words[words.index("--cap-drop") + 1] == "ALL"
    remounted = [words[at + 1] for at, word in enumerate(words) if word == "--remount-ro"]
    assert [path for path in remounted if not path.startswith("/proc/")] == ["/dev", "/"]
    assert "--setenv" not in words


def test_mounts_keep_their_order_and_kind() -> None:
    words = list(_arguments(PLAN))
    text = " ".join(words)
    assert "--ro-bind /usr /usr --size 5 --perms 1777 --tmpfs /tmp --symlink usr/bin /bin" in text
    assert "--bind /project/target /project/target" in text


def test_settings_of_the_machine_are_covered_once_proc_is_there() -> None:
    words = list(_arguments(PLAN))
    covered = [words[at + 1 : at + 3] for at, word in enumerate(words) if word == "--ro-bind-try"]
    assert ["/proc/sys", "/proc/sys"] in covered and ["/proc/sysrq-trigger", "/proc/sysrq-trigger"] in covered
    assert words.index("--ro-bind-try") > words.index("--proc")


def test_what_proc_tells_of_the_machine_is_covered_where_this_kernel_tells_it() -> None:
    words = list(_arguments(PLAN))
    over = [words[at + 2] for at, word in enumerate(words) if words[at : at + 2] == ["--ro-bind", "/dev/null"]]
    empty = [words[at + 1] for at, word in enumerate(words) if word == "--tmpfs" and words[at + 1].startswith("/proc")]
    assert "/proc/interrupts" in over
    assert all(os.path.isfile(path) for path in over) and all(os.path.isdir(path) for path in empty)
    assert {"/proc/keys", "/proc/acpi"} & {*map(str, Path("/proc").iterdir())} <= {*over, *empty}


def test_what_the_machine_has_mounted_on_its_settings_is_found_once_and_nothing_else() -> None:
    places = (
        "/", "/proc", "/proc/sys/fs/binfmt_misc", "/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd", "/proc/fs/nfsd/deeper",
        "/proc/fs/nfsd-other", "/proc/system", "/srv/proc/sys/fs", "/proc/1/root",
    )  # fmt: skip
    lines = (f"{at} 1 0:{at} / {place} rw,relatime shared:7 - tmpfs none rw" for at, place in enumerate(places))
    assert mounted_on_settings("\n".join(lines).encode()) == ["fs/nfsd", "fs/nfsd-other", "sys/fs/binfmt_misc"]


def test_only_a_plan_that_says_so_has_network() -> None:
    words = list(_arguments(dataclasses.replace(PLAN, network=True, recorded=False)))
    assert "--unshare-net" not in words
    assert words[words.index("--setenv") :][:3] == ["--setenv", "A", "1"]


def test_without_bwrap_the_engine_is_unavailable_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sandbox.engine.bubblewrap._on_path", lambda: "")
    with pytest.raises(EngineUnavailable) as caught:
        Bubblewrap()
    assert caught.value.exit_code == 125
    assert "apt install bubblewrap" in caught.value.hint


def test_the_fake_engine_says_its_frames_and_keeps_what_it_was_told() -> None:
    engine = FakeEngine(b"hello", status=3)
    session = engine.start(PLAN)
    os.write(session.stdin_fd, b"config")
    assert os.read(session.stdout_fd, 100) == b"hello"
    assert session.wait(5) == 3
    session.close()
    assert engine.plans == [PLAN]


def test_a_bwrap_of_the_tree_is_never_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".::bin")
    assert [part for part in _search_path().split(":") if not part.startswith("/")] == []
    monkeypatch.setenv("PATH", f".:{tmp_path}")
    assert _search_path().endswith(f":{tmp_path}")


def test_the_first_program_of_that_name_is_taken_and_no_folder_or_plain_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    monkeypatch.setattr("sandbox.engine.bubblewrap._search_path", lambda: f"{first}:{second}:{third}")
    (first / "bwrap").mkdir(parents=True)
    for folder in (second, third):
        folder.mkdir()
        (folder / "bwrap").write_text("#!/bin/sh\n")
        (folder / "bwrap").chmod(0o644)
    with pytest.raises(EngineUnavailable):
        Bubblewrap()
    (third / "bwrap").chmod(0o755)
    assert Bubblewrap().program == str(third / "bwrap")


def test_more_mounts_than_bwrap_takes_are_refused_with_what_to_do() -> None:
    mounts = tuple(Mount("ro", f"/project/{number}/.env", "/empty") for number in range(3_000))
    with pytest.raises(SetupError) as caught:
        Bubblewrap("/bin/false").start(dataclasses.replace(PLAN, mounts=mounts))
    assert caught.value.hint
