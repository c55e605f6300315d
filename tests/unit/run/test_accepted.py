"""A rule that was accepted by its id counts for one content of one package, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.baseline.model import Baseline, Waiver
from sandbox.baseline.places import tree_folder
from sandbox.baseline.store import save
from sandbox.cargo.metadata import Facts, Package
from sandbox.judge.model import Finding
from sandbox.run.accepted import accepted
from tests.unit.baseline import made

HERE = "/src/ring"
FINDING = Finding("CS0103", "high", "t", "u1", "script", "ring", "1.0.0", HERE, "/usr/x", "wrote", "help")


def _facts(checksum: str | None = made.SUM) -> Facts:
    manifest = f"{HERE}/Cargo.toml"
    package = Package("id", "ring", "1.0.0", "registry+x", checksum, manifest, (), False, None, (), ())
    return Facts("/ws", "/ws/target", (package,), (), (), ((),))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    baseline = made.accepted(made.script("ring", "1.0.0", made.CC))["ring"]
    waived = tuple(replace(one, waivers=(Waiver("CS0103", "looked at"),)) for one in baseline.versions)
    save(tree_folder(tmp_path), Baseline("ring", waived, baseline.normaliser))
    return tmp_path


def test_the_accepted_rule_is_taken_away_and_its_reason_is_shown(tree: Path) -> None:
    kept, waived = accepted((FINDING, replace(FINDING, code="CS0101")), _facts(), str(tree), {})
    assert [one.code for one in kept] == ["CS0101"]
    assert waived[0].evidence[-1].endswith("looked at")


@pytest.mark.parametrize("checksum", [made.OTHER_SUM, None, ""])
def test_another_content_is_not_accepted(tree: Path, checksum: str | None) -> None:
    assert accepted((FINDING,), _facts(checksum), str(tree), {}) == ((FINDING,), ())


def test_an_untrusted_tree_accepts_nothing(tree: Path) -> None:
    assert accepted((FINDING,), _facts(), None, {}) == ((FINDING,), ())


def test_a_broken_baseline_accepts_nothing(tree: Path) -> None:
    (tree_folder(tree) / "ring.toml").write_text("schema = 99")
    assert accepted((FINDING,), _facts(), str(tree), {}) == ((FINDING,), ())
