"""Each of cargo's verbs does in the sandbox what it does without."""

from __future__ import annotations

import os
import sys

import pytest

from tests.engine.compare import same
from tests.engine.crates import KITCHEN, KITCHEN_SAYS, binary, library
from tests.engines import core
from tests.harness import ROOT, Lab, guard_binary, plain, sandboxed

pytestmark = pytest.mark.engine


@core
def test_a_workspace_with_all_that_builds_do_is_built_as_by_cargo_and_stays_fresh(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    done = same(project, "run", "-j1", fresh_after=True)
    assert done.out == KITCHEN_SAYS
    assert len(done.run.built()) == 8
    assert (project.target / "debug/app").exists()


@core
def test_a_clean_build_ends_with_one_line_and_only_that_is_not_cargos(lab: Lab, engine: str) -> None:
    done = sandboxed(lab.project(KITCHEN), "build")
    assert done.code == 0, done.shown
    *_, finished, last = done.stderr.splitlines()
    assert finished.startswith("    Finished "), done.shown
    counted = "2 build scripts, 6 compile units, 3 without a baseline, 0 findings"
    assert last.startswith(f"Sandbox clean: {counted} ({engine}, no network,")
    assert last.endswith(f"· run {done.run_id}")


@core
@pytest.mark.parametrize("verb", ["build", "check", "doc", "clippy"])
def test_a_verb_that_builds_gives_the_same_and_stays_fresh(lab: Lab, verb: str) -> None:
    done = same(lab.project(library()), verb, fresh_after=True)
    assert done.code == 0
    assert len(done.run.built()) == 1


def test_run_gives_the_same_and_stays_fresh(lab: Lab) -> None:
    assert same(lab.project(binary()), "run", fresh_after=True).out == b"hello\n"


@core
def test_test_runs_unit_tests_test_files_examples_and_doc_tests(lab: Lab) -> None:
    # Doc tests are compiled anew each time, by cargo's rule.
    done = same(lab.project(library()), "test", "-j1", fresh_after=True, each_time=("rustdoc lib",))
    assert done.stdout.count("test result: ok. 1 passed") == 3
    assert [unit["role"] for unit in done.units() if unit["role"] == "program"] == ["program"] * 2


@core
def test_bench_runs_the_benches(lab: Lab) -> None:
    files = library(more="\n[[bench]]\nname = 'speed'\nharness = false\n")
    files["benches/speed.rs"] = 'fn main() { println!("{} is fast", lib::add(1, 1)); }\n'
    done = same(lab.project(files), "bench", "-j1", fresh_after=True)
    assert "2 is fast\n" in done.stdout


@pytest.mark.parametrize("alias", ["b", "c", "t", "r", "d"])
def test_a_short_name_is_its_verb(lab: Lab, alias: str) -> None:
    assert same(lab.project(binary()), alias).code == 0


def test_cargo_finds_it_as_a_subcommand_of_its_own(lab: Lab, engine: str) -> None:
    project = lab.project(binary())
    tool = project.home / "bin"
    project.write({"~/bin/cargo-sandbox*": f'#!/bin/sh\nexec "{sys.executable}" -P -m sandbox "$@"\n'})
    env = {
        "PATH": f"{tool}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CARGO_SANDBOX_ENGINE": engine,
        "CARGO_SANDBOX_TEST_GUARD": str(guard_binary()),
        "PYTHONPYCACHEPREFIX": str(lab.cache / "pycache"),
    }
    done = plain(project, "sandbox", "run", env=env)
    assert (done.code, done.out) == (0, b"hello\n"), done.shown
    assert "Sandbox clean" in done.stderr
    assert same(project, "run").code == 0


def test_the_word_that_cargo_repeats_is_left_out(lab: Lab) -> None:
    assert sandboxed(lab.project(binary()), "sandbox", "run").out == b"hello\n"


def test_clippy_shows_its_lints_and_takes_its_own_arguments(lab: Lab) -> None:
    project = lab.project(binary(main="fn main() { let x = 1; let y = x.clone(); let _ = y; }"))
    assert "clippy::clone_on_copy" in same(project, "clippy").stderr
    assert same(project, "clippy", "--", "-D", "clippy::clone_on_copy").code == 101


def test_cargos_own_help_is_printed_and_nothing_is_built(lab: Lab) -> None:
    project = lab.project(binary())
    done = same(project, "build", "--help")
    assert b"Compile a local package" in done.out
    assert not (project.target / "debug").exists()


@core
def test_a_compile_error_is_cargos_with_its_exit_code(lab: Lab) -> None:
    done = same(lab.project(binary(main="fn main() { missing() }")), "build")
    assert done.code == 101
    assert "error[E0425]" in done.stderr
    assert done.run.result["verdict"] == "clean"


def test_a_failing_test_is_cargos_with_its_exit_code(lab: Lab) -> None:
    files = library()
    files["tests/outside.rs"] = '#[test]\nfn wrong() { assert_eq!(lib::add(3, 4), 8, "sums"); }\n'
    done = same(lab.project(files), "test", "-j1", "--test", "outside")
    assert done.code == 101
    assert "test wrong ... FAILED" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["build", "--no-such-option"], ["build", "--bin", "none"], ["build", "-p", "nobody"], ["run", "-j0"]]
)
def test_arguments_that_cargo_refuses_are_refused_by_cargo(lab: Lab, arguments: list[str]) -> None:
    project = lab.project(binary())
    assert plain(project, "generate-lockfile").code == 0
    assert same(project, *arguments).code in (1, 101)
