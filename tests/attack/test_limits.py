"""Resources: every limit ends the build with its own words; and a wall that can't stand is named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.run import test_hooks as hooks
from tests.attack.arena import Arena, Attack, actor_script, actor_source, acts_file, application, build
from tests.engines import core, once
from tests.harness import ROOT, Lab, Project, guard_binary, processes, sandboxed

pytestmark = [pytest.mark.attack, pytest.mark.engine]


@pytest.fixture(scope="module")
def greedy_project(lab: Lab) -> Project:
    project = lab.project(application("csbench-greedy") | actor_source() | actor_script("csbench-greedy"))
    assert build(project, guard_binary(), "build").code == 0
    return project


@pytest.fixture
def greedy(greedy_project: Project) -> Iterator[Project]:
    yield greedy_project
    assert not processes(str(greedy_project.dir)), "nothing is left running"


def give(project: Project, name: str, *words: str) -> None:
    project.write({"csbench-greedy/acts": acts_file({name: words})})


LIMITS = {
    "time": (("--time-limit", "1s"), ("sleep", "3000"), "time"),
    "memory": (("--memory-limit", "150M"), ("memory", "400", "3000"), "memory"),
    "processes": (("--process-limit", "40"), ("fork-many", "120", "3000"), "process"),
    "disk": (("--min-free-disk", "900T"), ("sleep", "3000"), "disk"),
}


@core
@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_ends_the_build_and_says_which(greedy: Project, what: str) -> None:
    options, words, told = LIMITS[what]
    give(greedy, "greed", *words)
    done = build(greedy, guard_binary(), "build", options=options)
    if what == "processes" and done.code == 0:
        # An ordinary user's processes are limited by the kernel too, which refuses one more and ends nothing.
        assert Attack(done).told("csbench-greedy")["greed"] == "EAGAIN"
        return
    assert done.code in (124, 101) if what == "processes" else done.code == 124, done.shown
    if done.code == 124:
        assert told in done.stderr and done.run.result["stopped"], done.shown


def test_without_limits_the_same_acts_end_well(greedy: Project) -> None:
    acts = {"memory": ("memory", "400", "100"), "processes": ("fork-many", "120", "200"), "sleep": ("sleep", "1200")}
    greedy.write({"csbench-greedy/acts": acts_file(acts)})
    done = build(greedy, guard_binary(), "build")
    assert done.code == 0 and not done.run.findings(), done.shown


@core
def test_scratch_space_has_an_end(greedy: Project) -> None:
    give(greedy, "fill", "run", "/bin/sh", "-c", "head -c 40M /dev/zero > $TMPDIR/fill; rm -f $TMPDIR/fill")
    done = build(greedy, guard_binary(), "build", options=("--tmp-size", "16M"))
    told = done.units("script")[0]["end"]["directives"]
    assert done.code == 0 and "No space left" in told[0], told


def test_a_script_that_prints_without_end_is_ended_and_found(greedy: Project) -> None:
    give(greedy, "flood", "run", "/bin/sh", "-c", "head -c 200M /dev/zero | tr '\\\\0' x >&2; true")
    greedy.write(
        {
            "csbench-greedy/build.rs": (greedy.dir / "csbench-greedy/build.rs")
            .read_text()
            .replace("fn main() {\n", "fn main() {\n    if FLOOD { flood(); }\n", 1)
            + FLOOD
        }
    )
    done = build(greedy, guard_binary(), "build", options=("--on-violation", "report"))
    assert done.code == 101, done.shown[-2000:]
    assert "CS0111" in {entry["code"] for entry in done.run.findings()}
    greedy.write(
        {"csbench-greedy/build.rs": (greedy.dir / "csbench-greedy/build.rs").read_text().replace("= true", "= false")}
    )


FLOOD = """
const FLOOD: bool = true;
fn flood() {
    use std::io::Write;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        if std::io::stdout().write_all(&block).is_err() {
            return;
        }
    }
}
"""


def test_a_kernel_that_lacks_a_wall_is_refused_with_the_walls_name(weak: Arena) -> None:
    done = weak.attack(removed=("landlock99",)).done
    assert done.code == 121, done.shown
    assert "landlock" in done.stderr.lower() and "wall:" in done.stderr and "help:" in done.stderr
    assert not processes(str(weak.project.dir))


def test_the_real_guard_does_not_take_its_walls_down(arena: Arena) -> None:
    """The switch is compiled in for tests only; the guard that users have does not know it."""
    acts = {
        "deps": ("put", "{deps}/csbench-new", "x"),
        "web": ("tcp", "192.0.2.1:80"),
        "cargo": ("kill", "cargo", "9"),
    }
    found = arena.attack(script=acts, removed=("landlock", "deny", "sigscope", "replace", "seal", "kill"))
    assert found.done.code == 0, found.done.shown
    assert (found.script["deps"], found.script["cargo"]) == ("EACCES", "EPERM")
    assert found.select(kind="connect", outcome="denied") and found.select(kind="kill", outcome="denied")


def test_a_removed_wall_is_written_all_over_the_plan(weak: Arena) -> None:
    env = {"CARGO_SANDBOX_TEST_BREAK": "network,landlock", "CARGO_SANDBOX_TEST_GUARD": str(weak.guard)}
    done = sandboxed(weak.project, "plan", "build", env=env)
    assert "WALLS REMOVED FOR A TEST: network landlock" in done.stdout, done.shown


@once("runs nothing")
def test_an_installed_package_listens_to_no_switch(tmp_path: Path) -> None:
    names = shutil.ignore_patterns("guard", "__pycache__")
    shutil.copytree(ROOT / "sandbox", tmp_path / "sandbox", ignore=names)
    assert hooks.removed_walls({hooks.TEST_VARIABLE: "landlock"}) == ("landlock",)
    code = "from sandbox.run import test_hooks as h; print(h.removed_walls({h.TEST_VARIABLE: 'landlock'}))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd="/",
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "()"
