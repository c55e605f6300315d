"""A build that is interrupted, runs too long or loses its guard leaves no process and a readable record."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.engine.crates import binary, scripted
from tests.engines import core, members, only
from tests.harness import Lab, Project, User, plain, processes, sandboxed, start, terminal, wait_for

pytestmark = pytest.mark.engine

SLEEPS = """\
fn main() {{
    {before}
    let status = std::process::Command::new("sleep").arg("{marker}").status().unwrap();
    println!("cargo::warning=slept {{status}}");
}}
"""
STUBBORN = """\
extern "C" { fn signal(number: i32, handler: usize) -> usize; }
for number in [1, 2, 3, 15] { unsafe { signal(number, 1) }; }
"""
INTERRUPTED = (-signal.SIGINT, 130)


def sleeper(lab: Lab, before: str = "", seconds: int = 600, user: User | None = None) -> tuple[Project, str]:
    """A project whose build script sleeps (for ten minutes), and a word that only its command line has."""
    marker = f"{seconds}.{random.SystemRandom().randrange(10**9):09}"
    return lab.project(scripted(SLEEPS.format(before=before, marker=marker)), user=user), marker


def asleep(marker: str) -> None:
    wait_for(lambda: processes(marker), what="the sleeping build script")


def assert_nothing_left(project: Project, marker: str) -> None:
    """Nothing of the run lives any more; a killed process may take a moment to go."""
    wait_for(lambda: not processes(marker), 5, "the end of the build's processes")
    wait_for(lambda: not processes(str(project.dir)), 5, "the end of the container's processes")


@core
def test_an_interrupt_ends_the_build_as_it_ends_cargo(lab: Lab) -> None:
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    assert project.run().status == "running"
    running.signal_group(signal.SIGINT)
    done = running.wait(15)
    assert done.code in INTERRUPTED, done.shown
    assert_nothing_left(project, marker)
    assert done.run.status == "finished"
    assert done.run.units("script", "app")[0]["end"] is not None
    assert done.run.result["verdict"] != "violation"
    assert sandboxed(project, "runs", "show", "last").code == 0


def test_one_interrupt_is_enough_for_a_script_that_ignores_it(lab: Lab) -> None:
    """Cargo dies of it and leaves such a script behind; here nothing is left behind."""
    project, marker = sleeper(lab, STUBBORN)
    running = start(project, "build")
    asleep(marker)
    running.signal_group(signal.SIGINT)
    done = running.wait(15)
    assert done.code in INTERRUPTED, done.shown
    assert_nothing_left(project, marker)


@core
def test_a_second_interrupt_ends_at_once_a_program_that_ignores_the_first(lab: Lab) -> None:
    marker = f"stubborn-{random.SystemRandom().randrange(10**9):09}"
    waits = 'println!("ready"); loop { std::thread::sleep(std::time::Duration::from_secs(1)); }'
    project = lab.project(binary(main=f"fn main() {{ {STUBBORN} {waits} }}"))
    assert sandboxed(project, "build").code == 0
    running = start(project, "run", "-q", marker)
    wait_for(lambda: b"ready" in running.so_far(1), what="the program's word")
    running.signal_group(signal.SIGINT)
    time.sleep(1)
    assert running.process.poll() is None
    began = time.monotonic()
    running.signal_group(signal.SIGINT)
    done = running.wait(15)
    assert time.monotonic() - began < 5
    assert done.code in INTERRUPTED, done.shown
    assert_nothing_left(project, marker)
    assert done.run.status == "finished"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_the_build_too(lab: Lab, number: int) -> None:
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    os.kill(running.pid, number)
    done = running.wait(15)
    assert done.code in (-number, 128 + number), done.shown
    assert_nothing_left(project, marker)
    assert done.run.status == "finished"


@core
def test_a_key_press_on_a_terminal_interrupts(lab: Lab) -> None:
    project, marker = sleeper(lab)
    with terminal(project, "build") as screen:
        asleep(marker)
        screen.type(b"\x03")
        assert screen.wait(15) in INTERRUPTED, screen.seen
    assert_nothing_left(project, marker)
    assert project.run().status == "finished"


@core
def test_a_killed_orchestrator_takes_the_build_along_and_leaves_a_readable_record(lab: Lab) -> None:
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait(15).code == -signal.SIGKILL
    assert_nothing_left(project, marker)
    run = project.run()
    assert run.status == "interrupted"
    shown = sandboxed(project, "runs", "show", "last")
    assert (shown.code, "interrupted" in shown.stdout) == (0, True), shown.shown
    assert sandboxed(project, "report", "last").code == 0


@core
def test_the_time_limit_ends_the_build_with_its_own_exit_code(lab: Lab) -> None:
    project, marker = sleeper(lab, STUBBORN)
    running = start(project, "build", options=["--time-limit", "2s"])
    asleep(marker)
    done = running.wait(20)
    assert done.code == 124, done.shown
    assert "the time limit of 2 s" in done.stderr
    assert_nothing_left(project, marker)
    assert done.run.result["verdict"] != "violation"
    assert done.run.result["stopped"]


@core
def test_too_many_processes_or_too_much_memory_end_the_build(lab: Lab) -> None:
    fork = 'for _ in 0..60 { std::process::Command::new("sleep").arg("600").spawn().unwrap(); }'
    project, marker = sleeper(lab, fork)
    done = sandboxed(project, "build", options=["--process-limit", "40"], timeout=60)
    assert done.code == 124 and "--process-limit" in done.stderr, done.shown
    assert_nothing_left(project, marker)
    project, marker = sleeper(lab, "let held = vec![1u8; 600 << 20]; std::hint::black_box(&held);")
    done = sandboxed(project, "build", options=["--memory-limit", "300M"], timeout=60)
    assert done.code == 124, done.shown
    assert "--memory-limit" in done.stderr
    assert_nothing_left(project, marker)


@core
@pytest.mark.parametrize(
    "victim", ["guard", pytest.param("bwrap", marks=only("bubblewrap", "a daemon is in bwrap's place"))]
)
def test_a_killed_guard_is_neither_clean_nor_a_hang(lab: Lab, engine: str, victim: str) -> None:
    project, marker = sleeper(lab)
    running = start(project, "build")
    asleep(marker)
    family = members(running.pid, engine)
    found = [child.pid for child in family if Path(child.cmdline()[0]).name == victim and "init" in child.cmdline()]
    assert found
    os.kill(found[0], signal.SIGKILL)
    done = running.wait(15)
    assert done.code == 121, done.shown
    assert "Sandbox clean" not in done.stderr
    assert_nothing_left(project, marker)
    assert done.run.result["verdict"] == "incomplete"
    # What it had begun is not believed later.
    project.write({"build.rs": "fn main() {}"})
    again = sandboxed(project, "build")
    assert again.code == 0, again.shown
    assert again.run.result["verdict"] == "clean"


@core
def test_a_suspended_build_rests_as_a_whole_and_goes_on(lab: Lab, engine: str) -> None:
    project, marker = sleeper(lab, seconds=3)
    running = start(project, "build")
    asleep(marker)
    running.signal_group(signal.SIGTSTP)

    def states() -> set[str]:
        found = {psutil.Process(running.pid).status()}
        for process in members(running.pid, engine):
            with contextlib.suppress(psutil.NoSuchProcess):  # the guard itself stays awake, to be told to go on
                found |= {process.status()} if str(project.dir) in " ".join(process.cmdline()) else set()
        return found

    wait_for(lambda: states() == {psutil.STATUS_STOPPED}, 5, "rest")
    running.signal_group(signal.SIGCONT)
    done = running.wait(30)
    assert done.code == 0, done.shown
    assert done.run.result["verdict"] == "clean"


def test_a_program_that_is_interrupted_may_answer_for_itself(lab: Lab) -> None:
    main = """\
