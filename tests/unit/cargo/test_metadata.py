"""The facts of cargo's metadata, made by the real cargo for a workspace without a registry."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import BuildScript, Dependency, Facts, Package
from sandbox.errors import WorkspaceError


def _package(folder: Path, more: str = "") -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "lib.rs").touch()
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "{folder.name}"\nversion = "1.2.3"\nedition = "2021"\n{more}'
    )


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """app -> near -> macros -(build)-> far, and tool -(dev)-> far, with `app` and `tool` in the workspace."""
    top = tmp_path_factory.mktemp("facts")
    _package(top / "far", 'links = "far"\nbuild = "make-it.rs"\n')
    (top / "far" / "make-it.rs").write_text("fn main() {}")
    _package(top / "macros", '[lib]\nproc-macro = true\n[build-dependencies]\nfar = { path = "../far" }\n')
    (top / "macros" / "build.rs").write_text("fn main() {}")
    _package(top / "near", '[dependencies]\nmacros = { path = "../macros" }\n')
    _package(top / "ws" / "app", '[dependencies]\nnear = { path = "../../near" }\n')
    _package(top / "ws" / "tool", '[dev-dependencies]\nfar = { path = "../../far" }\n')
    (top / "ws" / "Cargo.toml").write_text('[workspace]\nresolver = "2"\nmembers = ["app", "tool"]\n')
    return top


@pytest.fixture(scope="module")
def text(top: Path) -> bytes:
    command = ["cargo", "metadata", "--format-version", "1", "--offline"]
    return subprocess.run(command, cwd=top / "ws", capture_output=True, check=True).stdout


@pytest.fixture
def facts(text: bytes) -> Facts:
    return Facts.from_metadata(text)


def test_packages_have_their_scripts_macros_and_links(facts: Facts, top: Path) -> None:
    far, macros, near = facts.find("far"), facts.find("macros"), facts.find("near", "1.2.3")
    assert far is not None
    assert macros is not None
    assert near is not None
    assert far.scripts == (BuildScript("build_script_make_it", f"{top}/far/make-it.rs"),)
    assert (far.links, far.proc_macro, far.source, far.checksum) == ("far", False, None, None)
    assert macros.proc_macro
    assert macros.scripts == (BuildScript("build_script_build", f"{top}/macros/build.rs"),)
    assert near.scripts == ()
    assert near.directory == f"{top}/near"
    assert sorted(facts.scripts) == [
        ("build_script_build", f"{top}/macros/build.rs"),
        ("build_script_make_it", f"{top}/far/make-it.rs"),
    ]


def test_a_package_that_makes_a_dylib_is_known(top: Path) -> None:
    def found(kinds: str) -> Facts:
        (top / "near/Cargo.toml").write_text(
            f'[package]\nname = "near"\nversion = "1.2.3"\n[lib]\ncrate-type = {kinds}\n'
        )
        command = ["cargo", "metadata", "--format-version", "1", "--offline", "--manifest-path", "near/Cargo.toml"]
        return Facts.from_metadata(subprocess.run(command, cwd=top, capture_output=True, check=True).stdout)

    usual = (top / "near/Cargo.toml").read_text()
    both = found('["rlib", "dylib"]')
    assert both.dylibs
    assert Facts.from_json(both.to_json()) == both
    assert not found('["rlib", "cdylib", "staticlib"]').dylibs
    (top / "near/Cargo.toml").write_text(usual)


def test_members_and_places_are_known(facts: Facts, top: Path) -> None:
    assert [facts.packages[at].name for at in facts.members] == ["app", "tool"]
    assert facts.default_members == facts.members
    assert (facts.root, facts.target_dir) == (f"{top}/ws", f"{top}/ws/target")


def test_the_chain_is_the_shortest_way_from_a_member(facts: Facts, top: Path) -> None:
    assert facts.chain("far") == ["tool 1.2.3", "far 1.2.3"]
    assert facts.chain("macros", "1.2.3") == ["app 1.2.3", "near 1.2.3", "macros 1.2.3"]
    assert facts.chain("app") == ["app 1.2.3"]
    assert facts.chain("far", "1.2.3", f"{top}/far/") == ["tool 1.2.3", "far 1.2.3"]
    assert facts.chain("far", "9.9.9") == []
    assert facts.chain("far", "1.2.3", "/elsewhere") == []


def test_edges_know_their_kinds(facts: Facts) -> None:
    names = [package.name for package in facts.packages]
    tool, macros, far = names.index("tool"), names.index("macros"), names.index("far")
    assert facts.graph[tool] == (Dependency(far, ("dev",)),)
    assert facts.graph[macros] == (Dependency(far, ("build",)),)


def test_checksums_come_from_the_lock_file() -> None:
    source = "registry+https://index.invalid/crates"
    data = {
        "packages": [
            {
                "name": "serde",
                "version": "1.0.1",
                "id": f"{source}#serde@1.0.1",
                "source": source,
                "manifest_path": "/c/serde/Cargo.toml",
                "targets": [],
            }
        ],
        "workspace_members": [],
        "resolve": None,
        "workspace_root": "/w",
        "target_directory": "/w/target",
    }
    locked = [LockedPackage("serde", "1.0.0", source, "00"), LockedPackage("serde", "1.0.1", source, "ab")]
    facts = Facts.from_metadata(json.dumps(data), locked)
    assert facts.packages[0].checksum == "ab"
    assert facts.chain("serde") == []


def test_the_cache_gives_the_same_facts_back(facts: Facts) -> None:
    again = Facts.from_json(facts.to_json())
    assert again == facts
    assert isinstance(again, Facts)
    assert all(isinstance(package, Package) for package in again.packages)


def _change(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update({key: value})


@pytest.mark.parametrize(
    "change",
    [
        _change("v", 0),
        _change("packages", []),
        _change("packages", [["x"]]),
        _change("members", [99]),
        _change("members", [-1]),
        _change("members", None),
        _change("graph", []),
        _change("graph", [[[0, 7]]]),
        dict.clear,
    ],
)
def test_a_cache_of_another_version_or_a_broken_one_is_not_used(
    facts: Facts, change: Callable[[dict[str, Any]], None]
) -> None:
    data = json.loads(facts.to_json())
    change(data)
    assert Facts.from_json(json.dumps(data)) is None


@given(st.text() | st.binary())
def test_any_text_is_no_cache_and_no_metadata(text: str | bytes) -> None:
    assert Facts.from_json(text) is None
    with pytest.raises(WorkspaceError):
        Facts.from_metadata(text)


def test_a_cache_cut_at_any_place_is_not_used(facts: Facts) -> None:
    text = facts.to_json()
    for end in range(0, len(text), 7):
        assert Facts.from_json(text[:end]) is None
