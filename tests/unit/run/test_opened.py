"""Which folder of the sources the user may open to a package: one that exists, that is no whole package, nothing
hidden, and that only that package can write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.run.opened import Sources, open_sources

OWNER = (os.geteuid(), os.getegid())


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    top = tmp_path / "ws"
    for name in (
        "target/gen", "contrib/completions", ".github/workflows", "inner/src", "apart/src", "vendor/far/src",
        "cargo-home/registry", "cargo-sandbox.baseline",
    ):  # fmt: skip
        (top / name).mkdir(parents=True)
    (top / "apart/Cargo.toml").touch()
    (top / "linked").symlink_to(top / "inner/src")
    (tmp_path / "elsewhere").mkdir()
    return top


def sources(workspace: Path) -> Sources:
    packages = [(str(workspace / name), name != "vendor/far") for name in (".", "inner", "vendor/far")]
    packages = [(os.path.normpath(folder), own) for folder, own in packages]
    return Sources(str(workspace), str(workspace / "target"), packages, (str(workspace / "cargo-home"),))


def opened(workspace: Path, *places: str, package: str = "tool", confined: bool = True) -> tuple[str, ...]:
    allowed = [(package, str(workspace / place)) for place in places]
    return open_sources(allowed, sources(workspace), OWNER, confined)


def test_a_folder_of_the_sources_is_opened(workspace: Path) -> None:
    assert opened(workspace, "contrib/completions") == (str(workspace / "contrib/completions"),)
    assert opened(workspace, "inner/src/../src", "inner/src") == (str(workspace / "inner/src"),)


def test_of_two_that_lie_in_each_other_the_outer_one_is_mounted(workspace: Path) -> None:
    assert opened(workspace, "contrib/completions", "contrib") == (str(workspace / "contrib"),)


def test_what_lies_in_the_target_dir_is_writable_anyway(workspace: Path) -> None:
    assert opened(workspace, "target/gen", "target/not/yet") == ()
    assert opened(workspace, "target/gen", package="*", confined=False) == ()


@pytest.mark.parametrize(
    "place, reason",
    [
        ("", "holds a package's manifest"),
        ("inner", "holds a package's manifest"),
        ("apart", "holds a package's manifest"),
        ("vendor", "holds a package's manifest"),
        ("vendor/far/src", "not the project's own"),
        (".github/workflows", "hidden"),
        ("cargo-sandbox.baseline", "obeyed"),
        ("cargo-home/registry", "cargo's"),
        ("cargo-home", "cargo's"),
        ("nothing/here", "no such folder"),
        ("linked", "a link"),
        ("../elsewhere", "folders of the workspace"),
        ("contrib/../../elsewhere", "folders of the workspace"),
    ],
)
def test_no_other_place_is_opened(workspace: Path, place: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        opened(workspace, place)


def test_sources_are_never_opened_to_everybody(workspace: Path) -> None:
    with pytest.raises(UsageError, match="one package only"):
        opened(workspace, "contrib", package="*")
    with pytest.raises(UsageError, match="in this runtime"):
        opened(workspace, "contrib", confined=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root builds as somebody else")
def test_a_folder_that_the_builds_user_cannot_write_is_refused(workspace: Path) -> None:
    allowed = [("tool", str(workspace / "contrib"))]
    with pytest.raises(UsageError, match="can't be written"):
        open_sources(allowed, sources(workspace), (65533, 65533), True)
