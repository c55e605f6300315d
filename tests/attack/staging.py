"""The scenarios of `scenarios/`: what each of them promises, and builds in which they take place.

    stage = Stage(lab)
    staged = stage.whole()                  # all of them as members of one workspace, in one build
    judged = staged.judged(scenario)        # who was charged with what
    for step, staged in stage.steps(scenario): ...          # those that need builds of their own

A folder `NN-slug` holds its crates and `expected.json`; `NN-slug-twin` is its benign twin. See `scenarios/README.md`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sandbox.judge.model import at_least
from tests.attack.arena import build
from tests.harness import Done, Lab, Project, guard_binary

TOP = Path(__file__).parent / "scenarios"
TRIGGERS = {
    "B": "build script",
    "D": "build script of a transitive dependency",
    "P": "proc macro in rustc",
    "L": "link or artefact",
    "C": "cargo check",
    "R": "test or run",
}
NETWORK_NEEDED = frozenset({"CS0102", "CS0210"})
"""What a build that merely needs the network is told."""

REPORT = ("--on-violation", "report", "--deny", "never")
_PROFILE = "[profile.dev]\ndebug = 0\nincremental = false\n\n[profile.release]\nopt-level = 0\n"
_TREE: dict[str, str] = {
    "csbench-marker": "",
    ".env": "DATABASE_URL=postgres://decoy@127.0.0.1/decoy\nKEY=csbench-canary\n",
    "csbench-sibling/Cargo.toml": '[package]\nname = "csbench-sibling"\nversion = "0.1.0"\n',
    "csbench-sibling/src/lib.rs": "",
    ".git/HEAD": "ref: refs/heads/main\n",
    ".git/config": "[core]\n\trepositoryformatversion = 0\n",
    ".git/objects/keep": "",
    ".git/refs/heads/keep": "",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One folder. `crate` is who must be charged, `role` of which unit; `steps` are builds of its own."""

    folder: str
    expected: Mapping[str, Any] = field(hash=False)

    @property
    def crate(self) -> str:
        return str(self.expected["crate"])

    @property
    def role(self) -> str:
        return str(self.expected["role"])

    @property
    def is_twin(self) -> bool:
        return "twin_of" in self.expected

    @property
    def limit(self) -> str:
        return str(self.expected.get("limit", ""))

    @property
    def codes(self) -> frozenset[str]:
        """Findings any of which detects it."""
        return frozenset((*self.expected["findings"]["any_of"], *(code for rule in self.rules for code in rule)))

    @property
    def rules(self) -> tuple[tuple[str, ...], ...]:
        """Rules of which each has to be met. `CS0228|CS0229`: one of them; which of two programs is first is chance."""
        return tuple(tuple(rule.split("|")) for rule in self.expected["rules"])

    def __str__(self) -> str:
        return self.folder


@cache
def everything() -> tuple[Scenario, ...]:
    """All folders, in order of number."""
    found = sorted(TOP.glob("[0-9][0-9]-*/expected.json"))
    return tuple(Scenario(path.parent.name, json.loads(path.read_text("utf-8"))) for path in found)


def attacks() -> list[Scenario]:
    return [one for one in everything() if not one.is_twin]


def twins() -> list[Scenario]:
    return [one for one in everything() if one.is_twin]


@dataclass(frozen=True)
class Judged:
    """What one build came to for one scenario. `findings` are those against its crate."""

    scenario: Scenario
    findings: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    seen: bool

    @property
    def codes(self) -> set[str]:
        return {str(found["code"]) for found in self.findings}

    @property
    def hits(self) -> list[dict[str, Any]]:
        """Expected findings, as severe as promised."""
        least = self.scenario.expected["findings"]["severity"]
        return [
            found
            for found in self.findings
            if found["code"] in self.scenario.codes and at_least(str(found["severity"]), least)
        ]

    @property
    def grave(self) -> list[dict[str, Any]]:
        """Findings of severity high or above."""
        return [found for found in self.findings if at_least(str(found["severity"]), "high")]

    @property
    def false_alarms(self) -> list[dict[str, Any]]:
        """For a twin: grave findings, but for the word that it needs the network where it does."""
        allowed = NETWORK_NEEDED if self.scenario.expected.get("network_needed") else frozenset()
        return [found for found in self.grave if found["code"] not in allowed]


