"""`scripts/bench benign`: builds of real crates and programs, of which none must be taken for an attack."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import BenchError, say
from benchmarks.detection import DOCUMENT, put
from benchmarks.report import Report

BEGIN, HEADING = "<!-- generated: benign -->", "Benign crates and programs"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the builds of one group or program came to with one engine. `built` and `alarms` are `name version`s and
    texts; `needed` are crates that were told to need the network, `lower` findings below high without a reason.
    `failed`: why it can't be counted; a crate is counted only where something of it was compiled."""

    name: str
    engine: str
    seconds: tuple[float, ...]
    built: tuple[str, ...]
    scripts: int
    alarms: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failed: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The inverse of asdict."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})


def run(options: argparse.Namespace, scratch: Path, env: Mapping[str, str], report: Report) -> None:
    """Build everything that was asked for. Raises BenchError when there is an alarm, after all was built."""
    from tests.benign.staging import groups, programs
    from tests.harness import session

    names = options.only or ([*groups(), *programs()] if options.whole else ["standing"])
    unknown = sorted(set(names) - {*groups(), *programs()})
    if unknown:
        raise BenchError(f"neither a group nor a program of tests/benign/set.toml: {', '.join(unknown)}")
    done = {(one.name, one.engine): one for one in _earlier(options.take)}
    with session(options.engine) as lab:
        for name in names:
            say(f"building {name}")
            done[name, options.engine] = outcome = _build(lab, name)
            say(_words(outcome))
            # Kept after each one: the whole set takes long, and what was built is to survive an end on the way.
            report.details["outcomes"] = [asdict(one) for one in done.values()]
            if options.json is not None:
                report.write(options.json)
    report.notes += [_words(one) for one in done.values()]
    if options.docs:
        put(DOCUMENT, document(list(done.values())), BEGIN, HEADING)
    alarmed = [f"{one.name}: {alarm}" for one in done.values() for alarm in one.alarms]
    if alarmed:
        raise BenchError("false alarms:\n" + "\n".join(alarmed))


def _earlier(path: Path | None) -> Iterator[Outcome]:
    if path is not None:
        data = json.loads(path.read_text("utf-8"))
        yield from map(Outcome.from_json, data["figures"]["outcomes"])


def _build(lab: Any, name: str) -> Outcome:
    """First and second build, and a third from nothing with the variables of a CI."""
    from tests.benign import staging

    group = staging.groups().get(name, staging.Group(name, ()))
    stage = staging.Stage(lab)
    try:
        project = stage.workspace(group) if group.crates else stage.program(name, staging.programs()[name])
    except (OSError, subprocess.CalledProcessError) as error:
        return Outcome(name, lab.engine, (), (), 0, failed=f"no sources: {error}")
    seconds, alarms, lower, needed, built, scripts = [], [], [], set(), [], 0
    failed = ""
    try:
        for step, ci in (("first", False), ("second", False), ("ci", True)):
            if ci:
                shutil.rmtree(project.target)
            done = staging.check(project, ci=ci)
            seconds.append(round(done.seconds, 1))
            if done.run_id is None or (not done.run.units("rustc") and step != "second"):
                failed = f"{step} build: nothing was built, code {done.code}: {done.stderr[-500:]}"
                break
            alarms += [f"{step} build: {text}" for text in staging.shown(staging.alarms(done.run, group))]
            lower += staging.shown(staging.unexplained(done.run, group))
            needed |= {str(one["package"]) for one in done.run.findings() if staging.excused(one, group)}
            if step == "first":
                units = done.run.units("rustc")
                built = sorted({f"{unit.get('package')} {unit.get('version')}" for unit in units})
                scripts = len({unit.get("package") for unit in done.run.units("script")})
            if done.code != 0 and not needed:
                failed = f"{step} build: code {done.code}: {done.stderr[-500:]}"
            missing = [one for one in staging.missing(done.run, group) if one not in needed]
            if step != "second" and missing and not failed:
                failed = f"{step} build: nothing was compiled of {', '.join(missing)}"
    finally:
        lab.made.append(project)
        lab.forget([project])
    compiled = {text.split(" ")[0] for text in built}
    absent = tuple(one.name for one in group.crates if one.name not in compiled and one.name not in needed)
    return Outcome(
        name, lab.engine, tuple(seconds), tuple(built), scripts, tuple(alarms), tuple(sorted(set(lower))),
        tuple(sorted(needed)), absent, failed,
    )  # fmt: skip


