"""`scripts/bench overhead`: cargo-sandbox build against plain cargo build, in pairs."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import beside
from benchmarks.command import (
    BenchError,
    Outcome,
    cargo_sandbox,
    say,
    settle,
    succeed,
    tail,
    watched,
)
from benchmarks.figures import Spread, differences, order, ratios
from benchmarks.machine import storage_driver, toolchain_cargo
from benchmarks.report import Report

COLD_RATIO = {"bubblewrap": 1.03, "docker": 1.05}
NOOP_MS = {"bubblewrap": 120.0, "docker": 600.0}
VERSION_MS = 60.0
_ENOUGH_PAIRS, _ENOUGH_NOOPS = 5, 20
_STRACE = "strace -f --seccomp-bpf -e trace=%file,%process,%network -o /dev/null".split()


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its own copy of the workspace, and the command that builds it."""

    name: str
    folder: Path
    command: tuple[str, ...]
    log: Path

    def clear(self) -> None:
        """No target dir, and nothing of the last build still on its way to the disk.

        The old one is put aside until the end: ext4 passes over inodes that were freed in the last minutes, one by one
        (Linux, `recently_deleted` in fs/ext4/ialloc.c), so that the next build would pay for a removal: up to 1 %.
        """
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "target").rename(tempfile.mkdtemp(prefix="old-", dir=self.folder.parent))
        settle()


def run(options: argparse.Namespace, scratch: Path, env: dict[str, str], report: Report) -> None:
    """Measure everything. Raises BenchError when a build fails."""
    env = env | {"CARGO_SANDBOX_ENGINE": options.engine}
    sides = _copies(options.workspace, scratch)
    _fetch(sides["plain"], env)
    _warm_up(sides["sandboxed"], env, report)
    _cold(options, sides, env, report)
    if options.beside:
        beside.run(options.beside, options.engine, sides, env, report)
    if options.strace:
        _strace(sides["plain"], env, report)
    _noop(options, sides, env, report)
    _version(options.version_runs, sides["plain"], env, report)
    if options.engine == "docker" and (driver := storage_driver(env)).startswith("fuse"):
        report.notes.append(f"the daemon keeps containers in {driver}, which slows every build down: see the doctor")
    if options.pairs < _ENOUGH_PAIRS or options.noop_pairs < _ENOUGH_NOOPS:
        report.notes.append(f"the thresholds speak of {_ENOUGH_PAIRS} cold pairs and {_ENOUGH_NOOPS} no-op pairs")


def _copies(workspace: Path, scratch: Path) -> dict[str, Side]:
    """Two copies at paths of the same length."""
    commands = {"plain": ("cargo", "build"), "sandboxed": (*cargo_sandbox(), "build")}
    sides = {}
    for place, (name, command) in zip(("a", "b"), commands.items(), strict=True):
        folder = scratch / place / "ws"
        shutil.copytree(workspace, folder, symlinks=True, ignore=shutil.ignore_patterns("target"))
        sides[name] = Side(name, folder, command, scratch / f"{name}.log")
    return sides


def _fetch(side: Side, env: dict[str, str]) -> None:
    """The one step with network, and with the caller's whole environment: proxies, certificates."""
    say("cargo fetch")
    full = {name: value for name, value in os.environ.items() if name != "CARGO_NET_OFFLINE"} | {"PATH": env["PATH"]}
    succeed(["cargo", "fetch"], side.folder, full, side.log)


def _warm_up(side: Side, env: dict[str, str], report: Report) -> None:
    """One build that is not counted: it fills the page cache and our caches, and shows how much memory we take."""
    say("warm-up: cargo-sandbox build, not counted")
    side.clear()
    seconds, peaks = watched(side.command, side.folder, env, side.log)
    report.details["warm_up"] = {
        "wall_s": seconds, "orchestrator_peak_kb": peaks.orchestrator_kb, "guard_peak_kb": peaks.guard_kb,
        "record": _record(env),
    }  # fmt: skip
    report.notes.append(
        f"first build ever, resolve included: {seconds:.1f} s; peak memory there: orchestrator "
        f"{peaks.orchestrator_kb / 1000:.0f} MB, guard {peaks.guard_kb / 1000:.0f} MB"
    )


def _cold(options: argparse.Namespace, sides: Mapping[str, Side], env: dict[str, str], report: Report) -> None:
    single: dict[str, list[Outcome]] = {"plain": [], "sandboxed": []}
    records, pairs = [], options.pairs
    for pair in range(pairs):
        for name in order(pair):
            side = sides[name]
            side.clear()
            done = succeed(side.command, side.folder, env, side.log)
            single[name].append(done)
            say(f"cold pair {pair + 1}/{pairs}: {name} {done.wall_s:.2f} s wall, {done.cpu_s:.2f} s CPU")
            if name == "sandboxed":
                records.append(_record(env))
    walls = {name: [done.wall_s for done in outcomes] for name, outcomes in single.items()}
    cpus = {name: [done.cpu_s for done in outcomes] for name, outcomes in single.items()}
    report.row("cold, plain cargo", walls["plain"], "s")
    report.row("cold, cargo-sandbox", walls["sandboxed"], "s")
    wall = report.row("cold, wall ratio", ratios(walls["sandboxed"], walls["plain"]))
    report.row("cold, CPU ratio", ratios(cpus["sandboxed"], cpus["plain"]))
    report.promise("cold build, median wall ratio", COLD_RATIO[options.engine], "", wall.median)
    report.details["cold"] = {name: [done.to_json() for done in outcomes] for name, outcomes in single.items()}
    report.details["cold_records"] = records
    for record in records:
        if record["verdict"] == "incomplete":
            report.notes.append(f"run {record['run']} has a hole: {'; '.join(record['reasons'])}")
    if steal := sum(done.steal_s for outcomes in single.values() for done in outcomes):
        report.notes.append(f"a hypervisor took {steal:.1f} s of processor time during the cold builds")


