"""Runtimes that the user names: what the guard can't do there is said before and after, and never believed later."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.daemons import needs_root
from tests.engine.crates import KITCHEN, KITCHEN_SAYS, binary, library, scripted
from tests.engines import only
from tests.harness import Lab, Project, processes, sandboxed, start, wait_for
from tests.runtimes import (
    ABSENT,
    APART,
    BARE,
    BROKEN,
    FILTERLESS,
    GVISOR,
    MUTE,
    UNASKED,
    WHOLE,
    Daemon,
    build_dir,
    daemon,
    gvisor,
)  # fmt: skip

__all__ = ["daemon"]
pytestmark = [pytest.mark.engine, only("docker", "it starts runtimes"), needs_root]

needs_gvisor = pytest.mark.skipif(gvisor() is None, reason="runsc is not installed")
UNRECORDED = (UNASKED, BARE, pytest.param(GVISOR, marks=needs_gvisor))
LACKS = {
    UNASKED: ("no user notification",),
    APART: ("no Landlock",),
    BARE: ("no user notification", "no Landlock", "no child subreaper"),
}
in_unrecorded = pytest.mark.parametrize("runtime", UNRECORDED)
in_each = pytest.mark.parametrize("runtime", (*UNRECORDED, APART))


def project_in(lab: Lab, daemon: Daemon, runtime: str, files: dict[str, str]) -> Project:
    return daemon.use(lab.project(files), runtime)


def no_container(daemon: Daemon) -> None:
    """The daemon takes its time to remove what has ended."""
    wait_for(lambda: not daemon.containers(), 30, "the removal of every container")


@in_each
def test_a_build_there_gives_what_cargo_gives_and_is_incomplete_by_name(lab: Lab, daemon: Daemon, runtime: str) -> None:
    project = project_in(lab, daemon, runtime, KITCHEN)
    done = sandboxed(project, "run")
    assert (done.code, done.out) == (0, KITCHEN_SAYS), done.shown
    result = done.run.result
    assert result["verdict"] == "incomplete" and result["recorded"] == (runtime == APART)
    reasons = result["completeness"]["reasons"]
    assert reasons == done.run.plan["missing"] and done.run.plan["runtime"] == runtime
    assert all(reason.startswith(f"runtime {runtime}: ") for reason in reasons)
    # Newer releases of gVisor have a child subreaper.
    for lack in LACKS.get(runtime, LACKS[BARE][:2]):
        assert any(reason.endswith(lack) for reason in reasons), reasons
        assert f"{lack}\n" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Sandbox incomplete: ") and f"docker {runtime}" in last
    if runtime != APART:
        assert "units not seen, findings not seen" in last and "0 findings" not in last
        assert done.run.units() == [] and done.run.events() == []
    else:
        assert len(done.run.units("script")) == 2 and "0 findings" in last
    assert ("no Landlock" in last) == (runtime != UNASKED)
    assert [path.name for path in (project.target / ".cargo-sandbox").iterdir()] == [build_dir(project, runtime).name]
    told = sandboxed(project, "runs", "list")
    assert ("no record" in told.stdout) == (runtime != APART) and "clean" not in told.stdout
    again = sandboxed(project, "report", "last")
    assert again.stdout.splitlines()[-1] == last
    no_container(daemon)


def test_the_decision_is_in_the_plan_and_nothing_is_built_for_that(lab: Lab, daemon: Daemon) -> None:
    project = project_in(lab, daemon, BARE, binary())
    done = sandboxed(project, "plan", "build")
    assert done.code == 0, done.shown
    assert f"  runtime   {BARE}" in done.stdout and "  recorded  no, but guard" in done.stdout
    assert f"  missing   runtime {BARE}: the guard can't record there: no user notification" in done.stdout
    assert not project.target.exists()


@pytest.mark.parametrize(("option", "code"), [("--require-complete", 122), ("--strict", 121)])
def test_who_demands_a_whole_record_gets_no_build_at_all(lab: Lab, daemon: Daemon, option: str, code: int) -> None:
    project = project_in(lab, daemon, UNASKED, binary())
    done = sandboxed(project, "build", options=[option])
    assert done.code == code, done.shown
    assert "nothing was built" in done.stderr and f"runtime {UNASKED}: the guard can't record there" in done.stderr
    assert done.run_id is None and not project.target.exists()


def test_a_runtime_that_lacks_nothing_is_like_any_other(lab: Lab, daemon: Daemon) -> None:
    project = project_in(lab, daemon, WHOLE, scripted("fn main() {}"))
    done = sandboxed(project, "build", options=["--require-complete"])
    assert done.code == 0, done.shown
    assert done.run.result["verdict"] == "clean" and len(done.units("script")) == 1
    assert done.run.plan["runtime"] == WHOLE and done.run.plan["missing"] == []
    assert build_dir(project).is_dir()


def test_nobody_who_named_no_runtime_gets_less_than_a_record(lab: Lab, daemon: Daemon) -> None:
    """The daemon's default runtime is one without user notification."""
    project = project_in(lab, daemon, "", binary())
    done = sandboxed(project, "build", options=["--engine", "docker"])
    assert done.code == 121, done.shown
    assert "wall can't be put up" in done.stderr
    assert not (project.target / "debug/app").exists()
    no_container(daemon)


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        (BROKEN, "exit status 3"),
        (ABSENT, "no such file or directory"),
        (MUTE, "runs no container"),
        (FILTERLESS, "a syscall filter can't be had there"),
        ("csbench-unknown", "csbench-unknown"),
    ],
)
def test_a_runtime_that_can_not_hold_a_build_is_refused_with_its_own_words(
    lab: Lab, daemon: Daemon, runtime: str, words: str
) -> None:
    project = project_in(lab, daemon, runtime, binary())
    done = sandboxed(project, "build", timeout=120)
    assert done.code == 121, done.shown
    assert f"the runtime {runtime} " in done.stderr and words in done.stderr
    assert done.run_id is None and not project.target.exists()
    no_container(daemon)


