"""The recorder follows behaviours from the first unit on, not where cargo found nothing to do, and knows its holes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.judge.first import Judge
from sandbox.run.recorder import Recorder
from sandbox.trace.ledger import Ledger
from sandbox.trace.store import RunStore


class Follower:
    """Stands for the profiler: keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []

    def unit(self, record: Mapping[str, Any]) -> None:
        self.told.append(record)

    def event(self, event: Mapping[str, Any]) -> None:
        self.told.append(event)


CARGO = {"event": "start", "unit": "u0", "role": "cargo", "exe": "/t/cargo"}
SCRIPT = {"event": "start", "unit": "u1", "role": "script", "package": "a", "version": "1.0.0"}


def end(unit: str) -> dict[str, Any]:
    """As the guard tells it: an end has no role."""
    return {"event": "end", "unit": unit, "status": 0, "outputs": [], "outputs_cut": False}


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with (
        RunStore(tmp_path / "runs").create(datetime.now(UTC)) as writer,
        Ledger.open(tmp_path / "state", tmp_path / "build", "guard") as ledger,
    ):
        yield Recorder(writer, Judge((), "/home/cargo", ()), ledger, "never", print, Follower)  # type: ignore[arg-type]


def test_a_run_of_cargo_alone_is_followed_by_no_profiler(recorder: Recorder) -> None:
    for record in (CARGO, end("u0")):
        recorder.unit(record)
    assert recorder.profiler is None
    assert dict(recorder.roles) == {"cargo": 1}


def test_the_first_unit_is_followed_from_its_start_on(recorder: Recorder) -> None:
    told = [CARGO, SCRIPT, end("u1"), end("u0")]
    for record in told:
        recorder.unit(record)
    assert isinstance(recorder.profiler, Follower)
    assert recorder.profiler.told == told[1:]


def test_a_guard_that_was_asked_about_nothing_leaves_a_hole_unless_that_was_planned(recorder: Recorder) -> None:
    ending = {"written": 0, "quiet": 0, "unreadable": 0, "lost": 0}
    assert recorder.completeness(ending | {"seen": 0}).reasons == ("the guard was asked about no call at all",)
    assert recorder.completeness(ending | {"seen": 1, "quiet": 1}).reasons == ()
    assert recorder.completeness(ending | {"seen": 0}, alone=True).reasons == ()
