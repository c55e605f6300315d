"""What was judged in part only is a finding, of whoever runs without being asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.judge.partial import partly_judged
from tests.unit.baseline.made import CURL, profile, script


def test_a_unit_of_which_a_class_is_not_whole_is_one_finding() -> None:
    (finding,) = partly_judged(profile(script("ring", "1.0.0", CURL, cut=("exec", "read")), script("whole", "1.0.0")))
    assert (finding.code, finding.severity, finding.package, finding.version) == ("CS0117", "medium", "ring", "1.0.0")
    assert (finding.unit, finding.subject) == ("u1", "exec, read")


def test_a_record_with_a_hole_says_so_itself() -> None:
    assert not list(partly_judged(profile(script("ring", "1.0.0", cut=("exec",)), holes=("an event is missing",))))


@pytest.mark.parametrize(
    ("role", "told"), [("rustc", 1), ("rustdoc", 1), ("unknown", 1), ("one of tomorrow", 1), ("program", 0)]
)
def test_programs_of_the_user_are_no_finding(role: str, told: int) -> None:
    made = script("ring", "1.0.0", cut=("exec",))
    made = replace(made, key=replace(made.key, role=role))
    assert len(list(partly_judged(profile(made)))) == told
