"""Other daemons than the usual one: remapped users, rootless, one that sees another tree, one that is elsewhere."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import Daemon, in_another_tree, needs_root, rootless, started
from tests.engine.crates import KITCHEN, KITCHEN_SAYS, binary, scripted
from tests.engine.test_ending import asleep, assert_nothing_left, sleeper
from tests.engines import only
from tests.harness import Lab, Project, User, sandboxed, start, wait_for

pytestmark = [pytest.mark.engine, only("docker", "its daemon is what this is about")]

# Reads a decoy and asks the network: what every wall and every record has to show.
ATTACK = """\
fn main() {
    let home = std::env::var("HOME").unwrap();
    assert!(std::fs::read(format!("{home}/.ssh/id_ed25519")).is_ok());
    assert!(std::net::TcpStream::connect("192.0.2.1:443").is_err());
    assert!(std::fs::write("/etc/csbench", "x").is_err());
    assert!(std::fs::write("src/main.rs", "x").is_err());
}
"""
WITHOUT_LIMITS = {"CARGO_SANDBOX_TEST_BREAK": "limits"}


def on(daemon: Daemon, project: Project) -> Project:
    project.env["DOCKER_HOST"] = daemon.host
    return project


def doctor(project: Project) -> dict[str, dict[str, str]]:
    """The doctor's checks by their id, each with the words for people."""
    done = sandboxed(project, "doctor", "--json")
    return {check["id"]: check for check in json.loads(done.stdout)["checks"]}


def caught(lab: Lab, daemon: Daemon, user: User | None = None, env: dict[str, str] | None = None) -> None:
    """An attack on this daemon is stopped and seen."""
    project = on(daemon, lab.project(scripted(ATTACK), user=user))
    done = sandboxed(project, "build", options=["--on-violation", "report"], env=env)
    assert done.code == 120 and done.run.result["verdict"] == "violation", done.shown
    assert {"CS0101", "CS0102", "CS0103"} <= {found["code"] for found in done.run.findings()}, done.shown


@needs_root
def test_with_remapped_users_a_build_is_as_everywhere_and_its_files_are_the_users(lab: Lab) -> None:
    """The container is taken out of the remapping: the tree and the toolchain lie outside of it."""
    with started("--userns-remap=default") as daemon:
        project = on(daemon, lab.project(KITCHEN))
        done = sandboxed(project, "run")
        assert (done.code, done.out, done.run.result["verdict"]) == (0, KITCHEN_SAYS, "clean"), done.shown
        assert (project.target / "debug/app").stat().st_uid == done.run.plan["uid"]
        caught(lab, daemon)
        found = doctor(project)["docker-userns"]
        assert found["state"] == "note" and "not those of our builds" in found["found"]
        sleeping, marker = sleeper(lab)
        running = start(on(daemon, sleeping), "build")
        asleep(marker)
        [container] = daemon.containers()
        state = json.loads(daemon.docker("inspect", container).stdout)[0]
        assert state["HostConfig"]["UsernsMode"] == "host"
        first = Path("/proc", str(state["State"]["Pid"]))
        assert (first / "uid_map").read_text().split() == Path("/proc/self/uid_map").read_text().split()
        status = (first / "status").read_text()
        assert f"Uid:\t{done.run.plan['uid']}\t" in status and "CapBnd:\t0000000000000000" in status
        running.signal_group(signal.SIGINT)
        running.wait(20)
        assert_nothing_left(sleeping, marker)


@pytest.fixture(scope="module")
def rootless_daemon(ordinary: User) -> Iterator[Daemon]:
    with rootless(ordinary) as daemon:
        yield daemon


def limits_can_be_set(daemon: Daemon) -> bool:
    told = json.loads(daemon.docker("info", "--format", "{{json .}}").stdout)
    return bool(told["MemoryLimit"] and told["PidsLimit"])


@needs_root
def test_a_rootless_daemon_without_control_groups_is_refused_with_what_to_do(
    lab: Lab, ordinary: User, rootless_daemon: Daemon
) -> None:
    project = on(rootless_daemon, lab.project(binary(), user=ordinary))
    done = sandboxed(project, "build")
    if limits_can_be_set(rootless_daemon):
        assert done.code == 0 and done.run.result["verdict"] == "clean", done.shown
        return
    assert (done.code, done.run_id) == (121, None), done.shown
    assert "the rootless Docker daemon can't limit memory and processes" in done.stderr
    version = json.loads(rootless_daemon.docker("info", "--format", "{{json .CgroupVersion}}").stdout)
    fix = "Delegate=cpu memory pids" if version == "2" else "systemd.unified_cgroup_hierarchy=1"
    assert fix in done.stderr and "--engine bubblewrap" in done.stderr
    assert not project.target.exists()
    found = doctor(project)["docker"]
    assert found["state"] == "missing" and "can't limit memory and processes" in found["found"] and fix in found["fix"]


