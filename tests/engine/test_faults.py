"""Faults of the machine: a full disk, no file left to make, a tree that stands still. The record stays true, the next
build works."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
from pathlib import Path

import pytest

from sandbox.plan.model import Limits
from tests.engine.crates import scripted
from tests.engines import containers_of, core, members, only
from tests.harness import Lab, Project, Run, Running, _command, plain, processes, sandboxed, start, wait_for
from tests.users import me, with_mounts

pytestmark = pytest.mark.engine

_FILLS = """\
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let block = vec![7u8; 1 << 20];
    for number in 0..64 {
        std::fs::write(format!("{out}/{number}"), &block).expect("the disk");
    }
}
"""
_TALKS = """\
fn main() {
    let mut name = 1u64;
    for _ in 0..20_000 {
        name = name.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        std::fs::read(format!("/etc/{name}")).unwrap_err();
    }
}
"""
_STORM = """\
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    for number in 0..100_000 {
        if std::fs::write(format!("{out}/{number}"), "").is_err() {
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
    }
}
"""
_FORKS = """\
use std::os::unix::fs::FileExt;
extern "C" { fn fork() -> i32; fn pause() -> i32; fn _exit(status: i32) -> !; }
fn main() {
    let told = std::fs::File::create(std::env::var("OUT_DIR").unwrap() + "/made").unwrap();
    let mut made = 0;
    while made < 4000 {
        match unsafe { fork() } {
            0 => unsafe { pause(); _exit(0) },
            pid if pid < 0 => break,
            _ => made += 1,
        }
        told.write_all_at(format!("{made:04}").as_bytes(), 0).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_secs(6));
    std::process::exit(1);
}
"""
_STOPS = """\
extern "C" { fn raise(number: i32) -> i32; }
fn main() {
    unsafe { raise(19) };
}
"""


def small(project: Project, folder: Path, options: str) -> Project:
    """The same project, with a small file system of its own at `folder` during each command. What lies there at the end
    is copied to `folder` with `.kept` at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    script = (
        f'mount -t tmpfs -o {options},mode=777 none "{folder}" || exit 99\n'
        f'RUN; code=$?\ncp -a "{folder}" "{folder}.kept"; exit $code'
    )
    return dataclasses.replace(project, user=with_mounts(me(), script))


@core
@only("bubblewrap", "a daemon does not see the file system that the test makes for itself")
def test_a_full_disk_fails_the_build_as_it_fails_cargo_and_the_next_one_works(lab: Lab) -> None:
    project = lab.project(scripted(_FILLS))
    full = small(project, project.target, "size=24m")
    done = sandboxed(full, "build", options=["--min-free-disk", "1K"], env={"RUST_BACKTRACE": "0"})
    assert done.code == 101, done.shown
    assert "No space left on device" in done.stderr
    assert done.run.status == "finished" and done.run.result["verdict"] == "clean", done.shown
    assert sandboxed(project, "build").code == 0


@core
def test_a_record_that_finds_no_room_is_incomplete_and_says_so(lab: Lab) -> None:
    project = lab.project(scripted(_TALKS))
    assert plain(project, "generate-lockfile").code == 0
    for size, options, code in (("64k", (), 0), ("400k", ("--require-complete",), 122)):
        project.remove("target", f"{project.state}.kept")
        done = sandboxed(small(project, project.state, f"size={size}"), "build", options=options)
        assert done.code == code, done.shown
        assert "Sandbox incomplete" in done.stderr and "the record could not be written" in done.stderr, done.shown
        assert "No space left" in done.stderr and (project.target / "debug/app").exists()
        kept = [Run(path).status for path in Path(f"{project.state}.kept").glob("cargo-sandbox/runs/20*")]
        assert set(kept) <= {"finished", "interrupted"} and (kept or size == "64k")
    again = sandboxed(project, "build")
    assert again.code == 0 and again.run.result["verdict"] == "clean", again.shown


@core
@only("bubblewrap", "a daemon does not see the file system that the test makes for itself")
def test_a_storm_of_files_ends_the_build_before_the_disk_has_none_left(lab: Lab) -> None:
    project = lab.project(scripted(_STORM))
    full = small(project, project.target, "size=1g,nr_inodes=4000")
    done = sandboxed(full, "build", timeout=60)
    assert done.code == 124, done.shown
    assert "files" in done.stderr and "--min-free-disk" in done.stderr
    assert done.run.result["stopped"] and done.run.result["verdict"] != "violation"


