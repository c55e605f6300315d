"""Both builds at the same time, each on a processor of its own: what a machine that changes its speed can still tell.

In turn, a build a minute long meets another machine than the one before it; side by side both meet the same one. They
change places, so that neither has the better processor. Each has one job, so what a build with several loses when its
processors wait for each other is not in these figures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from statistics import geometric_mean
from typing import TYPE_CHECKING

from benchmarks.command import Outcome, say, succeed
from benchmarks.figures import ratios

if TYPE_CHECKING:
    from benchmarks.overhead import Side
    from benchmarks.report import Report


def run(rounds: int, engine: str, sides: Mapping[str, Side], env: dict[str, str], report: Report) -> None:
    """Cold builds, twice a round. Where that can't be, the report says so. Raises BenchError when a build fails."""
    processors = sorted(os.sched_getaffinity(0))[:2]
    if engine != "bubblewrap" or len(processors) < 2:
        why = "a daemon starts its containers on any processor" if engine != "bubblewrap" else "there is one processor"
        report.notes.append(f"side by side was not measured: {why}")
        return
    walls, cpus, details = [], [], []
    for done in range(rounds):
        both = [_together(sides, places, env) for places in (processors, processors[::-1])]
        # Of the two ratios this mean, in which what a place does to them cancels out.
        ours, theirs = ([one[name] for one in both] for name in ("sandboxed", "plain"))
        walls.append(geometric_mean(ratios([one.wall_s for one in ours], [one.wall_s for one in theirs])))
        cpus.append(geometric_mean(ratios([one.cpu_s for one in ours], [one.cpu_s for one in theirs])))
        details += [{name: outcome.to_json() for name, outcome in one.items()} for one in both]
        say(f"side by side {done + 1}/{rounds}: wall ratio {walls[-1]:.3f}, CPU ratio {cpus[-1]:.3f}")
    report.row("side by side, one job each, wall ratio", walls)
    report.row("side by side, one job each, CPU ratio", cpus)
    report.details["beside"] = details


def _together(sides: Mapping[str, Side], places: list[int], env: dict[str, str]) -> dict[str, Outcome]:
    for side in sides.values():
        side.clear()
    with ThreadPoolExecutor(len(places)) as pool:
        started = {
            name: pool.submit(_on, place, side, env) for place, (name, side) in zip(places, sides.items(), strict=True)
        }
        return {name: one.result() for name, one in started.items()}


def _on(processor: int, side: Side, env: dict[str, str]) -> Outcome:
    """The thread's affinity is the command's too, and cargo takes as many jobs as it may use processors."""
    os.sched_setaffinity(0, {processor})
    return succeed(side.command, side.folder, env, side.log)
