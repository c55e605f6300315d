"""The check of the benign set sees what rules and baselines say, and not acts alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.benign.staging import Group, alarms, unexplained


@pytest.mark.parametrize("code", ["CS0101", "CS0262", "CS0303", "CS0401"])
def test_a_finding_of_any_kind_counts(code: str) -> None:
    found = {"package": "app", "code": code, "severity": "high", "subject": "x", "role": "script", "detail": "d"}
    run = SimpleNamespace(result={"findings": [found]})
    nobody = Group("none", ())
    assert alarms(run, nobody) == unexplained(run, nobody) == [found]  # type: ignore[arg-type]
