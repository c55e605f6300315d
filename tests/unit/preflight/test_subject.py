"""What the checks are given: the lock file, the project's wishes, and the state that was last accepted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sandbox.cargo import config as cargo_config
from sandbox.cargo import workspace
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cli.options import Settings
from sandbox.errors import WorkspaceError
from sandbox.policy.graph import Node
from sandbox.policy.graph_state import save
from sandbox.policy.model import Permit, PolicyError, ProjectPolicy, Supply
from sandbox.preflight.model import SourceRule, Wishes
from sandbox.preflight.subject import accepted_state, of_lock, of_workspace, wishes_of
from sandbox.record import replace
from tests.unit.preflight.trees import MANIFEST, good

_REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def _of(root: Path, **more: object) -> object:
    home = root.parent / "cargo-home"
    env = {"HOME": str(root.parent), "CARGO_HOME": str(home)}
    config = cargo_config.load(root, home)
    tree = workspace.discover(root, None, env, config=config)
    return of_workspace(tree, config, env, Wishes(), facts=None, **more)  # type: ignore[arg-type]


def test_wishes_are_what_policy_says_and_the_database_what_settings_say() -> None:
    said = Supply(
        sources=(("acme-*", "path"),), names=(Permit("x", "r", date(2027, 1, 1)),), advisories=(Permit("i", "r"),),
        max_age_days=3, cooldown_days=4, internal=("y",), allowed_sources=("path",),
    )  # fmt: skip
    wishes = wishes_of(replace(Settings(), advisory_db="/db"), ProjectPolicy(supply=said))
    assert wishes == Wishes(
        (SourceRule("acme-*", "path"),), ("path",), ("y",), (Permit("x", "r", date(2027, 1, 1)),),
        (Permit("i", "r"),), "/db", 3, 4,
    )  # fmt: skip
    assert wishes_of(Settings(), None) == Wishes()


def test_a_workspace_s_manifests_are_its_root_s_and_its_members(tmp_path: Path) -> None:
    root = good(tmp_path / "ws", {"Cargo.toml": '[workspace]\nmembers = ["a"]\n', "a/Cargo.toml": MANIFEST})
    found = _of(root)
    assert found.manifests == (root / "Cargo.toml", root / "a" / "Cargo.toml")  # type: ignore[attr-defined]
    assert [one.name for one in found.locked] == ["app"]  # type: ignore[attr-defined]
    assert found.accepted is None  # type: ignore[attr-defined]


def test_the_accepted_state_is_in_the_form_of_a_lock_file_and_an_untrusted_tree_has_none(tmp_path: Path) -> None:
    root = good(tmp_path / "ws")
    graph = (
        Node("app", "0.1.0", "", "", False, False),
        Node("far", "1.0.0", "git+https://host.invalid/far", "c" * 40, True, False, "s"),
        Node("log", "0.4.20", _REGISTRY, "a" * 64, False, False),
    )
    save(root / "cargo-sandbox.baseline", graph)
    assert _of(root).accepted == (  # type: ignore[attr-defined]
        LockedPackage("app", "0.1.0"),
        LockedPackage("far", "1.0.0", f"git+https://host.invalid/far#{'c' * 40}"),
        LockedPackage("log", "0.4.20", _REGISTRY, "a" * 64),
    )
    assert _of(root, untrusted=True).accepted is None  # type: ignore[attr-defined]


def test_a_broken_accepted_state_is_an_error_and_not_none(tmp_path: Path) -> None:
    good(tmp_path, {"cargo-sandbox.baseline/graph.lock": "schema = 1\npackages = 3\n"})
    with pytest.raises(PolicyError):
        accepted_state(tmp_path)


def test_a_lock_file_alone_must_be_there_and_be_one(tmp_path: Path) -> None:
    root = good(tmp_path)
    config = cargo_config.load(root, tmp_path / "home")
    found = of_lock(root / "Cargo.lock", config, {}, Wishes())
    assert (found.root, found.facts, len(found.locked)) == (None, None, 1)
    with pytest.raises(WorkspaceError, match="no lock file"):
        of_lock(root / "None.lock", config, {}, Wishes())
    (root / "Cargo.lock").write_text("version = 99")
    with pytest.raises(WorkspaceError, match="can't be read"):
        of_lock(root / "Cargo.lock", config, {}, Wishes())
