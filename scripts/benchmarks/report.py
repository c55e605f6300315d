"""What a benchmark came to, as text for a person and as JSON with every single figure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.figures import Spread, Threshold, number

SCHEMA = 1


@dataclass(slots=True)
class Report:
    """`rows` are (label, spread, unit); `details` holds every single figure, by subject."""

    tool: str
    options: dict[str, Any]
    machine: dict[str, Any]
    started: datetime = field(default_factory=lambda: datetime.now().astimezone())
    rows: list[tuple[str, Spread, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    thresholds: list[Threshold] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def row(self, label: str, values: list[float], unit: str = "") -> Spread:
        """Add a line of the table; gives its spread."""
        spread = Spread.of(values)
        self.rows.append((label, spread, unit))
        return spread

    def promise(self, name: str, limit: float, unit: str, value: float | None) -> None:
        """Compare a value with a threshold of the project."""
        self.thresholds.append(Threshold(name, limit, unit, value))

    def text(self) -> str:
        """The whole report for a person."""
        width = max((len(label) for label, _, _ in self.rows), default=0)
        lines = [f"bench {self.tool}: {machine.words(self.machine)}", ""]
        if self.rows:
            lines.append(f"{'':<{width}} {'min':>9} {'median':>9} {'max':>9}   runs")
        for label, spread, unit in self.rows:
            figures = " ".join(f"{number(value):>9}" for value in (spread.minimum, spread.median, spread.maximum))
            lines.append(f"{label:<{width}} {figures}   {spread.count:<4} {unit}".rstrip())
        lines.append("")
        lines += [threshold.words() for threshold in self.thresholds]
        busy = machine.busy(self.machine)
        lines += [f"note: {note}" for note in (*self.notes, *([busy] if busy else []))]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "schema": SCHEMA,
            "tool": self.tool,
            "started": self.started.isoformat(),
            "finished": datetime.now().astimezone().isoformat(),
            "options": self.options,
            "machine": self.machine,
            "thresholds": [threshold.to_json() for threshold in self.thresholds],
            "summary": [{"label": label, "unit": unit, **spread.to_json()} for label, spread, unit in self.rows],
            "notes": self.notes,
            "figures": self.details,
        }

    def write(self, path: Path) -> None:
        """Write the JSON report. Raises OSError."""
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n", "utf-8")
