"""What was not seen is never said to be clean."""

from __future__ import annotations

from dataclasses import replace

from sandbox.judge.model import Completeness
from sandbox.report.seen import gaps, headline, seen
from tests.unit.report.results import CLEAN, NO_BASELINE


def test_a_run_that_nobody_recorded_has_seen_nothing_however_it_ended() -> None:
    unrecorded = replace(CLEAN, recorded=False, verdict="incomplete", completeness=Completeness(reasons=("runsc",)))
    assert seen(unrecorded).extent == "nothing"
    assert any("nothing was seen" in words for words in gaps(unrecorded))
    assert "clean" not in headline(unrecorded)


def test_where_nothing_ran_no_baseline_is_called_missing() -> None:
    fresh = replace(CLEAN, units={"cargo": 1}, fresh_units=9, no_baseline=None)
    assert gaps(fresh) == ["nothing ran, so nothing was compared with a baseline in this run"]
    assert gaps(NO_BASELINE) == ["no baseline: this run was not compared with any"]
