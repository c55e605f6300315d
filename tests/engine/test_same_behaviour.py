"""Two clean builds of the example workspace behave the same, whoever makes them, where, how fast and in what engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sandbox.behaviour.canonical import unit_json
from sandbox.behaviour.compare import compare_runs
from sandbox.behaviour.model import Profile
from sandbox.behaviour.profile import profile_of
from sandbox.cargo import lockfile
from sandbox.trace.reader import RunReader
from tests.engines import once, only
from tests.harness import ROOT, Lab, Project, ordinary_user, sandboxed
from tests.users import User, me

pytestmark = [pytest.mark.engine, pytest.mark.slow]

EXAMPLE = ROOT / "examples" / "workspace"
_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to build: `place` is the workspace's folder below the home."""

    engine: str
    as_root: bool
    place: str
    jobs: str


# All that may differ differs, so that no third build is needed. Each combination of engine and user builds a small
# workspace in test_behaviour.py.
WAYS = (
    Way("bubblewrap", True, "ws", "2"),
    Way("docker", False, "another-place/and deeper", "3"),
)


def _cargo_home(project: Project) -> Path:
    """What the tester has downloaded, in a cargo home of the project's user: the registry need not be asked again."""
    mine = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "registry"
    there = project.home / ".cargo" / "registry"
    for one in lockfile.read(EXAMPLE / "Cargo.lock"):
        if one.source is None:
            continue
        for found in mine.glob(f"cache/*/{one.name}-{one.version}.crate"):
            _copy(found, there / found.relative_to(mine))
    if (mine / "index").is_dir():
        shutil.copytree(mine / "index", there / "index", dirs_exist_ok=True)
    project.write({})
    return project.home / ".cargo"


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)


def _behaviours(lab: Lab, way: Way) -> Profile:
    """A clean build, one way."""
    there = replace(lab, engine=way.engine)
    user: User = me() if way.as_root else ordinary_user(there)
    project = there.project({}, way.place, user)
    shutil.copytree(EXAMPLE, project.dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
    project.env["CARGO_HOME"] = str(_cargo_home(project))
    project.write({})
    done = sandboxed(project, "build", "-j", way.jobs, options=["--engine", way.engine], timeout=_TIMEOUT_S)
    assert done.code == 0 and done.run.result["engine"] == way.engine, done.shown
    assert done.run.result["verdict"] == "clean", done.shown
    with RunReader(done.run.path) as run:
        return profile_of(run)


@once("it makes a container with each engine, for root and for somebody else")
@only("root", "nobody else can become another user")
def test_two_clean_builds_of_the_example_behave_the_same(lab: Lab) -> None:
    one, two = (_behaviours(lab, way) for way in WAYS)
    assert (one.holes, two.holes) == ((), ())
    assert compare_runs(one, two) == {}
    assert _counted(one) == _counted(two)
    # Else nothing of the above says much.
    scripts = {unit.key.package for unit in one.behaviours if unit.key.role == "script"}
    assert {"ring", "libsqlite3-sys", "zstd-sys", "almanac", "almanac-proto"} <= scripts
    assert any(unit.macros for unit in one.behaviours)


def _counted(profile: Profile) -> Mapping[str, int]:
    """How often each behaviour stands in a run: cargo builds some units twice."""
    found: dict[str, int] = {}
    for unit in profile.behaviours:
        text = str(unit_json(unit, evidence=False))
        found[text] = found.get(text, 0) + 1
    return found