@dataclass(frozen=True)
class Staged:
    """One build and what its run says."""

    done: Done

    @cached_property
    def units(self) -> list[dict[str, Any]]:
        return self.done.run.units()

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return self.done.run.events()

    @cached_property
    def findings(self) -> list[dict[str, Any]]:
        return self.done.run.findings()

    @property
    def findings_total(self) -> int:
        return len(self.findings)

    def judged(self, scenario: Scenario) -> Judged:
        """What this build says of a scenario."""
        mine = [unit for unit in self.units if _is_of(unit, scenario)]
        names = {unit["unit"] for unit in mine}
        home = str(self.done.project.home)
        events = [event for event in self.events if event["unit"] in names]
        missing = [wanted for wanted in scenario.expected["events"] if not _any_fits(events, wanted, home)]
        told = [line for unit in mine for line in ((unit["end"] or {}).get("directives") or ())]
        for wanted in scenario.expected.get("directives", ()):
            if not any(fnmatchcase(str(line), f"*{wanted}") for line in told):
                missing.append({"directive": wanted})
        findings = [found for found in self.findings if found["unit"] in names]
        return Judged(scenario, findings, missing, bool(mine))

    def charged(self, crate: str) -> list[dict[str, Any]]:
        """Findings of severity high or above against a crate."""
        return [one for one in self.findings if one["package"] == crate and at_least(str(one["severity"]), "high")]


def _is_of(unit: Mapping[str, Any], scenario: Scenario) -> bool:
    """Whether this is the unit to be charged."""
    return (unit["role"], unit.get("package")) == (scenario.role, scenario.crate)


def _any_fits(events: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any], home: str) -> bool:
    return any(all(_fits(event, name, value, home) for name, value in wanted.items()) for event in events)


def _fits(event: Mapping[str, Any], name: str, value: Any, home: str) -> bool:
    if not isinstance(value, str):
        return bool(event.get(name) == value)
    pattern = value.replace("{ws}", f"{home}/ws").replace("~", home) if name == "path" else value
    if name == "argv":
        return fnmatchcase(" ".join(map(str, event.get("argv") or ())), pattern)
    places = [event.get(name), event.get("path2")] if name == "path" else [event.get(name)]
    return any(fnmatchcase(str(place), pattern) for place in places if place is not None)


@dataclass(frozen=True)
class Stage:
    """Makes projects of scenarios and builds them."""

    lab: Lab

    def _project(self, folders: Sequence[str], members: Sequence[str]) -> Project:
        listed = "".join(f'    "{member}",\n' for member in members)
        workspace = f'[workspace]\nresolver = "2"\nmembers = [\n{listed}]\nexclude = ["csbench-sibling"]\n\n{_PROFILE}'
        project = self.lab.project(_TREE | {"Cargo.toml": workspace})
        self.lab.made.remove(project)  # it outlives the test that needs it first
        for name in ("gate", *folders):
            shutil.copytree(TOP / name, project.dir / name)
        project.write({})  # gives all files to their owner
        return project

    def workspace(self, chosen: Sequence[Scenario]) -> Project:
        """A workspace with the crates of these scenarios."""
        folders = [one.folder for one in chosen]
        members = [
            str(path.parent.relative_to(TOP)) for name in folders for path in sorted((TOP / name).rglob("Cargo.toml"))
        ]
        return self._project(folders, members)

    def build(self, project: Project, verb: Sequence[str], options: Sequence[str] = REPORT, **env: str) -> Staged:
        """`cargo-sandbox VERB` with the gate open, unless `CSBENCH` says otherwise."""
        return Staged(build(project, guard_binary(), *verb, options=options, env=env))

    def whole(self, project: Project, **env: str) -> Staged:
        """One build of all members."""
        return self.build(project, ("build", "--workspace", "--keep-going", "-j2"), self.options(project), **env)

    def options(self, project: Project) -> tuple[str, ...]:
        """REPORT, and the allowances that scenarios of the project come with."""
        given = list(REPORT)
        for one in everything():
            for package, place in one.expected.get("allow_write", {}).items():
                if (project.dir / one.folder).is_dir():
                    (project.dir / place).mkdir(parents=True, exist_ok=True)
                    given += ["--allow-write", f"{package}={project.dir / place}"]
        return tuple(given)

    def steps(self, scenario: Scenario) -> Iterator[tuple[Mapping[str, Any], Staged]]:
        """The builds of its own, one after the other in one project; lazy."""
        folder = TOP / scenario.folder
        steps = scenario.expected["steps"]
        versions = {step["overlay"] for step in steps if "overlay" in step}
        found = [path.parent.relative_to(folder) for path in sorted(folder.rglob("Cargo.toml"))]
        named = scenario.expected.get("members") or [str(path) for path in found if str(path) not in versions]
        members = [f"{scenario.folder}/crate"] if versions else [f"{scenario.folder}/{name}" for name in named]
        project = self._project([scenario.folder], [member.removesuffix("/.") for member in members])
        try:
            for step in steps:
                if version := step.get("overlay"):
                    place = project.dir / scenario.folder / "crate"
                    shutil.rmtree(place, ignore_errors=True)
                    shutil.copytree(folder / version, place)
                    project.write({})
                yield step, self.build(project, step["verb"], self.options(project), **step.get("env", {}))
        finally:
            self.lab.made.append(project)
            self.lab.forget([project])
