"""Whether the wall clock was set back while a run went on: what changed on the disk is told by its times."""

from __future__ import annotations

import time

SLACK_NS = 1_000_000_000


class Clock:
    """The wall clock beside the monotonic one, from now on. A suspended machine only makes the wall clock run ahead."""

    def __init__(self) -> None:
        self._ahead_ns = _ahead_ns()

    def why_unsure(self) -> str | None:
        """A sentence if the clock was set back by more than a second since, else None; less is a correction."""
        back_ns = self._ahead_ns - _ahead_ns()
        if back_ns <= SLACK_NS:
            return None
        seconds = back_ns / 1e9
        return f"the clock was set back by {seconds:.0f} s, so which files changed in this run can't be told"


def _ahead_ns() -> int:
    return time.time_ns() - time.monotonic_ns()
