"""What is particular to the Docker engine: whose a build is, what is left of it, and what it says when it can't."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.engine import docker_leftovers
from sandbox.engine.choose import choose
from sandbox.plan.facts import BUILDER
from tests.engine.crates import KITCHEN, KITCHEN_SAYS, binary, scripted
from tests.engine.test_ending import asleep, assert_nothing_left, sleeper
from tests.engines import broken_bwrap, containers, containers_of, core, only
from tests.harness import Lab, User, plain, processes, sandboxed, start, wait_for

pytestmark = [pytest.mark.engine, only("docker", "its containers, its daemon, its ways of failing")]

ROOTS = only("root", "nobody else's builds are given to another user")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def inspect(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", container))[0]
    return found


@core
@only("root", "the guard's processes tell nobody else of themselves")
def test_the_live_container_has_its_walls_and_nothing_stays_of_it(lab: Lab) -> None:
    """Read from outside, of every process: docs/design.md section 6."""
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    [container] = containers_of(running.pid)
    found = inspect(container)
    host = found["HostConfig"]
    assert not host["Privileged"] and host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert host["NetworkMode"] == "none" and host["LogConfig"]["Type"] == "none"
    assert host["Memory"] == host["MemorySwap"] > 0 and host["PidsLimit"] > 0
    assert found["Config"]["User"] != "0:0" and not found["Config"]["Tty"]
    digest = wait_for(lambda: project.run().header.get("plan_digest"), what="the run's header")
    assert found["Config"]["Labels"][docker_leftovers.PLAN] == digest
    first = found["State"]["Pid"]
    ours = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "pid", "ipc", "uts", "mnt", "cgroup")}
    seen = 0
    for pid in (first, *processes(marker)):
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        sets = {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        assert sets == {"0" * 16}, (pid, sets)
        assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
        assert set(status["Uid"].split()) == {str(BUILDER)}
        for kind, own in ours.items():
            assert os.readlink(f"/proc/{pid}/ns/{kind}") != own, kind
        seen += 1
    assert seen >= 2
    mounts = [line.split() for line in Path(f"/proc/{first}/mountinfo").read_text().splitlines()]
    flags = {fields[4]: set(fields[5].split(",")) for fields in mounts}
    writable = {place for place, words in flags.items() if "rw" in words}
    kernel = {place for place in writable if place == "/proc" or place.startswith(("/proc/", "/dev"))}
    scratch = {place for place in writable if {"nosuid", "nodev"} <= flags[place]}
    assert writable - kernel - scratch == {str(project.target)}
    assert "ro" in flags["/"] and "ro" in flags["/usr"] and "ro" in flags[str(project.dir)]
    running.signal_group(signal.SIGINT)
    running.wait(20)
    assert_nothing_left(project, marker)
    wait_for(lambda: container not in [found["ID"] for found in containers()], 10, "the removal of the container")


def test_what_a_killed_run_left_is_removed_by_the_next_and_other_peoples_is_not(lab: Lab) -> None:
    project = lab.project(binary())
    assert sandboxed(project, "build").code == 0
    image = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "cargo-sandbox-host").split()[0]
    uid, where, pid, started = docker_leftovers.owner().split(" ")
    made = {}
    for name, label in {
        "dead": f"{uid} {where} 4194304999 {started}",
        "alive": f"{uid} {where} {pid} {started}",
        "elsewhere": f"{uid} another/1 4194304999 {started}",
    }.items():
        command = ("create", "--label", f"{docker_leftovers.OWNER}={label}", image, "/x")
        made[name] = docker(*command).strip()
    try:
        assert sandboxed(project, "build").code == 0
        here = {found["ID"] for found in containers()}
        assert made["dead"] not in here
        assert {made["alive"], made["elsewhere"]} <= here
    finally:
        for container in (made["alive"], made["elsewhere"]):
            docker("rm", container)


def test_a_killed_orchestrator_leaves_no_container(lab: Lab) -> None:
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    [container] = containers_of(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(15)
    assert_nothing_left(project, marker)
    wait_for(lambda: container not in [found["ID"] for found in containers()], 10, "the removal of the container")


def test_a_container_that_the_daemon_kills_is_neither_clean_nor_a_hang(lab: Lab) -> None:
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    [container] = containers_of(running.pid)
    docker("kill", container)
    done = running.wait(20)
    assert done.code == 121, done.shown
    assert done.run.result["verdict"] == "incomplete"
    assert_nothing_left(project, marker)


def test_memory_that_the_container_may_not_have_is_a_limit_and_not_a_crash(lab: Lab) -> None:
    """Too fast for the watchdog: the kernel is who says no."""
    greedy = "let mut held = Vec::new(); loop { held.push(vec![1u8; 64 << 20]); std::hint::black_box(&held); }"
    project = lab.project(scripted(f"fn main() {{ {greedy} }}"))
    done = sandboxed(project, "build", options=["--memory-limit", "300M"], timeout=60)
    assert done.code == 124, done.shown
    assert "--memory-limit" in done.stderr


def test_a_build_gets_no_more_of_the_processors_than_it_may(lab: Lab) -> None:
    project, marker = sleeper(lab)
    running = start(project, "build", options=["--cpu-limit", "0.5"])
    asleep(marker)
    [container] = containers_of(running.pid)
    assert inspect(container)["HostConfig"]["NanoCpus"] == 500_000_000
    running.signal_group(signal.SIGINT)
    assert running.wait(20).run.plan["limits"]["cpus"] == 0.5
    elsewhere = sandboxed(project, "build", options=["--engine", "bubblewrap", "--cpu-limit", "1"])
    assert elsewhere.code == 2 and "--cpu-limit is for Docker" in elsewhere.stderr


@core
@ROOTS
def test_roots_build_is_somebody_elses_and_both_engines_take_turns(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    assert plain(project, "build").code == 0
    done = sandboxed(project, "run")
    assert (done.code, done.out) == (0, KITCHEN_SAYS), done.shown
    assert done.run.plan["uid"] == BUILDER
    program = project.target / "debug/app"
    assert program.stat().st_uid == BUILDER and project.build_dir.name == f"build-{BUILDER}"
    assert (project.dir / "Cargo.lock").stat().st_uid == 0, "nothing but the target dir changes hands"
    again = sandboxed(project, "run", options=["--engine", "bubblewrap"])
    assert (again.code, again.out) == (0, KITCHEN_SAYS), again.shown
    assert program.stat().st_uid == 0 and again.run.built() != []
    third = sandboxed(project, "run")
    assert (third.code, third.out) == (0, KITCHEN_SAYS), third.shown
    assert third.run.built() == [], "bubblewrap's build has not touched this one's intermediates"
    assert plain(project, "build").code == 0


@core
@ROOTS
def test_a_hand_over_follows_no_link_and_takes_no_second_name(lab: Lab) -> None:
    project = lab.project(binary())
    assert plain(project, "build").code == 0
    outside = project.home / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (project.target / "link").symlink_to(outside)
    (project.target / "file-link").symlink_to(outside / "file")
    os.link(outside / "file", project.target / "second-name")
    os.mkfifo(project.target / "pipe")
    done = sandboxed(project, "build")
    assert done.code == 0, done.shown
    assert outside.stat().st_uid == 0 and (outside / "file").stat().st_uid == 0
    assert (project.target / "debug").stat().st_uid == BUILDER


@core
@ROOTS
def test_sources_that_the_builds_user_can_not_read_are_named_with_the_remedy(lab: Lab) -> None:
    project = lab.project(binary())
    hidden = project.dir / "src/main.rs"
    hidden.chmod(0o600)
    done = sandboxed(project, "build")
    assert done.code == 121, done.shown
    assert f"{hidden} can't be read by uid {BUILDER}" in done.stderr and "chmod" in done.stderr


@core
@ROOTS
def test_in_somebodys_tree_roots_build_is_theirs(lab: Lab, ordinary: User) -> None:
    project = lab.project(binary())
    for top, _, names in os.walk(project.dir):
        for path in (top, *(os.path.join(top, name) for name in names)):
            os.chown(path, ordinary.uid, ordinary.gid)
    done = sandboxed(project, "build")
    assert done.code == 0, done.shown
    assert done.run.plan["uid"] == ordinary.uid
    assert (project.target / "debug/app").stat().st_uid == ordinary.uid


@only("ordinary", "root's builds are somebody else's with one of the engines")
def test_both_engines_build_as_the_user_and_share_what_is_built(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    done = sandboxed(project, "run", "-j1")
    assert (done.code, done.out) == (0, KITCHEN_SAYS), done.shown
    assert done.run.result["engine"] == "docker" and done.run.result["verdict"] == "clean"
    state = (project.target / "debug/app").stat()
    assert state.st_uid == os.geteuid() and not state.st_mode & (stat.S_ISUID | stat.S_ISGID)
    again = sandboxed(project, "run", "-j1", options=["--engine", "bubblewrap"])
    assert (again.code, again.out, again.run.built()) == (0, KITCHEN_SAYS, []), again.shown


def test_a_daemon_that_is_not_there_is_said_with_what_to_do(lab: Lab) -> None:
    env = {"DOCKER_HOST": f"unix://{lab.base}/no.sock"}
    done = sandboxed(lab.project(binary()), "build", env=env, options=["--engine", "docker"])
    assert done.code == 125, done.shown
    assert "no Docker daemon answers" in done.stderr and "DOCKER_HOST" in done.stderr


def test_auto_takes_docker_where_bubblewrap_can_not_make_its_container(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sandbox.engine.bubblewrap._on_path", lambda: str(broken_bwrap(tmp_path)))
    engine = choose("auto", "", "", str(tmp_path / "cache"))
    assert engine.info.name == "docker"
    assert "Permission denied" in engine.info.why and engine.info.why in engine.info.words


def test_a_runtime_that_the_daemon_does_not_know_is_refused(lab: Lab) -> None:
    done = sandboxed(lab.project(binary()), "build", options=["--runtime", "csbench-none"])
    assert done.code == 121, done.shown
    assert "csbench-none" in done.stderr


def test_a_flood_of_frames_keeps_the_daemon_waiting_and_loses_nothing(lab: Lab) -> None:
    """The orchestrator is stopped for a while; everything is there afterwards."""
    main = 'fn main() { for n in 0..400_000 { println!("line {n}"); } }'
    project = lab.project(binary(main=main))
    assert sandboxed(project, "build").code == 0
    running = start(project, "run", "-q")
    wait_for(lambda: running.so_far(1), what="the first lines")
    os.kill(running.pid, signal.SIGSTOP)
    time.sleep(1)
    os.kill(running.pid, signal.SIGCONT)
    done = running.wait(60)
    assert done.code == 0, done.shown
    assert done.out == b"".join(b"line %d\n" % n for n in range(400_000))
