"""The crates and programs of `set.toml`, workspaces of them, and what a build of one says.

stage = Stage(lab)
project = stage.workspace(groups()["standing"])
done = check(project)                       # cargo-sandbox check --keep-going
alarms(done.run, group)                     # findings of severity high or above that nothing excuses
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomli

from sandbox.judge.model import at_least
from tests.harness import Done, Lab, Project, Run, sandboxed

TOP = Path(__file__).parent
CI = {"CI": "true", "GITHUB_ACTIONS": "true", "GITLAB_CI": "true"}
NETWORK_NEEDED = frozenset({"CS0102", "CS0210", "CS0230"})
"""What is said of a build that merely needs the network; CS0230 is that it ran curl for it."""

DRIFT = frozenset({"CS0301", "CS0302", "CS0303", "CS0304"})
"""What is said of something that the baseline does not have."""

TIMEOUT_S = 3600.0
_REPORT = ("--on-violation", "report")


@dataclass(frozen=True, slots=True)
class Crate:
    """`version` as in a Cargo.toml. `network`: the host that it asks for in a build, `provide`: how to do without."""

    name: str
    version: str
    kind: str
    features: tuple[str, ...] = ()
    network: str = ""
    provide: str = ""

    @property
    def line(self) -> str:
        """Its line below `[dependencies]`."""
        features = ", ".join(f'"{name}"' for name in self.features)
        return f'{self.name} = {{ version = "{self.version}", features = [{features}] }}'


@dataclass(frozen=True, slots=True)
class Group:
    """What is checked together, with the members of `crates/NAME`, which use what only acts when it is used."""

    name: str
    crates: tuple[Crate, ...]

    def of(self, package: str) -> Crate | None:
        """The crate of that name, if it is one of the group."""
        return next((one for one in self.crates if one.name == package), None)


@cache
def _data() -> dict[str, Any]:
    return tomli.loads((TOP / "set.toml").read_text("utf-8"))


@cache
def groups() -> Mapping[str, Group]:
    """All groups by name."""
    found = {}
    for name, group in _data()["group"].items():
        crates = tuple(
            Crate(
                one["name"], one["version"], one["class"], tuple(one.get("features", ())), one.get("network", ""),
                one.get("provide", ""),
            )
            for one in group["crates"]
        )  # fmt: skip
        found[name] = Group(name, crates)
    return found


def programs() -> Mapping[str, str]:
    """Whole programs: version by name of the package."""
    found: dict[str, str] = _data()["program"]
    return found


@cache
def explained() -> Mapping[tuple[str, str], str]:
    """Reasons of findings below high, by package and code."""
    entries = tomli.loads((TOP / "explained.toml").read_text("utf-8")).get("finding", [])
    return {(one["package"], one["code"]): one["reason"] for one in entries}


@dataclass(frozen=True, slots=True)
class Allowed:
    """`write`: the folder of its sources that a program's script writes into, and is to be allowed."""

    write: str
    reason: str


@cache
def allowed() -> Mapping[str, Allowed]:
    """What programs can't be built without, by package."""
    return {name: Allowed(**one) for name, one in _data()["allowed"].items()}


@dataclass(frozen=True)
class Stage:
    """Makes projects of the set. Downloads lie in the tester's cargo home: the registry is asked once."""

    lab: Lab

    def _project(self, files: Mapping[str, str]) -> Project:
        project = self.lab.project(files)
        self.lab.made.remove(project)  # it outlives the test that needs it first
        home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
        project.env["CARGO_HOME"] = str(home)
        return project

    def workspace(self, group: Group) -> Project:
        """A workspace that depends on the group's crates, in a git repository with one commit."""
        folder = TOP / "crates" / group.name
        members = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        listed = ", ".join(f'"{name}"' for name in members)
        manifest = f'[package]\nname = "benign-{group.name}"\nversion = "0.1.0"\nedition = "2021"\n\n'
        manifest += f"[workspace]\nmembers = [{listed}]\n\n[profile.dev]\ndebug = 0\nincremental = false\n\n"
        manifest += "[dependencies]\n" + "\n".join(one.line for one in group.crates) + "\n"
        project = self._project({"Cargo.toml": manifest, "src/lib.rs": "", ".gitignore": "target\n"})
        for name in members:
            shutil.copytree(folder / name, project.dir / name)
        project.write({})  # gives all files to their owner
        for words in ("init -q", "add .", "-c user.name=t -c user.email=t@t.invalid commit -qm t"):
            command = [*project.user.prefix, "git", *words.split()]
            subprocess.run(command, cwd=project.dir, env=project.environment(), check=True)
        return project

    def program(self, name: str, version: str) -> Project:
        """A program as published, with its own lock file, and what its user has to allow it. Raises CalledProcessError
        if the registry has no such."""
        project = self._project({})
        command = [*project.user.prefix, "cargo", "info", "--quiet", f"{name}@{version}"]
        subprocess.run(command, cwd=project.home, env=project.environment(), check=True, capture_output=True)
        cache = Path(project.env["CARGO_HOME"]) / "registry" / "cache"
        (packed,) = cache.glob(f"*/{name}-{version}.crate")
        with tarfile.open(packed) as archive:
            archive.extractall(project.home, filter="data")
        shutil.rmtree(project.dir)
        (project.home / f"{name}-{version}").rename(project.dir)
        one = allowed().get(name)
        project.write({"cargo-sandbox.toml": f'allow-write = ["{name}={one.write}"]\n'} if one else {})
        return project


def check(project: Project, verb: Sequence[str] = ("check",), ci: bool = False) -> Done:
    """`cargo-sandbox check --workspace --keep-going`; with `ci` as in somebody's CI."""
    options = [*_REPORT, *(word for name in CI if ci for word in ("--allow-env", name))]
    words = (*verb, "--workspace", "--keep-going")
    return sandboxed(project, *words, options=options, env=CI if ci else {}, timeout=TIMEOUT_S)


def accept(project: Project) -> Done:
    """Take what the last builds did for good: whatever a later one does beside it is drift."""
    return sandboxed(project, "baseline", "init", "--reason", "first build")


def missing(run: Run, group: Group) -> list[str]:
    """Crates of the group of which nothing was compiled: of them a run without findings says nothing."""
    compiled = {unit.get("package") for unit in run.units("rustc")}
    return [one.name for one in group.crates if one.name not in compiled]


def excused(finding: Mapping[str, Any], group: Group) -> bool:
    """Whether it says no more than that a crate needs the network, of one that does, and names the right host."""
    crate = group.of(str(finding["package"]))
    if crate is None or not crate.network or finding["code"] not in NETWORK_NEEDED:
        return False
    return finding["code"] == "CS0230" or finding["subject"] == crate.network


def alarms(run: Run, group: Group) -> list[dict[str, Any]]:
    """False alarms: findings of severity high or above that are not excused."""
    return [one for one in run.findings() if at_least(str(one["severity"]), "high") and not excused(one, group)]


def unexplained(run: Run, group: Group) -> list[dict[str, Any]]:
    """Findings of any severity without a reason in explained.toml."""
    return [
        one for one in run.findings() if (one["package"], one["code"]) not in explained() and not excused(one, group)
    ]


def shown(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """For the message of an assertion."""
    return [f"{one['package']} {one['role']} {one['code']} {one['severity']}: {one['detail']}" for one in findings]