def _strace(side: Side, env: dict[str, str], report: Report) -> None:
    """The usual way to see what a build does, on the same build."""
    tracer = shutil.which("strace", path=env["PATH"])
    if tracer is None:
        report.details["strace"] = None
        report.notes.append("strace is not installed: nothing to compare with")
        return
    say("one cold build of plain cargo under strace")
    side.clear()
    done = succeed([tracer, *_STRACE[1:], *side.command], side.folder, env, side.log)
    plain = Spread.of(outcome["wall_s"] for outcome in report.details["cold"]["plain"])
    report.row("cold, strace around plain cargo", [done.wall_s], "s")
    report.row("cold, strace wall ratio to plain's median", [done.wall_s / plain.median])
    report.details["strace"] = done.to_json() | {"command": _STRACE}


def _noop(options: argparse.Namespace, sides: Mapping[str, Side], env: dict[str, str], report: Report) -> None:
    """Nothing has changed since the last build."""
    pairs = options.noop_pairs
    say(f"no-op build, {pairs} pairs")
    for side in sides.values():
        succeed(side.command, side.folder, env, side.log)
    settle()
    single: dict[str, list[Outcome]] = {"plain": [], "sandboxed": [], "toolchain": []}
    rebuilt = 0
    for pair in range(pairs):
        for name in order(pair):
            side = sides[name]
            single[name].append(succeed(side.command, side.folder, env, side.log))
            rebuilt += "Compiling" in tail(side.log)
    single["toolchain"] = _noop_without_proxy(pairs, sides["plain"], env)
    walls = {name: [done.wall_s * 1000 for done in outcomes] for name, outcomes in single.items()}
    report.row("no-op, plain cargo", walls["plain"], "ms")
    if walls["toolchain"]:
        report.row("no-op, the toolchain's cargo itself", walls["toolchain"], "ms")
    report.row("no-op, cargo-sandbox", walls["sandboxed"], "ms")
    more = report.row("no-op, difference to plain", differences(walls["sandboxed"], walls["plain"]), "ms")
    limit = NOOP_MS[options.engine]
    report.promise("no-op build, median difference to plain cargo", limit, "ms", more.median)
    report.details["noop"] = {name: [done.to_json() for done in outcomes] for name, outcomes in single.items()}
    report.details["noop_rebuilt"] = rebuilt
    if rebuilt:
        report.notes.append(f"{rebuilt} of the no-op builds compiled something: these are no no-op figures")


def _noop_without_proxy(runs: int, side: Side, env: dict[str, str]) -> list[Outcome]:
    """The same by the toolchain's own cargo, which is what the sandbox runs. Apart from the pairs: cargo asks rustc for
    its version again whenever the way to it has changed, so the two in turn would disturb each other."""
    direct = toolchain_cargo(env)
    if direct is None:
        return []
    path = {"PATH": os.pathsep.join((os.path.dirname(direct), env["PATH"]))}
    succeed([direct, "build"], side.folder, env | path, side.log)
    return [succeed([direct, "build"], side.folder, env | path, side.log) for _ in range(runs)]


def _version(runs: int, side: Side, env: dict[str, str], report: Report) -> None:
    """The least that starting us can cost, and beside it what Python alone takes."""
    say(f"cargo-sandbox --version, {runs} runs")
    commands = {"version": [*cargo_sandbox(), "--version"], "python": [sys.executable, "-c", "pass"]}
    for command in commands.values():
        succeed(command, side.folder, env, side.log)
    single: dict[str, list[Outcome]] = {"version": [], "python": []}
    for _ in range(runs):
        for name, command in commands.items():
            single[name].append(succeed(command, side.folder, env, side.log))
    report.row("this Python, doing nothing", [done.wall_s * 1000 for done in single["python"]], "ms")
    spread = report.row("cargo-sandbox --version", [done.wall_s * 1000 for done in single["version"]], "ms")
    report.promise("cargo-sandbox --version, median", VERSION_MS, "ms", spread.median)
    report.details |= {name: [done.to_json() for done in outcomes] for name, outcomes in single.items()}


def _record(env: dict[str, str]) -> dict[str, Any]:
    """What the newest run says of itself. Raises BenchError if it left no result."""
    from sandbox.trace.store import RunStore, StoreError

    try:
        with RunStore(Path(env["XDG_STATE_HOME"]) / "cargo-sandbox" / "runs").open("last") as opened:
            result = opened.result
    except StoreError as error:
        raise BenchError(str(error)) from error
    if result is None:
        raise BenchError("the run ended without a result")
    complete = result["completeness"]
    return {
        "run": result["run"], "verdict": result["verdict"], "findings": len(result["findings"]),
        "units": result["units"], "fresh_units": result["fresh_units"], "walls": result["walls"],
        "reasons": complete["reasons"],
        "counters": {name: complete[name] for name in ("seen", "listed", "quiet", "unreadable", "lost")},
    }  # fmt: skip
