"""What stands between the orchestrator and its Docker container breaks: the run ends, says so, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil
import pytest

from tests.engine.test_ending import asleep, assert_nothing_left, sleeper
from tests.engines import containers, containers_of
from tests.harness import Lab, sandboxed, start, wait_for
from tests.walls.container import inspect

pytestmark = [pytest.mark.engine, pytest.mark.parametrize("engine", ["docker"], indirect=True)]


def _gone(container: str) -> None:
    wait_for(lambda: container not in [found["ID"] for found in containers()], 20, "the removal of the container")


@pytest.mark.skipif(os.geteuid() != 0, reason="the shim is root's")
def test_a_killed_shim_is_neither_clean_nor_a_hang(lab: Lab, engine: str) -> None:
    """The process that holds a container's streams for the daemon."""
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    [container] = containers_of(running.pid)
    shim = psutil.Process(psutil.Process(inspect(container)["State"]["Pid"]).ppid())
    assert "shim" in shim.name() and container in " ".join(shim.cmdline())
    shim.kill()
    done = running.wait(60)
    assert done.code == 121 and "Sandbox clean" not in done.stderr, done.shown
    assert done.run.result["verdict"] == "incomplete"
    assert_nothing_left(project, marker)
    _gone(container)
    project.write({"build.rs": "fn main() {}"})
    again = sandboxed(project, "build")
    assert again.code == 0 and again.run.result["verdict"] == "clean", again.shown


@pytest.mark.parametrize("how", ["limit", "interrupts"])
def test_a_container_that_somebody_paused_is_ended_all_the_same(lab: Lab, engine: str, how: str) -> None:
    """The first interrupt waits for the build's own answer, as everywhere; nothing waits after the second."""
    project, marker = sleeper(lab)
    running = start(project, "build", options=["--time-limit", "4s"] if how == "limit" else [])
    asleep(marker)
    [container] = containers_of(running.pid)
    subprocess.run(["docker", "pause", container], stdout=subprocess.DEVNULL, check=True)
    if how == "interrupts":
        running.signal_group(signal.SIGINT)
        time.sleep(1)
        running.signal_group(signal.SIGINT)
    done = running.wait(60)
    if how == "limit":
        assert done.code == 124 and "the time limit of 4 s" in done.stderr, done.shown
    else:
        assert done.code in (-signal.SIGINT, 130), done.shown
    assert done.run.result["verdict"] == "incomplete"
    assert_nothing_left(project, marker)
    _gone(container)