use std::{process::exit, sync::atomic::{AtomicBool, Ordering}, thread::sleep, time::Duration};
static STOP: AtomicBool = AtomicBool::new(false);
extern "C" fn stop(_: i32) { STOP.store(true, Ordering::SeqCst); }
extern "C" { fn signal(number: i32, handler: usize) -> usize; }
fn main() {
    unsafe { signal(2, stop as *const () as usize) };
    println!("ready");
    while !STOP.load(Ordering::SeqCst) { sleep(Duration::from_millis(20)); }
    println!("tidied up");
    exit(5);
}
"""
    project = lab.project(binary(main=main))
    assert plain(project, "build").code == 0
    running = start(project, "run", "-q")
    wait_for(lambda: b"ready" in running.so_far(1), what="the program's word")
    running.signal_group(signal.SIGINT)
    done = running.wait(15)
    assert done.out == b"ready\ntidied up\n", done.shown
    assert done.code in (5, *INTERRUPTED)


def test_a_program_that_ends_well_after_an_interrupt_has_ended_well(lab: Lab) -> None:
    catches = (
        'extern "C" { fn signal(number: i32, act: extern "C" fn(i32)) -> usize; }\n'
        'extern "C" fn leave(_: i32) { std::process::exit(0) }\n'
    )
    waits = 'unsafe { signal(2, leave); } println!("ready"); loop { std::thread::park(); }'
    project = lab.project(binary(main=f"{catches} fn main() {{ {waits} }}"))
    assert sandboxed(project, "build").code == 0
    running = start(project, "run", "-q")
    wait_for(lambda: b"ready" in running.so_far(1), what="the program's word")
    running.signal_group(signal.SIGINT)
    done = running.wait(15)
    assert done.code == 0 and done.run.result["exit_code"] == 0, done.shown
