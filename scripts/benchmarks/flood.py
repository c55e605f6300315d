"""`scripts/bench flood`: no event may be lost, however many there are, and memory must stay bounded."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, BenchError, cargo_sandbox, say, succeed, tail, watched
from benchmarks.report import Report

ORCHESTRATOR_MB = 150.0
FILES = 500
"""Different files that each script works on."""

_EACH_MAX = 200_000
"""Opens per script: the guard lists at most 50,000 writes of a unit, and a fifth of the opens are writes."""

_SCRIPT = Path(__file__).with_name("flood.rs")


@dataclass(frozen=True, slots=True)
class Shares:
    """How the opens are divided: so many scripts, each of which opens so many files after making its own."""

    scripts: int
    each: int

    @property
    def total(self) -> int:
        """All opens of all scripts together."""
        return self.scripts * (FILES + self.each)

    @property
    def writes(self) -> int:
        """Those for writing (the same arithmetic as in flood.rs)."""
        return self.scripts * (FILES + self._with_rest(0))

    @property
    def own_reads(self) -> int:
        """Those for reading what the script has written."""
        return self.scripts * self._with_rest(1)

    @property
    def reads(self) -> int:
        """Those for reading what belongs to nobody."""
        return self.total - self.writes - self.own_reads

    def _with_rest(self, rest: int) -> int:
        return sum(number % 5 == rest for number in range(FILES, FILES + self.each))


def divide(opens: int, cores: int) -> Shares:
    """At least `opens` opens, by at least two scripts and one a core, so that cargo's -j has its effect."""
    scripts = max(2, cores, -(-opens // _EACH_MAX))
    return Shares(scripts, -(-opens // scripts))


def run(options: argparse.Namespace, scratch: Path, env: dict[str, str], report: Report) -> None:
    """Measure and check. Raises BenchError when a build fails or an event is missing."""
    shares = divide(options.opens, len(os.sched_getaffinity(0)))
    workspace = _workspace(scratch / "flood", shares, env)
    say(f"{shares.scripts} build scripts open {shares.total} files")
    log = scratch / "flood.log"
    plain = succeed(["cargo", "build"], workspace, env, scratch / "plain.log")
    shutil.rmtree(workspace / "target")
    seconds, peaks = watched([*cargo_sandbox(), "build"], workspace, env, log)
    state = Path(env["XDG_STATE_HOME"]) / "cargo-sandbox" / "runs"
    record = _examine(state, workspace, shares, tail(log))
    script_s = record.pop("script_s")
    report.row("scripts, first begin to last end", [script_s], "s")
    report.row("whole build", [seconds], "s")
    report.row("whole build, plain cargo", [plain.wall_s], "s")
    report.row("events while the scripts ran", [record["counters"]["seen"] / script_s], "per second")
    report.row("orchestrator, resident memory at its peak", [_mb(peaks.orchestrator_kb)], "MB")
    report.row("guard, resident memory at its peak", [_mb(peaks.guard_kb)], "MB")
    report.promise("events lost or unreadable", 0, "", record["counters"]["lost"] + record["counters"]["unreadable"])
    report.details["flood"] = record | {
        "plain": plain.to_json(), "wall_s": seconds, "script_s": script_s,
        "orchestrator_peak_kb": peaks.orchestrator_kb, "guard_peak_kb": peaks.guard_kb, "scripts": shares.scripts,
        "reads": shares.reads, "writes": shares.writes, "own_reads": shares.own_reads,
    }  # fmt: skip
    counters = ", ".join(f"{value} {name}" for name, value in record["counters"].items())
    report.notes.append(f"all {shares.total} opens are in the record: {counters}")
    if options.events:
        _orchestrator(options.events, workspace, scratch, env, report)


def _workspace(folder: Path, shares: Shares, env: Mapping[str, str]) -> Path:
    members = [f"flood-{number}" for number in range(shares.scripts)]
    for name in members:
        member = folder / name
        (member / "src").mkdir(parents=True)
        (member / "src" / "lib.rs").touch()
        manifest = f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\nbuild = "build.rs"\n'
        (member / "Cargo.toml").write_text(manifest)
        (member / "opens.in").write_text(str(shares.each))
        (member / "files.in").write_text(str(FILES))
        shutil.copy(_SCRIPT, member / "build.rs")
    (folder / "shared").mkdir()
    for number in range(FILES):
        (folder / "shared" / f"f{number}").write_text("shared")
    (folder / "Cargo.toml").write_text(f'[workspace]\nresolver = "2"\nmembers = {json.dumps(members)}\n')
    succeed(["cargo", "generate-lockfile"], folder, env, folder.parent / "lock.log")
    return folder


def _examine(runs: Path, workspace: Path, shares: Shares, shown: str) -> dict[str, Any]:
    """Compare the newest run's record with what the scripts did. Raises BenchError for anything that is missing."""
    from sandbox.trace.store import RunStore

    with RunStore(runs).open("last") as opened:
        result = opened.result or {}
        units = list(opened.units())
        opens = count_opens(opened.events(), units, f"{workspace}/shared/")
        problems = {name: found.words() for name, found in opened.problems.items() if found}
    complete = result.get("completeness", {})
    counters = {name: complete.get(name) for name in ("seen", "listed", "quiet", "unreadable", "lost")}
    wrong = missing(result.get("verdict"), counters, opens, shares, problems)
    if wrong:
        reasons = "; ".join([*wrong, *complete.get("reasons", ())])
        raise BenchError(f"the record is not whole: {reasons}\n{counters}\n{shown}")
    scripts = {unit["unit"] for unit in units if unit["event"] == "start" and unit.get("role") == "script"}
    times = [unit["t_ns"] for unit in units if unit["unit"] in scripts]
    return {"verdict": result["verdict"], "counters": counters, "script_s": (max(times) - min(times)) / 1e9}


def count_opens(events: Iterator[dict[str, Any]], units: list[dict[str, Any]], shared: str) -> Counter[str]:
    """The scripts' opens by access: `write` below OUT_DIR of the unit that they are charged to, `read` below `shared`;
    `quiet` is what was counted only, of all scripts together."""
    folders = {
        unit["unit"]: unit["out_dir"] + "/flood/"
        for unit in units
        if unit["event"] == "start" and unit.get("role") == "script" and unit.get("out_dir")
    }
    counts: Counter[str] = Counter()
    for event in events:
        folder = folders.get(event["unit"])
        if folder is None or event["kind"] != "open":
            continue
        if str(event.get("path")).startswith(folder if event["access"] == "write" else shared):
            counts[event["access"]] += 1
    counts["quiet"] = sum(unit["quiet"] for unit in units if unit["event"] == "end" and unit["unit"] in folders)
    return counts


def missing(
    verdict: str | None, counters: dict[str, Any], opens: Counter[str], shares: Shares, problems: dict[str, list[str]]
) -> list[str]:
    """What is wrong with the record, in words; nothing when all is there."""
    wrong = []
    if verdict in (None, "incomplete"):
        wrong.append(f"the verdict is {verdict}")
    if any(value is None for value in counters.values()):
        return [*wrong, "the run has no counters"]
    if counters["seen"] != counters["listed"] + counters["quiet"]:
        wrong.append(f"{counters['seen']} seen, but {counters['listed']} listed + {counters['quiet']} counted")
    wrong += [f"{counters[name]} {name}" for name in ("lost", "unreadable") if counters[name]]
    for access, expected in (("read", shares.reads), ("write", shares.writes)):
        if opens[access] != expected:
            wrong.append(f"{opens[access]} opens to {access} are recorded, {expected} were made")
    if opens["quiet"] < shares.own_reads:
        wrong.append(f"{opens['quiet']} acts of the scripts were counted, {shares.own_reads} at least were to be")
    wrong += [f"{name}: {', '.join(words)}" for name, words in problems.items()]
    return wrong


def _orchestrator(events: int, workspace: Path, scratch: Path, env: dict[str, str], report: Report) -> None:
    """The whole of our Python on a stream of events as long as no build's, from a guard that only speaks."""
    say(f"{events} events to the orchestrator alone")
    paths = os.pathsep.join((str(ROOT), str(ROOT / "scripts")))
    log, answer = scratch / "orchestrator.log", scratch / "orchestrator.json"
    command = [sys.executable, "-P", "-m", "benchmarks.orchestrator", str(events), str(answer)]
    done = succeed(command, workspace, env | {"PYTHONPATH": paths}, log)
    said = json.loads(answer.read_text())
    # Of twenty scripts that do so much not all facts are kept, which is told.
    if said["listed"] != events or said["verdict"] not in ("clean", "drift") or set(said["codes"]) - {"CS0117"}:
        raise BenchError(f"{events} events were fed, the record says {said}\n{tail(log)}")
    report.row("orchestrator alone, events", [events / said["wall_s"]], "per second")
    peak = report.row("orchestrator alone, resident memory at its peak", [_mb(said["peak_kb"])], "MB")
    report.promise(f"orchestrator, resident memory on {events} events", ORCHESTRATOR_MB, "MB", peak.maximum)
    report.details["orchestrator"] = said | {"outcome": done.to_json(), "events": events}


def _mb(kibibytes: int) -> float:
    return kibibytes * 1024 / 1e6
