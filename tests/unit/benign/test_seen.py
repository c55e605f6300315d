"""The check of the benign set sees what rules and baselines say, and not acts alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benign.staging import Group, alarms, unexplained
from tests.harness import Run


@pytest.mark.parametrize("code", ["CS0101", "CS0262", "CS0303", "CS0401"])
def test_a_finding_of_any_kind_counts(code: str) -> None:
    found = {"package": "app", "code": code, "severity": "high", "subject": "x", "role": "script", "detail": "d"}

    class Said(Run):
        @property
        def result(self) -> dict[str, Any]:
            return {"findings": [found]}

    run = Said(Path())
    nobody = Group("none", ())
    assert alarms(run, nobody) == unexplained(run, nobody) == [found]