def _words(one: Outcome) -> str:
    told = f"{one.name} ({one.engine}): {len(one.built)} packages, {one.scripts} with a build script"
    told += f", {len(one.alarms)} false alarms, {' + '.join(map(str, one.seconds))} s"
    if one.needed:
        told += f"; need the network: {', '.join(one.needed)}"
    return told + (f"; NOT COUNTED: {one.failed}" if one.failed else "")


def _plain(line: str) -> str:
    """`PACKAGE CODE` of a finding's text, which may hold paths of this machine."""
    package, _, code = line.split(" ")[:3]
    return f"{package} {code}"


def _why(failed: str) -> str:
    """The first words of a failure, without what the build printed: it holds paths of this machine."""
    found = re.match(r"[a-z]+ build: (nothing was built, )?code -?\d+|[a-z]+ build: nothing was compiled of .*", failed)
    return found[0] if found else failed.split(":")[0]


def document(outcomes: list[Outcome]) -> str:
    """The benign half of docs/detection.md, between its marks."""
    from tests.benign.staging import explained, groups, programs

    sound = [one for one in outcomes if not one.failed]
    per_class: dict[str, dict[str, set[str]]] = {}
    for name, group in groups().items():
        runs = [one for one in outcomes if one.name == name]
        for crate in group.crates:
            row = per_class.setdefault(crate.kind, {key: set() for key in ("set", "counted", "needs", "alarmed")})
            label = f"{crate.name} {crate.version.lstrip('=')}"
            row["set"].add(label)
            if any(crate.name in one.needed for one in runs):
                row["needs"].add(label)
            elif any(crate.name not in one.missing for one in runs):
                row["counted"].add(label)
            if any(f"{crate.name} " in alarm for one in runs for alarm in one.alarms):
                row["alarmed"].add(label)
    packages = {package for one in outcomes for package in one.built}
    alarms = sum(len(one.alarms) for one in outcomes)
    counted = {label for row in per_class.values() for label in (*row["counted"], *row["needs"])}
    whole = {one.name for one in sound if one.name in programs()}
    text = [
        "Real crates and programs of `tests/benign/set.toml`, each checked three times: from nothing, again, and from",
        "nothing with the variables of a CI. A false alarm is a finding of severity high or above; that a crate which",
        "needs the network is told so, by its host, is none. A crate counts only where something of it was compiled.",
        "",
        f"Named crates built: **{len(counted)}** · whole programs: **{len(whole)} of {len(programs())}** · packages "
        f"built with them: **{len(packages)}** · builds: **{sum(len(one.seconds) for one in outcomes)}** · "
        f"false alarms: **{alarms}**",
        "",
        "| Class | Built | With a false alarm | Need the network | Not built |",
        "|---|---|---|---|---|",
    ]
    for kind, row in per_class.items():
        left = sorted(row["set"] - row["counted"] - row["needs"])
        figures = (len(row["counted"]), len(row["alarmed"]), len(row["needs"]), ", ".join(left) or "none")
        text.append(f"| {kind} | " + " | ".join(map(str, figures)) + " |")
    text += [
        "",
        "| Built together | Engine | Packages | Build scripts | Seconds | False alarms |",
        "|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        times = " + ".join(f"{value:.0f}" for value in one.seconds)
        text.append(f"| {one.name} | {one.engine} | {len(one.built)} | {one.scripts} | {times} | {len(one.alarms)} |")
    text += ["", "| Needs the network | Host | How to do without |", "|---|---|---|"]
    text += [
        f"| {crate.name} {crate.version.lstrip('=')} | {crate.network} | {crate.provide} |"
        for name, group in groups().items()
        for crate in group.crates
        if any(crate.name in one.needed for one in outcomes if one.name == name)
    ]
    text += ["", "Findings below high that are right to be there:", ""]
    text += [f"- {package}, {code}: {reason}." for (package, code), reason in explained().items()]
    unexplained = sorted({_plain(line) for one in outcomes for line in one.lower} - set(map(" ".join, explained())))
    if unexplained:
        text += ["", "Findings below high without a reason yet:", "", *(f"- {line}" for line in unexplained)]
    left_out = [f"- {one.name} with {one.engine}: {_why(one.failed)}" for one in outcomes if one.failed]
    never = sorted({*groups(), *programs()} - {one.name for one in outcomes})
    if left_out or never:
        text += ["", "Not counted, or not built:", "", *left_out, *(f"- {name}: not built" for name in never)]
    engines = {engine: sum(one.engine == engine for one in sound) for engine in ("bubblewrap", "docker")}
    text += ["", "Workspaces built whole, by engine: " + ", ".join(f"{k} {v}" for k, v in engines.items()) + "."]
    return "\n".join(text)
