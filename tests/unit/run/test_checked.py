"""What was answered before a build is believed only while nothing that it rests on has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.cli.options import Settings
from sandbox.policy.model import ProjectPolicy, Supply
from sandbox.preflight.cached import Fast
from sandbox.record import replace
from sandbox.run import checked


class _Case:
    """A workspace on disk as a build sees it, with everything that answers may rest on."""

    def __init__(self, top: Path) -> None:
        self.top = top
        for name in ("ws", "home/registry/index/one/.cache", "db/crates/x", "state"):
            (top / name).mkdir(parents=True)
        for name in ("ws/Cargo.lock", "ws/Cargo.toml", "ws/config.toml", "db/crates/x/RUSTSEC-2020-0001.md"):
            (top / name).write_text("one")
        package = SimpleNamespace(id="a", checksum="c", manifest_path="/m", scripts=(), proc_macro=False)
        self.invocation: Any = SimpleNamespace(
            lock_file=str(top / "ws/Cargo.lock"), workspace=str(top / "ws"), project=ProjectPolicy(),
            facts=SimpleNamespace(packages=[package]), host=SimpleNamespace(state_dir=str(top / "state")),
        )  # fmt: skip
        self.ground: Any = SimpleNamespace(
            cargo_home=str(top / "home"), args=SimpleNamespace(config=()), env={"PATH": "/bin", "CARGO_X": "1"},
            tree=SimpleNamespace(manifests=(top / "ws/Cargo.toml",)),
            config=SimpleNamespace(files=(top / "ws/config.toml",)),
        )  # fmt: skip
        self.settings = replace(Settings(), advisory_db=str(top / "db"))

    def write(self, name: str) -> None:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("another")


def _tomorrow(_case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "date", SimpleNamespace(today=lambda: date(2999, 1, 1)))


def _newer(_case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "__version__", "99")


def _package(case: _Case, _patch: object) -> None:
    case.invocation.facts.packages[0].checksum = "d"


def _policy(case: _Case, _patch: object) -> None:
    case.invocation.project = ProjectPolicy(supply=Supply(internal=("x",)))


def _untrusted(case: _Case, _patch: object) -> None:
    case.settings = replace(case.settings, untrusted=True)


def _no_database(case: _Case, _patch: object) -> None:
    case.settings = replace(case.settings, advisory_db="")


def _config(case: _Case, _patch: object) -> None:
    case.ground.args.config = ("net.offline=true",)


def _variable(case: _Case, _patch: object) -> None:
    case.ground.env = case.ground.env | {"CARGO_REGISTRIES_X_INDEX": "https://i.invalid/"}


def _index(case: _Case, _patch: object) -> None:
    (case.top / "home/registry/index/two").mkdir()


def _file(name: str) -> Callable[[_Case, object], None]:
    return lambda case, _patch: case.write(name)


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Case:
    monkeypatch.setattr(checked, "_make", lambda *_given: Fast(checks={"made": "done"}))
    return _Case(tmp_path)


def _made(case: _Case, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the checks were made, which leaves a mark."""
    marks: list[int] = []
    monkeypatch.setattr(checked, "_make", lambda *_given: marks.append(1) or Fast(checks={"made": "done"}))
    assert checked.fast_checks(case.invocation, case.ground, case.settings).checks == {"made": "done"}
    return bool(marks)


@pytest.mark.parametrize(
    "change",
    [
        _file("ws/Cargo.lock"), _file("ws/Cargo.toml"), _file("ws/config.toml"),
        _file("ws/cargo-sandbox.baseline/graph.lock"), _file("db/crates/x/RUSTSEC-2020-0001.md"),
        _file("db/crates/x/RUSTSEC-2020-0002.md"), _package, _policy, _untrusted, _no_database, _config, _variable,
        _index, _tomorrow, _newer,
    ],
)  # fmt: skip
def test_any_change_of_what_they_rest_on_makes_them_anew(
    case: _Case, monkeypatch: pytest.MonkeyPatch, change: Callable[[_Case, pytest.MonkeyPatch], None]
) -> None:
    assert _made(case, monkeypatch)
    assert not _made(case, monkeypatch)
    change(case, monkeypatch)
    assert _made(case, monkeypatch)


def test_what_they_do_not_rest_on_does_not(case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _made(case, monkeypatch)
    case.ground.env = case.ground.env | {"PATH": "/elsewhere"}
    case.write("ws/src/main.rs")
    assert not _made(case, monkeypatch)


def test_the_database_of_cargo_audit_counts_where_none_is_named(case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.settings = replace(case.settings, advisory_db="")
    assert _made(case, monkeypatch)
    case.write("home/advisory-db/crates/x/RUSTSEC-2020-0003.md")
    assert _made(case, monkeypatch)
    assert not _made(case, monkeypatch)


def test_of_several_databases_each_counts(case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.settings = replace(case.settings, advisory_db=f"{case.top / 'db'}:{case.top / 'more'}")
    assert _made(case, monkeypatch)
    case.write("more/crates/x/RUSTSEC-2020-0003.md")
    assert _made(case, monkeypatch)


def test_what_failed_is_not_kept(case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "_make", lambda *_given: Fast(holes=("the check x failed",)))
    assert checked.fast_checks(case.invocation, case.ground, case.settings).holes
    assert os.listdir(case.top / "state") == []


def test_two_workspaces_keep_theirs_apart(case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _made(case, monkeypatch)
    case.invocation.lock_file = str(case.top / "other/Cargo.lock")
    assert _made(case, monkeypatch)
    case.invocation.lock_file = str(case.top / "ws/Cargo.lock")
    assert not _made(case, monkeypatch)
