"""serde_derive 1.0.183 came as a program that rustc started: no attack, but a thing that one wants to be told."""

from __future__ import annotations

import pytest

from tests.benign.staging import Stage, alarms, check, groups, missing
from tests.harness import Done, Lab

pytestmark = [pytest.mark.benign, pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def done(lab: Lab) -> Done:
    return check(Stage(lab).workspace(groups()["old"]))


def test_its_program_is_recorded_and_is_no_grave_matter(done: Done) -> None:
    assert done.code == 0 and missing(done.run, groups()["old"]) == [], done.shown
    programs = [str(event["path"]) for event in done.run.events("exec")]
    started = [path for path in programs if "linux-gnu" in path.rpartition("/")[2]]
    assert started and all("/serde_derive-1.0.183/" in path for path in started)
    assert alarms(done.run, groups()["old"]) == []


def test_that_a_macro_ran_a_program_is_told(done: Done) -> None:
    assert {"CS0263"} <= {found["code"] for found in done.run.findings()}
