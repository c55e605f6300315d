"""Baselines, the accepted graph and the checks' answers, joined to the packages that they speak of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from sandbox.baseline.model import Baseline, VersionEntry
from sandbox.baseline.store import Stores
from sandbox.policy.graph import Node
from sandbox.preflight.inventory.model import Code
from sandbox.preflight.inventory.standing import with_accepted, with_baselines
from sandbox.preflight.inventory.warnings import warnings_of
from sandbox.preflight.model import Answer, Subject, finding
from tests.unit.preflight.inventory.made import CRATES_IO, checksum, find, inventory, locked

SUMS = {(one.name, one.version): one.checksum or "" for one in locked()}


def store(name: str, version: str = "1.2.3", its: str | None = None) -> dict[str, Baseline]:
    return {name: Baseline(name, (VersionEntry(version, checksum(name) or "" if its is None else its),))}


def standing(stores: Stores, name: str, *findings: Code) -> tuple[str, str]:
    base = inventory()
    items = tuple(replace(item, findings=findings) if item.name == name else item for item in base.items)
    item = find(with_baselines(replace(base, items=items), stores, SUMS), name)
    return item.baseline, item.store


def test_baselines_known_of_another_version_changed_and_none() -> None:
    name = "csbench-sys"
    assert standing(Stores(tree=store(name)), name) == ("known", "tree")
    assert standing(Stores(pack=store(name)), name) == ("known", "pack")
    assert standing(Stores(user=store(name, "1.2.2")), name) == ("other version", "user")
    assert standing(Stores(tree=store(name, its="00" * 32)), name) == ("changed", "tree")
    assert standing(Stores(), name) == ("none", "")


def test_only_scripts_and_what_loads_macros_have_a_baseline_to_lack() -> None:
    made = with_baselines(inventory(), Stores(), SUMS)
    assert {item.name for item in made.items if item.baseline == "none"} == {"app", "csbench-sys", "csbench-syn"}
    no_script = replace(inventory(), items=tuple(replace(one, has_script=False) for one in inventory().items))
    assert {item.name for item in with_baselines(no_script, Stores(), SUMS).items if item.baseline} == {"app"}


def test_drift_in_the_last_run_is_a_change_whatever_is_accepted() -> None:
    name = "csbench-sys"
    for code in ("CS0301", "CS0302", "CS0303"):
        assert standing(Stores(tree=store(name)), name, Code(code, "low"))[0] == "changed"
    assert standing(Stores(tree=store(name)), name, Code("CS0304", "low"))[0] == "known"


def test_baselines_that_cannot_be_read_are_not_none() -> None:
    made = with_baselines(inventory(), None, SUMS)
    assert (find(made, "csbench-sys").baseline, find(made, "csbench-lib").baseline) == ("unread", "")


def test_new_is_what_the_accepted_graph_lacks_by_name_version_and_source() -> None:
    nodes = (
        Node("csbench-lib", "1.2.3", CRATES_IO, "", False, False),
        Node("csbench-sys", "1.2.2", CRATES_IO, "", False, False),
        Node("cc", "1.2.3", "", "", False, False),
        Node("csbench-git", "1.2.3", "git+https://someone:secret@git.acme.invalid/csbench-git", "", False, False),
    )
    made = with_accepted(inventory(), nodes)
    found = {name: find(made, name).new for name in ("csbench-lib", "csbench-sys", "cc", "csbench-git", "csbench-win")}
    assert found == {"csbench-lib": False, "csbench-sys": True, "cc": True, "csbench-git": False, "csbench-win": None}


def test_without_an_accepted_graph_nothing_is_new_and_that_is_said() -> None:
    made = with_accepted(inventory(), None)
    assert {item.new for item in made.items} == {None}
    assert any("no accepted graph" in note for note in made.notes)


def test_answers_mark_their_packages_and_nothing_that_was_found_is_lost() -> None:
    lib = next(one for one in locked() if one.name == "csbench-lib")
    subject = Subject(Path("Cargo.lock"), locked(), date(2026, 11, 29))
    answers = [
        Answer("advisories", "done", (finding("CS0551", lib, "RUSTSEC-0000-0001"), finding("CS0555", None, "old"))),
        Answer("names", "done", (finding("CS0520", lib._replace(version=""), "like lib"),)),
        Answer("names", "done", (finding("CS0530", lib._replace(version="9.9.9"), "unknown"),)),
        Answer("integrity", "not done", why="no sources are fetched"),
    ]
    assert subject.locked
    made = warnings_of(inventory(), answers)
    assert find(made, "csbench-lib").warnings == (
        Code("CS0520", "high", "like lib"), Code("CS0551", "high", "RUSTSEC-0000-0001"),
    )  # fmt: skip
    assert not any(item.warnings for item in made.items if item.name != "csbench-lib")
    assert any(note.startswith("CS0555 (medium): the workspace") for note in made.notes)
    assert any(note.startswith("CS0530 (low): csbench-lib 9.9.9") for note in made.notes)
    assert "integrity: not done: no sources are fetched" in made.notes


def test_without_answers_nothing_changes() -> None:
    assert warnings_of(inventory(), ()) == inventory()
