"""The report, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.report import Report

MACHINE: dict[str, Any] = {
    "kernel": "6.18.1",
    "cores": 8,
    "processor": "Some Processor",
    "memory_bytes": 16 << 30,
    "load_average": 0.1,
    "versions": {"cargo": "cargo 1.95.0", "python": "3.12.1"},
}


def sample(load: float = 0.1) -> Report:
    report = Report("overhead", {"pairs": 2}, MACHINE | {"load_average": load})
    spread = report.row("cold, wall ratio", [1.01, 1.05])
    report.row("no-op, cargo-sandbox", [201.5], "ms")
    report.promise("cold build", 1.03, "", spread.median)
    report.promise("no-op build", 120, "ms", None)
    report.notes.append("a remark")
    report.details["cold"] = {"plain": [10.0, 20.0]}
    return report


def test_a_person_sees_machine_figures_thresholds_and_notes() -> None:
    assert sample().text().splitlines() == [
        "bench overhead: Linux 6.18.1, 8 cores (Some Processor), 16 GiB, cargo 1.95.0",
        "",
        "                           min    median       max   runs",
        "cold, wall ratio         1.010     1.030     1.050   2",
        "no-op, cargo-sandbox     201.5     201.5     201.5   1    ms",
        "",
        "met          cold build: 1.030 (at most 1.030)",
        "not measured no-op build: - (at most 120 ms)",
        "note: a remark",
    ]


def test_figures_of_a_busy_machine_are_marked() -> None:
    assert "not idle (load average 3.50 on 8 cores)" in sample(3.5).text()


def test_a_program_gets_everything(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    sample().write(path)
    data = json.loads(path.read_text())
    assert data["schema"] == 1
    assert data["machine"] == MACHINE
    assert data["options"] == {"pairs": 2}
    assert data["figures"] == {"cold": {"plain": [10.0, 20.0]}}
    assert data["summary"][0] == {
        "label": "cold, wall ratio", "unit": "", "min": 1.01, "median": 1.03, "max": 1.05, "count": 2
    }  # fmt: skip
    assert [(entry["name"], entry["met"]) for entry in data["thresholds"]] == [
        ("cold build", True),
        ("no-op build", None),
    ]
    assert data["started"] <= data["finished"]
