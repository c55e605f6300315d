"""A daemon that is stopped, killed or restarted, and a container that somebody else ends: the record says so, nothing
stays, and the next build works."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.daemons import Daemon, needs_root, started
from tests.engine.crates import binary, manifest
from tests.engine.test_ending import INTERRUPTED, STUBBORN, asleep, assert_nothing_left, sleeper
from tests.engines import only
from tests.harness import Done, Lab, Project, processes, sandboxed, start, wait_for

pytestmark = [pytest.mark.engine, needs_root]


@pytest.fixture(scope="module")
def module_daemon() -> Iterator[Daemon]:
    with started() as daemon:
        yield daemon


@pytest.fixture
def daemon(module_daemon: Daemon) -> Daemon:
    """A daemon that is running, whatever the test before did to it."""
    if module_daemon.process is None or module_daemon.process.poll() is not None:
        module_daemon.start()
    return module_daemon


def cut_short(lab: Lab, daemon: Daemon, act: Callable[[str], object], before: str = "") -> tuple[Done, Project, str]:
    """A build that sleeps, on which `act` is done with the id of its container."""
    project, marker = sleeper(lab, before)
    project.env["DOCKER_HOST"] = daemon.host
    running = start(project, "build")
    asleep(marker)
    [container] = daemon.containers()
    act(container)
    done = running.wait(60)
    return done, project, marker


def assert_truthful(done: Done, *words: str) -> None:
    """The record is there and has a hole, and what was said says why."""
    assert done.code == 121, done.shown
    assert done.run.status == "finished"
    assert done.run.result["verdict"] == "incomplete", done.run.result
    assert done.run.result["exit_code"] == 121
    reasons = " ".join(done.run.result["completeness"]["reasons"])
    for word in ("cut short", *words):
        assert word in done.stderr and word in reasons, (word, done.shown, reasons)


def assert_the_next_build_works(project: Project, daemon: Daemon) -> None:
    project.write({"build.rs": "fn main() {}"})
    again = sandboxed(project, "build")
    assert again.code == 0 and again.run.result["verdict"] == "clean", again.shown
    wait_for(lambda: daemon.containers() == [], 10, "the removal of all containers")
    assert not processes(str(project.dir))
    mounted = Path("/proc/self/mountinfo").read_text()
    assert str(project.home) not in mounted and f"{daemon.base}/data/" not in mounted


@only("docker", "its daemon is what this is about")
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGTERM, "the Docker daemon ended the container with SIGTERM: it was stopped itself"),
        (signal.SIGKILL, "the Docker daemon has gone away"),
    ],
    ids=["stopped", "killed"],
)
def test_a_daemon_that_ends_under_a_build_is_no_end_of_the_build(
    lab: Lab, daemon: Daemon, number: int, words: str
) -> None:
    """SIGTERM makes the daemon end its containers in good order, so cargo's end looks like anybody's."""
    done, project, marker = cut_short(lab, daemon, lambda _container: daemon.signal(number))
    assert_truthful(done, words)
    assert_nothing_left(project, marker)
    gone = sandboxed(project, "build")
    assert gone.code == 125 and "no Docker daemon answers" in gone.stderr, gone.shown
    daemon.start()
    assert_the_next_build_works(project, daemon)


@only("docker", "its daemon is what this is about")
@pytest.mark.parametrize("command", [("stop",), ("kill",), ("kill", "--signal", "INT"), ("rm", "--force")])
def test_a_container_that_somebody_else_ends_is_no_end_of_the_build(
    lab: Lab, daemon: Daemon, command: tuple[str, ...]
) -> None:
    done, project, marker = cut_short(lab, daemon, lambda container: daemon.docker(*command, container))
    assert_truthful(done, "the Docker daemon ended the container with SIG", "docker stop, docker kill")
    assert_nothing_left(project, marker)
    assert_the_next_build_works(project, daemon)


@only("docker", "its daemon is what this is about")
def test_a_daemon_that_restarts_and_keeps_its_containers_ends_the_build_all_the_same(lab: Lab) -> None:
    """With live-restore the container outlives its daemon, but the connection to the guard does not."""
    with started("--live-restore") as daemon:
        for number in (signal.SIGTERM, signal.SIGKILL):

            def restart(_container: str, number: int = number) -> None:
                daemon.signal(number)
                daemon.start()

            done, project, marker = cut_short(lab, daemon, restart)
            assert_truthful(done, "the Docker daemon has gone away")
            assert_nothing_left(project, marker)
            assert_the_next_build_works(project, daemon)


def test_a_guard_that_somebody_stops_does_not_make_a_clean_run(lab: Lab, engine: str) -> None:
    """Whatever ended cargo, it was not the user and not cargo."""
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    [script] = processes(marker)
    [guard] = [pid for pid in psutil.Process(script).parents() if "init" in pid.cmdline()][:1]
    guard.send_signal(signal.SIGTERM)
    done = running.wait(30)
    assert_truthful(done, "SIGTERM")
    assert_nothing_left(project, marker)


@only("docker", "its daemon is what this is about")
def test_a_user_who_interrupts_before_the_daemon_stops_has_interrupted(lab: Lab, daemon: Daemon) -> None:
    project, marker = sleeper(lab, STUBBORN)
    project.env["DOCKER_HOST"] = daemon.host
    running = start(project, "build")
    asleep(marker)
    running.signal_group(signal.SIGINT)
    daemon.signal(signal.SIGTERM)
    done = running.wait(30)
    assert done.code in INTERRUPTED, done.shown
    assert "cut short" not in done.stderr
    assert_nothing_left(project, marker)


@only("docker", "its daemon is what this is about")
def test_a_daemon_that_ends_while_cargo_resolves_is_said(lab: Lab, daemon: Daemon) -> None:
    """The registry takes the question and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as registry:
        index = f"sparse+http://127.0.0.1:{registry.getsockname()[1]}/"
        files = binary() | {
            "Cargo.toml": manifest("app", '[dependencies]\ncsbench-none = { version = "1", registry = "slow" }\n'),
            ".cargo/config.toml": f'[registries.slow]\nindex = "{index}"\n',
        }
        project = lab.project(files)
        project.env["DOCKER_HOST"] = daemon.host
        running = start(project, "build")
        registry.settimeout(60)
        connection, _ = registry.accept()
        with connection:
            daemon.signal(signal.SIGTERM)
            done = running.wait(30)
    assert done.code == 121, done.shown
    assert "in which cargo resolves was cut short: the Docker daemon ended" in done.stderr
    assert done.run_id is None
    wait_for(lambda: not processes(str(project.dir)), 5, "the end of the container's processes")
