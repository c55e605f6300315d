"""A script that writes into the workspace's own sources: refused, until its user opens the folder to its package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.attack.conftest import breakable_guard
from tests.engine.crates import manifest
from tests.engines import core, only
from tests.harness import Done, Lab, Project, sandboxed
from tests.users import User, me

__all__ = ["breakable_guard"]

pytestmark = pytest.mark.engine

# Without the line for cargo it would run again whenever it has written.
_WRITES = """fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    std::fs::write("%s/made.txt", "made").unwrap();
}"""


_TOOL = {
    "Cargo.toml": manifest("tool") + '\n[workspace]\nmembers = ["other"]\n',
    "build.rs": _WRITES % "contrib",
    "src/lib.rs": "",
    "contrib/README": "",
    "other/Cargo.toml": manifest("other"),
    "other/build.rs": _WRITES % "../contrib",
    "other/src/lib.rs": "",
}


@pytest.fixture
def tool(lab: Lab, ordinary: User) -> Project:
    """A package that keeps what its script makes in its repository, beside one whose script wants the same place. It
    belongs to the build's user, who is not root under Docker."""
    return lab.project(_TOOL, user=ordinary if lab.engine == "docker" else me())


def _check(tool: Project, package: str, *allowed: str, weak: dict[str, str] | None = None) -> Done:
    options = [word for place in allowed for word in ("--allow-write", f"tool={tool.dir / place}")]
    return sandboxed(tool, "check", "-p", package, options=[*options, "--on-violation", "report"], env=weak)


@core
def test_without_the_users_word_sources_are_read_only(tool: Project) -> None:
    done = _check(tool, "tool")
    (found,) = done.run.acts()
    assert done.code != 0 and found["code"] == "CS0113", done.shown
    assert "--allow-write PACKAGE=FOLDER" in done.stderr, done.shown
    assert not tool.path("contrib/made.txt").exists()


def test_the_package_that_was_named_writes_there_and_nothing_is_found(tool: Project) -> None:
    done = _check(tool, "tool", "contrib")
    assert done.code == 0 and done.run.acts() == [], done.shown
    assert tool.path("contrib/made.txt").read_text() == "made"


def test_it_can_be_said_in_the_tree(tool: Project) -> None:
    tool.write({"cargo-sandbox.toml": 'allow-write = ["tool=contrib"]\n'})
    done = _check(tool, "tool")
    assert done.code == 0 and done.run.acts() == [], done.shown
    told = sandboxed(tool, "check", "-p", "tool", options=["--untrusted"], env={"CARGO_INCREMENTAL": "0"})
    assert "allow-write" in told.stderr, told.shown


def test_no_other_package_writes_there(tool: Project, breakable_guard: Path) -> None:
    done = _check(tool, "other", "contrib")
    (found,) = done.run.acts()
    assert done.code != 0 and (found["package"], found["code"]) == ("other", "CS0103"), done.shown
    assert not tool.path("contrib/made.txt").exists()
    guard = shutil.copy(breakable_guard, tool.home / "weak-guard")  # where the build's user can read it
    weak = {"CARGO_SANDBOX_TEST_BREAK": "landlock", "CARGO_SANDBOX_TEST_GUARD": str(guard)}
    fallen = _check(tool, "other", "contrib", weak=weak)
    assert tool.path("contrib/made.txt").exists(), fallen.shown


def test_no_program_of_a_test_writes_there(tool: Project) -> None:
    """No domain holds programs, so the folder stays closed; a script that has run before is fresh and does not mind."""
    wants = '#[test] fn wants() { std::fs::write("contrib/made.txt", "by a test").unwrap_err(); }'
    tool.write({"src/lib.rs": wants})
    options = ["--allow-write", f"tool={tool.dir}/contrib"]
    done = sandboxed(tool, "test", "-p", "tool", options=[*options, "--on-violation", "report"])
    assert done.code != 0 and [one["code"] for one in done.run.acts()] == ["CS0113"], done.shown
    assert sandboxed(tool, "build", "-p", "tool", options=options).code == 0
    done = sandboxed(tool, "test", "-p", "tool", options=options)
    assert done.code == 0 and tool.path("contrib/made.txt").read_text() == "made", done.shown


@only("docker", "with bubblewrap root's builds are root's")
@only("root", "a user's own folders are his in both engines")
def test_where_the_builds_user_is_another_it_is_refused_before_anything_runs(lab: Lab) -> None:
    done = _check(lab.project(_TOOL), "tool", "contrib")
    assert done.code == 2 and "can't be written by the build's user" in done.stderr, done.shown
