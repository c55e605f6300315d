"""What was told of fresh units is told again as long as nothing that it rests on has changed, and no longer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.judge.model import Finding
from sandbox.run import remembered
from sandbox.run.finish import Fresh, Late
from sandbox.run.remembered import FILE, grounds_of, key_of, recall, remember

FINDING = Finding(
    "CS0270", "medium", "ran a program shipped in a package", "fresh:/b/.fingerprint/a-1", "script", "a", "1.0.0",
    "/ws/a", "$DEP(b@1.0.0)/bin/x", "exec", "accept it with a reason", events=(4, 7), fresh=True, run="r", score=4.0,
)  # fmt: skip
TOLD = Late(fresh=(FINDING,), no_baseline=3, notes=("a note",))


class Ground:
    """A ledger's folder, a workspace and a home, with a key for them."""

    def __init__(self, top: Path) -> None:
        self.folder, self.tree, self.home = top / "ledger", top / "ws", top / "home"
        self.lock_file = self.tree / "Cargo.lock"
        self.accepted_here = self.tree / "cargo-sandbox.baseline" / "a.toml"
        self.accepted_by_user = self.home / ".local/share/cargo-sandbox/baseline/a.toml"
        for path in (
            self.folder / "behaviours.jsonl",
            self.lock_file,
            self.accepted_here,
            self.accepted_by_user,
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a")

    def key(self, fresh: Fresh | None = None, *, trusted: bool = True) -> str:
        fresh = fresh or Fresh(frozenset(("/b/.fingerprint/a-1",)), (FINDING,))
        tree = str(self.tree) if trusted else None
        return key_of(fresh, grounds_of(self.folder, str(self.lock_file), tree, {"HOME": str(self.home)}))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def rewrite(path: Path) -> None:
    """Other content of the same length, dated back, under the same inode."""
    before = path.stat()
    path.write_text("b")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Ground], object]] = {
    "a behaviour on the shelf": lambda ground: rewrite(ground.folder / "behaviours.jsonl"),
    "the shelf is gone": lambda ground: (ground.folder / "behaviours.jsonl").unlink(),
    "the lock file": lambda ground: rewrite(ground.lock_file),
    "what the tree accepts": lambda ground: rewrite(ground.accepted_here),
    "one more accepted by the tree": lambda ground: ground.accepted_here.with_name("b.toml").write_text(""),
    "one less accepted by the tree": lambda ground: ground.accepted_here.unlink(),
    "what the user accepts": lambda ground: rewrite(ground.accepted_by_user),
    "a store that is a link to itself as it was": lambda ground: (
        ground.accepted_here.parent.rename(ground.tree / "moved"),
        ground.accepted_here.parent.symlink_to("moved"),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_judged_anew(ground: Ground, change: Callable[[Ground], object]) -> None:
    before = ground.key()
    assert ground.key() == before
    change(ground)
    assert ground.key() != before


@pytest.mark.parametrize("kind", ["baselines", "rules", "code"])
def test_another_pack_other_rules_and_other_code_judge_anew(
    ground: Ground, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("profiles/baselines", "profiles/rules", "judge"):
        (tmp_path / name).mkdir(parents=True)
    shipped = {"baselines": "profiles/baselines/a.toml", "rules": "profiles/rules/rules.json", "code": "judge/first.py"}
    for path in shipped.values():
        (tmp_path / path).write_text("a")
    monkeypatch.setattr(remembered, "profile", lambda name: tmp_path / "profiles" / name)
    monkeypatch.setattr(remembered, "_PACKAGE", tmp_path)
    before = ground.key()
    rewrite(tmp_path / shipped[kind])
    assert ground.key() != before


def test_other_units_other_findings_and_a_tree_without_a_say_have_their_own_key(ground: Ground) -> None:
    keys = frozenset(("/b/.fingerprint/a-1",))
    cases = [
        ground.key(),
        ground.key(trusted=False),
        ground.key(Fresh(keys | {"/b/.fingerprint/c-1"}, (FINDING,))),
        ground.key(Fresh(keys, (replace(FINDING, subject="/x"),))),
        ground.key(Fresh(keys, (FINDING, FINDING))),
    ]
    assert len(set(cases)) == len(cases)


def test_all_code_that_judges_has_a_say() -> None:
    for name in remembered._CODE:
        assert list((remembered._PACKAGE / name).glob("*.py")), name


def test_what_was_told_is_told_again_under_its_key_alone(ground: Ground) -> None:
    assert recall(ground.folder, "k") is None
    remember(ground.folder, "k", TOLD)
    assert recall(ground.folder, "k") == TOLD
    assert recall(ground.folder, "other") is None
    remember(ground.folder, "k", Late(fresh=()))
    assert recall(ground.folder, "k") == Late(fresh=())


@pytest.mark.parametrize(
    "late", [replace(TOLD, holes=("a hole",)), replace(TOLD, findings=(FINDING,)), replace(TOLD, uncovered=True)]
)
def test_what_was_not_judged_to_its_end_or_is_of_this_run_is_not_kept(ground: Ground, late: Late) -> None:
    remember(ground.folder, "k", late)
    assert recall(ground.folder, "k") is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"key": "k"}', '{"key": "k", "fresh": [{}], "no_baseline": 0, "notes": []}',
     '{"key": "k", "fresh": 3, "no_baseline": 0, "notes": []}', json.dumps({"key": "k", "fresh": ["x"]})],
)  # fmt: skip
def test_what_can_not_be_read_is_judged_anew(ground: Ground, text: str) -> None:
    (ground.folder / FILE).write_text(text)
    assert recall(ground.folder, "k") is None


def test_a_folder_that_is_gone_costs_only_time(tmp_path: Path) -> None:
    remember(tmp_path / "gone", "k", TOLD)
    assert recall(tmp_path / "gone", "k") is None
