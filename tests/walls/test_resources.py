"""Resources that a build uses up: what it gets has an end, the machine and the next build don't notice.

Most of that is tried by tests/attack/test_limits.py and tests/engine/test_faults.py; here are the kernel's own limits
on a container, and file systems that are too small.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.plan.model import Limits
from tests.engine.crates import binary, scripted
from tests.harness import Done, Lab, Project, processes, sandboxed, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.engine]

on_docker = pytest.mark.parametrize("engine", ["docker"], indirect=True)
roots = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount where the daemon sees it")

_BY_THE_KERNEL = "the memory of the container is used up (--memory-limit"

_SPINS = """\
extern "C" { fn signal(number: i32, handler: usize) -> usize; }
fn main() {
    for number in [1, 2, 3, 10, 12, 13, 14, 15] { unsafe { signal(number, 1) }; }
    let all = std::thread::available_parallelism().unwrap().get();
    let spin = || loop { std::hint::spin_loop() };
    let threads: Vec<_> = (0..2 * all).map(|_| std::thread::spawn(spin)).collect();
    for thread in threads { thread.join().unwrap() }
}
"""
_TAKES_MEMORY = """\
fn main() {
    let held = vec![1u8; 600 << 20];
    std::hint::black_box(&held);
}
"""
_FORKS = """\
extern "C" { fn fork() -> i32; fn pause() -> i32; fn _exit(status: i32) -> !; fn kill(pid: i32, number: i32) -> i32; }
fn main() {
    let mut made = Vec::new();
    while made.len() < 900 {
        match unsafe { fork() } {
            0 => unsafe { pause(); _exit(0) },
            pid if pid < 0 => break,
            pid => made.push(pid),
        }
    }
    std::fs::write(std::env::var("OUT_DIR").unwrap() + "/made", made.len().to_string()).unwrap();
    for pid in made { unsafe { kill(pid, 9) }; }
}
"""
_FILLS = """\
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let block = vec![7u8; 1 << 20];
    for number in 0..64 {
        std::fs::write(format!("{out}/{number}"), &block).expect("the disk");
    }
}
"""
_STORM = """\
fn main() {
    let place = PLACE;
    for number in 0..900_000 {
        if std::fs::write(format!("{place}/{number}"), "").is_err() {
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
    }
}
"""


def _tried(project: Project, *options: str, removed: str = "", timeout: float = 90) -> Done:
    project.remove("target")
    options = ("--on-violation", "report", *options)
    done = sandboxed(project, "build", options=options, env={"CARGO_SANDBOX_TEST_BREAK": removed}, timeout=timeout)
    wait_for(lambda: not processes(str(project.dir)), 10, "the end of all processes")
    return done


def _next_build_works(project: Project) -> None:
    project.write({"build.rs": "fn main() {}"})
    done = sandboxed(project, "build")
    assert done.code == 0 and done.run.result["verdict"] == "clean", done.shown


@contextmanager
def _small(folder: Path, options: str) -> Iterator[None]:
    """A file system of its own at a folder, where the daemon sees it too."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_script_that_spins_and_hears_no_signal_is_ended_by_the_time_limit(lab: Lab, engine: str) -> None:
    project = lab.project(scripted(_SPINS))
    done = _tried(project, "--time-limit", "3s")
    assert done.code == 124 and "the time limit of 3 s" in done.stderr, done.shown
    assert done.run.result["stopped"] and done.run.result["verdict"] != "violation"
    _next_build_works(project)


@on_docker
def test_memory_has_an_end_also_when_nobody_looks(lab: Lab, engine: str) -> None:
    project = lab.project(scripted(_TAKES_MEMORY))
    done = _tried(project, "--memory-limit", "300M")
    assert done.code == 124 and _BY_THE_KERNEL in done.stderr, done.shown
    done = _tried(project, "--memory-limit", "300M", removed="container-limits")
    assert _BY_THE_KERNEL not in done.stderr, "then it ends well, or the watchdog has seen it in time"
    assert done.code in (0, 124), done.shown
    _next_build_works(project)


@on_docker
def test_files_without_content_are_memory_too(lab: Lab, engine: str) -> None:
    """Long before their number is at its end the control group counts them."""
    project = lab.project(binary(main=_STORM.replace("PLACE", '"/dev/shm"')))
    assert sandboxed(project, "build").code == 0
    done = sandboxed(project, "run", options=["--memory-limit", "100M"], timeout=90)
    assert done.code == 124 and _BY_THE_KERNEL in done.stderr, done.shown
    assert sandboxed(project, "build").code == 0


@on_docker
def test_tasks_have_an_end_of_which_the_guard_need_not_know(lab: Lab, engine: str) -> None:
    """The guard counts tasks as well, and a user's processes have a limit; without both the control group stands."""
    project = lab.project(scripted(_FORKS))

    def made(removed: str) -> int:
        done = _tried(project, "--process-limit", "300", removed=removed)
        assert done.code in (0, 124), done.shown
        [told] = project.target.rglob("made")
        return int(told.read_text())

    assert made("limits") < Limits(processes=300).most_processes()
    assert made("limits,container-limits") == 900
    _next_build_works(project)


@on_docker
@roots
def test_a_full_disk_fails_the_build_as_it_fails_cargo(lab: Lab, engine: str) -> None:
    project = lab.project(scripted(_FILLS))
    with _small(project.target, "size=24m"):
        options = ["--min-free-disk", "1K"]
        done = sandboxed(project, "build", options=options, env={"RUST_BACKTRACE": "0"})
        assert done.code == 101 and "No space left on device" in done.stderr, done.shown
        assert done.run.status == "finished" and done.run.result["verdict"] == "clean", done.shown
    _next_build_works(project)


@on_docker
@roots
def test_a_storm_of_files_ends_the_build_before_the_disk_has_none_left(lab: Lab, engine: str) -> None:
    project = lab.project(scripted(_STORM.replace("PLACE", 'std::env::var("OUT_DIR").unwrap()')))
    with _small(project.target, "size=1g,nr_inodes=4000"):
        done = sandboxed(project, "build", timeout=60)
        assert done.code == 124, done.shown
        assert "files" in done.stderr and "--min-free-disk" in done.stderr
        assert done.run.result["stopped"] and done.run.result["verdict"] != "violation"
    _next_build_works(project)
