"""Real crates that act in many ways when they are built: none of it is taken for an attack."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import pytest

from tests.benign.staging import DRIFT, Stage, accept, alarms, check, explained, groups, missing, shown, unexplained
from tests.engines import core
from tests.harness import Done, Lab, Project

pytestmark = [pytest.mark.benign, pytest.mark.engine, pytest.mark.slow]

STANDING = groups()["standing"]


@dataclass(frozen=True)
class Built:
    project: Project
    done: Done


@pytest.fixture(scope="module")
def first(lab: Lab) -> Built:
    """The first build, from nothing."""
    project = Stage(lab).workspace(STANDING)
    return Built(project, check(project))


@pytest.fixture(scope="module")
def in_ci(first: Built) -> Built:
    """From nothing once more, with the variables of a CI, against what was accepted of the first build."""
    accepted = accept(first.project)
    assert accepted.code == 0, accepted.shown
    shutil.rmtree(first.project.target)
    return Built(first.project, check(first.project, ci=True))


def assert_quiet(done: Done) -> None:
    """Everything was compiled, the record is whole, and nothing is found that has no reason."""
    assert done.code == 0, done.shown
    assert missing(done.run, STANDING) == []
    assert done.run.result["completeness"]["reasons"] == []
    assert shown(alarms(done.run, STANDING)) == []
    assert shown(unexplained(done.run, STANDING)) == []


@core
def test_a_first_build_is_without_an_alarm(first: Built) -> None:
    assert_quiet(first.done)
    ran = {unit["package"] for unit in first.done.units("script")}
    assert {"ring", "openssl-sys", "libz-sys", "libmimalloc-sys", "proc-macro2", "benign-codegen"} <= ran


def test_each_reason_in_the_list_is_still_needed(first: Built) -> None:
    found = {(one["package"], one["code"]) for one in first.done.run.findings()}
    compiled = {unit.get("package") for unit in first.done.units("rustc")}
    assert {key for key in explained() if key[0] in compiled} - found == set()


def test_a_second_build_runs_nothing_and_finds_nothing_new(first: Built) -> None:
    again = check(first.project)
    assert again.code == 0, again.shown
    assert again.run.built() == []
    assert shown(alarms(again.run, STANDING)) == shown(unexplained(again.run, STANDING)) == []


def test_with_the_variables_of_a_ci_the_same_crates_do_nothing_that_was_not_accepted(in_ci: Built) -> None:
    (written,) = in_ci.project.build_dir.glob("**/built.rs")
    assert 'CI_PLATFORM: Option<&str> = Some("' in written.read_text(), "the variables did not reach the build scripts"
    assert_quiet(in_ci.done)
    assert [one for one in in_ci.done.run.findings() if one["code"] in DRIFT] == []