@in_unrecorded
def test_what_was_built_without_a_record_is_built_again_by_a_recorded_build(
    lab: Lab, daemon: Daemon, runtime: str
) -> None:
    script = 'fn main() { println!("cargo::rerun-if-changed=build.rs"); }'
    project = daemon.use(lab.project(scripted(script)))
    recorded, unrecorded = (["--runtime", name] for name in ("runc", runtime))
    assert sandboxed(project, "build", options=unrecorded).code == 0
    first = sandboxed(project, "build", options=recorded)
    assert (first.code, first.run.result["verdict"]) == (0, "clean"), first.shown
    assert sorted(first.run.built()) == ["rustc app", "rustc app", "script app"], "none of it was taken for fresh"
    # An own build dir also keeps what is fresh for each; the other's seals hold.
    project.write({"src/main.rs": 'fn main() { println!("changed"); }'})
    between = sandboxed(project, "build", options=unrecorded)
    assert "Compiling app" in between.stderr
    again = sandboxed(project, "build", options=recorded)
    assert again.run.result["verdict"] == "clean" and again.run.built() == ["rustc app"], again.shown
    fresh = sandboxed(project, "build", options=unrecorded)
    assert "Compiling" not in fresh.stderr and fresh.run.result["verdict"] == "incomplete"


@in_unrecorded
def test_the_users_program_gets_its_input_there(lab: Lab, daemon: Daemon, runtime: str) -> None:
    main = 'fn main() { for line in std::io::stdin().lines() { println!("got {}", line.unwrap()); } }'
    project = project_in(lab, daemon, runtime, binary(main=main))
    done = sandboxed(project, "run", "-q", stdin=b"one\ntwo\n")
    assert (done.code, done.out) == (0, b"got one\ngot two\n"), done.shown


def test_tests_and_doctests_run_there(lab: Lab, daemon: Daemon) -> None:
    project = project_in(lab, daemon, BARE, library())
    done = sandboxed(project, "test")
    assert done.code == 0, done.shown
    assert done.stdout.count("test result: ok. 1 passed") == 3
    failing = sandboxed(project, "test", "--", "--bogus")
    assert failing.code == 1 or failing.code == 101, failing.shown


@in_unrecorded
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_nothing_there(lab: Lab, daemon: Daemon, runtime: str, number: int) -> None:
    marker = f"86{os.getpid()}{number}"
    script = f'fn main() {{ std::process::Command::new("sleep").arg("{marker}").status().unwrap(); }}'
    project = project_in(lab, daemon, runtime, scripted(script))
    running = start(project, "build")
    wait_for(lambda: daemon.containers() and b"Compiling" in running.so_far(), 120, "the container")
    if runtime != GVISOR:  # whose processes nobody outside sees
        wait_for(lambda: processes(marker), 60, "the script")
    if number == signal.SIGINT:
        running.signal_group(number)
    else:
        os.kill(running.pid, number)
    done = running.wait(60)
    assert done.code == -number or done.code == 128 + number, done.shown
    wait_for(lambda: not daemon.containers() and not processes(marker), 30, "the end of the container")


def test_the_doctor_tries_a_runtime_that_is_named(lab: Lab, daemon: Daemon) -> None:
    project = project_in(lab, daemon, BARE, {})
    done = sandboxed(project, "doctor")
    assert f"docker --runtime {BARE}: degraded" in done.stdout, done.shown
    assert f"runtime {BARE}: the guard can't record there: no user notification" in done.stdout
    broken = sandboxed(daemon.use(project, BROKEN), "doctor", "--require", "degraded")
    assert broken.code == 121 and f"docker --runtime {BROKEN}: none" in broken.stdout, broken.shown
    assert "exit status 3" in broken.stdout


@needs_gvisor
def test_gvisor_tells_a_kernel_of_its_own(lab: Lab, daemon: Daemon) -> None:
    done = sandboxed(project_in(lab, daemon, GVISOR, {}), "doctor", "--json")
    facts = json.loads(done.stdout)["facts"]["runtime"]
    assert facts["kernel"] != os.uname().release and facts["filters"] and not facts["network"]
