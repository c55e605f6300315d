"""As root and as an ordinary user: the same."""

from __future__ import annotations

import pytest

from tests.engine.compare import same
from tests.engine.crates import KITCHEN, KITCHEN_SAYS, library
from tests.harness import Lab, User, sandboxed

pytestmark = [pytest.mark.engine, pytest.mark.user]


def test_an_ordinary_user_builds_as_with_cargo(lab: Lab, ordinary: User) -> None:
    project = lab.project(KITCHEN, user=ordinary)
    done = same(project, "run", "-j1", fresh_after=True)
    assert done.out == KITCHEN_SAYS
    assert done.run.result["verdict"] == "clean"
    assert (project.target / "debug/app").stat().st_uid == ordinary.uid


def test_an_ordinary_user_runs_tests_and_checks(lab: Lab, ordinary: User) -> None:
    project = lab.project(library(), user=ordinary)
    assert same(project, "test", "-j1").code == 0
    assert same(project, "clippy").code == 0


def test_an_ordinary_user_is_protected_too(lab: Lab, ordinary: User) -> None:
    files = KITCHEN | {
        "app/build.rs": 'fn main() { let home = std::env::var("HOME").unwrap();'
        ' let _ = std::fs::read(format!("{home}/.ssh/id_ed25519")); }'
    }
    done = sandboxed(lab.project(files, user=ordinary), "build")
    assert done.code == 120, done.shown
