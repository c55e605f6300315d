"""What became of the benign set: kept in a file after each group, so that it can be built a piece at a time, and the
half of docs/detection.md that is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT

RESULTS = ROOT / "tests" / "benign" / "results.json"
BEGIN, HEADING = "<!-- generated: benign -->", "Benign crates and programs"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the builds of one group or program came to with one engine. `built` and `alarms` are `name version`s and
    texts; `needed` are crates that were told to need the network, `lower` findings below high without a reason,
    `drift` those of them that the build with a CI's variables had against what was accepted of the first.
    `compared`: whether it was held against that at all, which takes a first build that can be accepted.
    `failed`: why it can't be counted; a crate is counted only where something of it was compiled."""

    name: str
    engine: str
    seconds: tuple[float, ...]
    built: tuple[str, ...]
    scripts: int
    alarms: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    compared: bool = True
    needed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failed: str = ""
    day: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The inverse of asdict."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})

    @property
    def words(self) -> str:
        """One line for a person."""
        told = f"{self.name} ({self.engine}): {len(self.built)} packages, {self.scripts} with a build script"
        told += f", {len(self.alarms)} false alarms, {' + '.join(map(str, self.seconds))} s"
        if self.needed:
            told += f"; need the network: {', '.join(self.needed)}"
        return told + (f"; NOT COUNTED: {self.failed}" if self.failed else "")


def read(path: Path) -> list[Outcome]:
    """What was built before; nothing if there is no such file."""
    return [Outcome.from_json(one) for one in json.loads(path.read_text("utf-8"))] if path.exists() else []


def write(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Keep outcomes, in an order that makes good diffs. A failure loses what the build printed with it, and every text
    the paths of this machine."""
    data = [asdict(one) for one in sorted(outcomes, key=lambda one: (one.engine, one.name))]
    for one in data:
        one["failed"] = why(one["failed"])
    path.write_text(json.dumps(data, indent=1) + "\n", "utf-8")


def why(failed: str) -> str:
    """The first words of a failure, without what the build printed: it holds paths of this machine."""
    found = re.match(r"[a-z]+ build: (nothing was built, )?code -?\d+|[a-z]+ build: nothing was compiled of .*", failed)
    return found[0] if found else failed.split(":")[0]


def _plain(line: str) -> str:
    """`PACKAGE CODE` of a finding's text, which may hold paths of this machine."""
    package, _, code = line.split(" ")[:3]
    return f"{package} {code}"


def document(outcomes: list[Outcome]) -> str:
    """The benign half of docs/detection.md, between its marks."""
    from tests.benign.staging import allowed, explained, groups, programs

    per_class: dict[str, dict[str, set[str]]] = {}
    for name, group in groups().items():
        runs = [one for one in outcomes if one.name == name]
        sound = [one for one in runs if not one.failed]
        for crate in group.crates:
            row = per_class.setdefault(crate.kind, {key: set() for key in ("set", "counted", "needs", "alarmed")})
            label = f"{crate.name} {crate.version.lstrip('=')}"
            row["set"].add(label)
            if any(crate.name in one.needed for one in runs):
                row["needs"].add(label)
            elif any(crate.name not in one.missing for one in sound):
                row["counted"].add(label)
            if any(f"{crate.name} " in alarm for one in runs for alarm in one.alarms):
                row["alarmed"].add(label)
    text = [
        "Real crates and programs of `tests/benign/set.toml`, each checked three times: from nothing, again, and from",
        "nothing with the variables of a CI, against what was accepted of the first build. A false alarm is a finding",
        "of severity high or above; that a crate which needs the network is told so, by its host, is none. A crate",
        "counts only where something of it was compiled.",
        "",
        *_figures(outcomes, [*programs()]),
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
        "| Built together | Engine | Day | Packages | Build scripts | Seconds | False alarms | Drift |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        times = " + ".join(f"{value:.0f}" for value in one.seconds)
        drift = len(one.drift) if one.compared else "not compared"
        figures = (len(one.built), one.scripts, times, len(one.alarms), drift)
        text.append(f"| {one.name} | {one.engine} | {one.day} | " + " | ".join(map(str, figures)) + " |")
    text += ["", "| Needs the network | Host | How to do without |", "|---|---|---|"]
    text += [
        f"| {crate.name} {crate.version.lstrip('=')} | {crate.network} | {crate.provide} |"
        for name, group in groups().items()
        for crate in group.crates
        if any(crate.name in one.needed for one in outcomes if one.name == name)
    ]
    text += ["", "Findings below high that are right to be there:", ""]
    text += [f"- {package}, {code}: {reason}." for (package, code), reason in explained().items()]
    text += ["", "Built with a line in the project's `cargo-sandbox.toml`, as its user would:", ""]
    text += [f'- {name}, `allow-write = ["{name}={one.write}"]`: {one.reason}.' for name, one in allowed().items()]
    reasons = set(map(" ".join, explained()))
    unexplained = sorted({_plain(line) for one in outcomes for line in (*one.lower, *one.drift)} - reasons)
    if unexplained:
        text += ["", "Findings below high without a reason yet:", "", *(f"- {line}" for line in unexplained)]
    never = [
        f"- {name} with {engine}: not built"
        for engine in ("bubblewrap", "docker")
        for name in (*groups(), *programs())
        if not any((one.name, one.engine) == (name, engine) for one in outcomes)
    ]
    left_out = [f"- {one.name} with {one.engine}: {why(one.failed)}" for one in outcomes if one.failed]
    if left_out or never:
        text += ["", "Not counted, or not built:", "", *left_out, *never]
    return "\n".join(text)


def _figures(outcomes: list[Outcome], programs: list[str]) -> list[str]:
    """The sums, of both engines and of each. What could not be built in one of the three builds is not among them, but
    for its alarms and drift."""
    lines = ["| | Both engines | bubblewrap | docker |", "|---|---|---|---|"]
    parts = [outcomes, *([one for one in outcomes if one.engine == engine] for engine in ("bubblewrap", "docker"))]
    sound = [[one for one in part if not one.failed] for part in parts]
    rows = {
        "Named crates built": [len(_named(part)) for part in sound],
        "Whole programs": [len({one.name for one in part if one.name in programs}) for part in sound],
        "Packages built with them": [len({package for one in part for package in one.built}) for part in sound],
        "Builds": [sum(len(one.seconds) for one in part) for part in sound],
        "False alarms": [sum(len(one.alarms) for one in part) for part in parts],
        "Groups and programs compared with what was accepted": [sum(one.compared for one in part) for part in parts],
        "Drift without a reason": [sum(len(one.drift) for one in part) for part in parts],
    }
    return lines + [f"| {label} | " + " | ".join(f"**{n}**" for n in row) + " |" for label, row in rows.items()]


def _named(outcomes: list[Outcome]) -> set[str]:
    """`name version` of the set's crates that were built, or were told to need the network."""
    from tests.benign.staging import groups

    return {
        f"{crate.name} {crate.version.lstrip('=')}"
        for one in outcomes
        if one.name in groups()
        for crate in groups()[one.name].crates
        if crate.name in one.needed or crate.name not in one.missing
    }