@core
def test_a_fork_bomb_is_bounded_and_ended(lab: Lab, engine: str) -> None:
    """Also for root, for whom the kernel's own limit does not hold."""
    project = lab.project(scripted(_FORKS))

    def bomb(removed: str = "") -> int:
        project.remove("target")
        options = ["--process-limit", "300", "--on-violation", "report"]
        done = sandboxed(project, "build", options=options, env={"CARGO_SANDBOX_TEST_BREAK": removed}, timeout=60)
        assert done.code in (101, 120, 124), done.shown
        assert done.code == 124 or not project.user.is_root, done.shown
        wait_for(lambda: not processes(str(project.dir)), 5, "the end of all processes")
        [made] = project.target.rglob("made")
        return int(made.read_text())

    most = Limits(processes=300).most_processes()
    # Of root's the guard counts every few milliseconds; twice the limit is where it does not wait for the host.
    walled = 2 * most + 1000 if project.user.is_root else most
    assert bomb() <= walled
    unlimited = bomb(removed="limits")
    # The container's control group is a wall of its own; else the watchdog is left, which comes too late.
    assert unlimited <= most if engine == "docker" else unlimited > walled
    project.write({"build.rs": "fn main() {}"})
    again = sandboxed(project, "build", options=["--process-limit", "300"])
    assert again.code == 0 and again.run.result["verdict"] == "clean", again.shown


@only("root", "the kernel refuses an ordinary user's thread")
@only("bubblewrap", "a control group counts threads")
def test_threads_are_tasks_too_and_the_guard_ends_the_build_that_makes_too_many(lab: Lab) -> None:
    threads = (
        "fn main() {\n    for _ in 0..4000 {\n        std::thread::Builder::new().stack_size(1 << 16)"
        ".spawn(|| loop { std::thread::park() }).unwrap();\n    }\n"
        "    std::thread::sleep(std::time::Duration::from_secs(20));\n}\n"
    )
    project = lab.project(scripted(threads))
    done = sandboxed(project, "build", options=["--process-limit", "300"], timeout=60)
    assert done.code == 124 and "too many tasks" in done.stderr, done.shown
    wait_for(lambda: not processes(str(project.dir)), 5, "the end of all processes")


@core
def test_a_script_that_stops_itself_is_ended_by_the_time_limit(lab: Lab) -> None:
    project = lab.project(scripted(_STOPS))
    done = sandboxed(project, "build", options=["--time-limit", "2s"], timeout=60)
    assert done.code == 124, done.shown
    assert "the time limit of 2 s" in done.stderr
    wait_for(lambda: not processes(str(project.dir)), 5, "the end of the stopped script")


@core
def test_a_clock_that_is_set_back_makes_the_record_incomplete(lab: Lab) -> None:
    """Which files changed is told by their times; so an hour that comes twice leaves a hole."""
    project = lab.project(scripted("fn main() {}"))
    argv, env = _command(project, ("build",), None, ())
    module = argv.index("-m")
    argv[module : module + 2] = ["-c", _SET_BACK]
    done = Running(project, argv, project.dir, env).wait(60)
    assert done.code == 0, done.shown
    assert "the clock was set back by 3600 s" in done.stderr and done.run.result["verdict"] == "incomplete"
    again = sandboxed(project, "build")
    assert again.code == 0 and again.run.result["verdict"] == "clean", again.shown


# Asked twice before cargo begins its work, and an hour late from then on.
_SET_BACK = """\
import itertools, runpy, time
real, asked = time.time_ns, itertools.count()
time.time_ns = lambda: real() - (3600 * 10**9 if next(asked) >= 2 else 0)
runpy.run_module("sandbox", run_name="__main__")
"""


@core
@pytest.mark.parametrize("fate", ["time", "kill"])
def test_a_container_that_stands_still_as_a_whole_leaves_nothing(lab: Lab, engine: str, fate: str) -> None:
    """Guard, cargo and all: the limit still holds, and a killed orchestrator takes stopped processes along, or the next
    run does."""
    marker = f"600.{random.SystemRandom().randrange(10**9):09}"
    body = f'std::process::Command::new("sleep").arg("{marker}").status().unwrap();'
    project = lab.project(scripted(f"fn main() {{ {body} }}"))
    running = start(project, "build", options=["--time-limit", "4s"] if fate == "time" else [])
    wait_for(lambda: processes(marker), what="the build script")
    for member in members(running.pid, engine):
        member.send_signal(signal.SIGSTOP)
    if fate == "kill":
        os.kill(running.pid, signal.SIGKILL)
    done = running.wait(30)
    if fate == "kill" and engine == "docker":
        # Nobody of the daemon's kin was told; the next start looks for what has lost its owner.
        assert sandboxed(project, "runs", "list").code == 0 and containers_of(running.pid)
        sandboxed(project, "build", "--help")
    wait_for(lambda: not processes(marker) and not processes(str(project.dir)), 5, "the end of all processes")
    assert str(project.home) not in Path("/proc/self/mountinfo").read_text(), "a mount stays"
    if fate == "time":
        assert done.code == 124 and "the time limit of 4 s" in done.stderr, done.shown
        assert project.run().result["verdict"] == "incomplete"
    else:
        assert project.run().status == "interrupted"
    project.write({"build.rs": "fn main() {}"})
    again = sandboxed(project, "build")
    assert again.code == 0 and again.run.result["verdict"] == "clean", again.shown