@needs_root
def test_a_rootless_daemon_builds_for_its_user_and_the_walls_stand(
    lab: Lab, ordinary: User, rootless_daemon: Daemon
) -> None:
    """But for the limits, which the test takes away where the machine gives an ordinary user no control groups."""
    env = {} if limits_can_be_set(rootless_daemon) else WITHOUT_LIMITS
    project = on(rootless_daemon, lab.project(KITCHEN, user=ordinary))
    done = sandboxed(project, "run", "-j1", env=env)
    assert (done.code, done.out, done.run.result["verdict"]) == (0, KITCHEN_SAYS, "clean"), done.shown
    assert (project.target / "debug/app").stat().st_uid == ordinary.uid
    caught(lab, rootless_daemon, ordinary, env)
    sleeping, marker = sleeper(lab, user=ordinary)
    running = start(on(rootless_daemon, sleeping), "build", env=env)
    asleep(marker)
    [container] = rootless_daemon.containers()
    told = json.loads(rootless_daemon.docker("inspect", container).stdout)[0]
    assert told["Config"]["User"] == "0:0", "which is nobody but the daemon's own user"
    first = Path("/proc", str(told["State"]["Pid"]))
    status = (first / "status").read_text()
    assert f"Uid:\t{ordinary.uid}\t" in status and "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert os.readlink(first / "ns/user") != os.readlink("/proc/self/ns/user")
    assert os.readlink(first / "ns/net") != os.readlink(f"/proc/{rootless_daemon.pid}/ns/net")
    running.signal_group(signal.SIGINT)
    running.wait(20)
    assert_nothing_left(sleeping, marker)
    wait_for(lambda: rootless_daemon.containers() == [], 10, "the removal of the container")


@needs_root
def test_a_rootless_daemon_of_somebody_else_is_refused(lab: Lab, ordinary: User, rootless_daemon: Daemon) -> None:
    project = on(rootless_daemon, lab.project(binary()))
    done = sandboxed(project, "build", env=WITHOUT_LIMITS)
    assert done.code == 121, done.shown
    assert f"the rootless Docker daemon belongs to uid {ordinary.uid}" in done.stderr


@needs_root
def test_a_daemon_that_does_not_see_the_tree_is_refused(lab: Lab) -> None:
    with started(wrap=in_another_tree(f"mount -t tmpfs none '{lab.base}'")) as daemon:
        project = on(daemon, lab.project(binary()))
        done = sandboxed(project, "build")
    assert (done.code, done.run_id) == (121, None), done.shown
    assert f"the Docker daemon does not see {lab.base}" in done.stderr
    assert "with another tree" in done.stderr and "--engine bubblewrap" in done.stderr


@needs_root
def test_a_daemon_that_sees_another_tree_of_the_same_names_builds_nothing(lab: Lab) -> None:
    """Another machine's copy, say, or a container that shares a part of the tree."""
    project, other = lab.project(binary()), lab.project(binary(main='fn main() { println!("other"); }'))
    sandboxed(project, "build", options=["--engine", "bubblewrap"])
    project.remove("target/debug", "target/.cargo-sandbox")
    other.write({"target/here": ""})
    with started(wrap=in_another_tree(f"mount --bind '{other.dir}' '{project.dir}'")) as daemon:
        done = sandboxed(on(daemon, project), "build")
    assert done.code == 121, done.shown
    assert "host files wall" in done.stderr and "is not the folder of that name outside" in done.stderr
    assert not list(project.target.glob("debug/app")) and not list(other.target.glob("debug/app"))


@needs_root
def test_a_daemon_with_processes_of_its_own_is_refused(lab: Lab) -> None:
    """As in a container, or behind a tunnel: the number that it gives a container is another process's here."""
    wrap = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with started(wrap=wrap) as daemon:
        done = sandboxed(on(daemon, lab.project(binary())), "build")
        assert done.code == 121, done.shown
        assert "the Docker daemon runs its containers on another machine" in done.stderr
        wait_for(lambda: daemon.containers() == [], 10, "the removal of the container")


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:2375", "ssh://ann@host.invalid", "http://192.0.2.1:2375", "fd://"])
def test_a_daemon_that_is_no_socket_of_this_machine_is_refused(lab: Lab, where: str) -> None:
    project = lab.project(binary())
    done = sandboxed(project, "build", options=["--engine", "docker"], env={"DOCKER_HOST": where})
    assert (done.code, done.run_id) == (121, None), done.shown
    assert f"the Docker daemon at {where} can't be used" in done.stderr and "unix:///" in done.stderr
    project.env["DOCKER_HOST"] = where
    found = doctor(project)["docker"]
    assert found["state"] == "missing" and where in found["found"] and "unix:///" in found["fix"]
