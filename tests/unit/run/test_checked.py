"""What was answered before a build is believed only while nothing that it rests on has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cli.options import Settings
from sandbox.policy.model import ProjectPolicy, Supply
from sandbox.preflight.cached import Fast
from sandbox.preflight.sources.index import place
from sandbox.record import replace
from sandbox.run import checked

LOCK = """
[[package]]
name = "Serde"
version = "1.0.0"

[[package]]
"name"='abc'
"""


class _Case:
    """A workspace on disk as a build sees it, with everything that answers may rest on."""

    def __init__(self, top: Path) -> None:
        self.top = top
        folders = (
            "ws",
            "home/registry/index/one/.cache/se/rd",
            "home/registry/index/one/.cache/to/ki",
            "db/crates/x",
            "state",
            "inside",
            "outside",
            "index",
        )
        for name in (*folders, *(f"code/{part}" for part in ("preflight/names", "cargo", "judge", "policy"))):
            (top / name).mkdir(parents=True)
        files = ("ws/Cargo.toml", "ws/config.toml", "db/crates/x/RUSTSEC-2020-0001.md", "names.txt")
        files += ("home/registry/index/one/.cache/se/rd/serde", "home/registry/index/one/.cache/to/ki/tokio")
        for name in (*files, "code/preflight/names/known.py"):
            (top / name).write_text("one")
        (top / "ws/Cargo.lock").write_text(LOCK)
        (top / "vendor").symlink_to("inside")
        package = SimpleNamespace(
            id="a", name="csbench-graph", checksum="c", manifest_path="/m", scripts=(), proc_macro=False
        )
        self.invocation: Any = SimpleNamespace(
            lock_file=str(top / "ws/Cargo.lock"), workspace=str(top / "ws"), project=ProjectPolicy(),
            facts=SimpleNamespace(packages=[package]), host=SimpleNamespace(state_dir=str(top / "state")),
        )  # fmt: skip
        self.ground: Any = SimpleNamespace(
            cargo_home=str(top / "home"), args=SimpleNamespace(config=()), env={"PATH": "/bin", "CARGO_X": "1"},
            tree=SimpleNamespace(manifests=(top / "ws/Cargo.toml",)),
            config=SimpleNamespace(
                files=(top / "ws/config.toml",), registries=lambda: {"mine": f"sparse+file://{top}/index"},
                source_directories=lambda: (SimpleNamespace(path=lambda: top / "vendor"),),
            ),
        )  # fmt: skip
        self.settings = replace(Settings(), advisory_db=str(top / "db"))

    def write(self, name: str) -> None:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("another")


def _tomorrow(_case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "time", SimpleNamespace(strftime=lambda _form: "2999-01-01"))


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


def _link(case: _Case, _patch: object) -> None:
    (case.top / "vendor").unlink()
    (case.top / "vendor").symlink_to("outside")


def _file(name: str) -> Callable[[_Case, object], None]:
    return lambda case, _patch: case.write(name)


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Case:
    monkeypatch.setattr(checked, "_make", lambda *_given: Fast(checks={"made": "done"}))
    monkeypatch.setattr(checked, "_PACKAGE", str(tmp_path / "code"))
    monkeypatch.setattr(checked, "profile", lambda name: tmp_path / name)
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
        _index, _tomorrow, _newer, _link, _file("names.txt"),
        _file("home/registry/index/one/.cache/se/rd/serde"), _file("home/registry/index/one/.cache/3/a/abc"),
        _file("home/registry/index/one/.cache/cs/be/csbench-graph"), _file("index/se/rd/serde"),
        _file("code/preflight/names/known.py"), _file("code/cargo/semver.py"), _file("code/judge/model.py"),
        _file("code/policy/supply.py"),
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


def test_what_an_index_has_on_other_packages_does_not(case: _Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _made(case, monkeypatch)
    case.write("home/registry/index/one/.cache/to/ki/tokio")
    assert not _made(case, monkeypatch)


@pytest.mark.parametrize("text", [r'[[package]]\nname = "\u0073erde"', r'[[package]]\n"n\u0061me" = "serde"'])
def test_names_that_are_written_as_cargo_never_does_are_never_taken_for_unchanged(
    case: _Case, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    Path(case.invocation.lock_file).write_text(text)
    assert _made(case, monkeypatch)
    assert _made(case, monkeypatch)


def test_all_code_that_the_checks_load_from_where_answers_are_made_counts() -> None:
    code = (
        "import sys\nfrom sandbox.run import checked\nbefore = set(sys.modules)\n"
        "from sandbox.preflight import run, subject\nfrom sandbox.preflight.checks import fast_checks\n"
        "fast_checks()\nprint(*sorted({n.split('.')[1] for n in set(sys.modules) - before if 'sandbox.' in n}))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert "preflight" in done.stdout.split()
    assert set(done.stdout.split()) <= set(checked._CODE)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_a_package_s_place_in_an_index_is_where_the_checks_look(name: str) -> None:
    assert checked._place(name.lower()) == place(name)


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
