"""What was not seen is never said to be clean."""

from __future__ import annotations

from dataclasses import replace

from sandbox.judge.model import Completeness
from sandbox.report.seen import gaps, headline, seen
from tests.unit.report.results import CLEAN


def test_a_run_that_nobody_recorded_has_seen_nothing_however_it_ended() -> None:
    unrecorded = replace(CLEAN, recorded=False, verdict="incomplete", completeness=Completeness(reasons=("runsc",)))
    assert seen(unrecorded).extent == "nothing"
    assert any("nothing was seen" in words for words in gaps(unrecorded))
    assert "clean" not in headline(unrecorded)
