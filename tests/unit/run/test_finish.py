"""What a build that was cut short leaves is not held against anybody."""

from __future__ import annotations

import pytest

from sandbox.run.finish import was_about_to_run
from sandbox.run.pump import Ending
from sandbox.trace.seals import SealBreak

KEY, PATH = "/b/.fingerprint/a-1", "/b/deps/liba-1.rlib"


@pytest.mark.parametrize(
    "ending",
    [
        Ending(stopped="a violation"),
        Ending(limit="time"),
        Ending(interrupted=2),
        Ending(broken="the daemon has gone"),
        Ending(exit={"signal": 15, "outside": 15}),
    ],
)
def test_an_output_that_cargo_took_away_before_the_end_is_nobodys_deed(ending: Ending) -> None:
    assert was_about_to_run(SealBreak(KEY, PATH, "missing"), {}, ending)


@pytest.mark.parametrize("ending", [None, Ending(exit={"code": 0})])
def test_a_missing_output_of_a_build_that_ended_by_itself_is_one(ending: Ending | None) -> None:
    assert not was_about_to_run(SealBreak(KEY, PATH, "missing"), {}, ending)


def test_a_changed_output_and_one_of_a_unit_that_ran_are_always_one() -> None:
    ending = Ending(stopped="a violation")
    assert not was_about_to_run(SealBreak(KEY, PATH, "changed"), {}, ending)
    assert not was_about_to_run(SealBreak(KEY, PATH, "missing"), {KEY: ("u1",)}, ending)
