"""`python -m benchmarks.orchestrator EVENTS FILE`: `cargo-sandbox build` here, with a guard that only tells of events.

Resolve and planning are real. The build's container is replaced by a process that speaks frames (benchmarks.events),
so nothing is built, and what is measured is the orchestrator. Writes what it came to as JSON into FILE.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from sandbox.cli.options import Settings
from sandbox.engine.bubblewrap import Bubblewrap, BubblewrapSession
from sandbox.engine.protocol import EngineInfo
from sandbox.plan.model import Plan
from sandbox.run.build import run_cargo
from sandbox.trace.store import RunStore


class Talker:
    """An engine: real containers for resolving, a process full of events for the build."""

    def __init__(self, events: int) -> None:
        self.info = EngineInfo("talker", "1", "no container")
        self.begun = 0.0
        self._real = Bubblewrap()
        self._events = events

    def owner(self, workspace: str) -> tuple[int, int]:
        """As the real one says."""
        return self._real.owner(workspace)

    def start(self, plan: Plan) -> BubblewrapSession:
        """Start the plan, or what stands for it."""
        if not plan.recorded:
            return self._real.start(plan)
        self.begun = time.perf_counter()
        command = [sys.executable, "-P", "-m", "benchmarks.events", str(self._events), plan.build_dir]
        pipe = subprocess.PIPE
        return BubblewrapSession(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0))


def main(events: int, answer: Path) -> int:
    """Returns what `cargo-sandbox build` would."""
    engine = Talker(events)
    code = run_cargo(["build"], Settings(), engine)
    seconds = time.perf_counter() - engine.begun
    with RunStore().open("last") as run:
        result = run.result or {}
    said = {
        "wall_s": seconds, "peak_kb": _peak_kb(), "verdict": result.get("verdict"),
        "listed": result.get("completeness", {}).get("listed"),
        "codes": [finding["code"] for finding in result.get("findings", ())],
    }  # fmt: skip
    answer.write_text(json.dumps(said))
    return code


def _peak_kb() -> int:
    """Our own largest resident size. Not getrusage's: that one also counts the program that forked us."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
