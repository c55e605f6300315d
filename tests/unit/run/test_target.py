"""Where a build may write: the user may choose any place of his own, the project only one where no file is obeyed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.errors import SetupError
from sandbox.run.target import build_dir, open_target, other_build_dirs

_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n"

OWNER = (os.geteuid(), os.getegid())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "work/project").mkdir(parents=True)
    return folder


def _open(home: Path, path: str, *, by_user: bool = False, create: bool = True) -> str:
    workspace = str(home / "work/project")
    wanted = os.path.normpath(os.path.join(workspace, path))
    return open_target(wanted, workspace, (str(home),), str(home / ".cargo"), by_user, OWNER, create)


@pytest.mark.parametrize("path", ["target", "built/here", "../elsewhere", "../../scratch/target"])
def test_a_project_may_choose_a_new_place(home: Path, path: str) -> None:
    assert Path(_open(home, path), "CACHEDIR.TAG").read_bytes().startswith(_TAG)
    assert _open(home, path)


@pytest.mark.parametrize(
    "path", [".git", ".git/hooks", ".cargo", ".vscode/x", "../../.config/autostart", "../../bin", "../../.local/bin"]
)
@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_a_project_may_not_choose_a_place_whose_files_are_obeyed(home: Path, path: str, there: bool) -> None:
    place = home / "work/project" / path
    if there:
        place.mkdir(parents=True)
    with pytest.raises(SetupError, match="obeyed"):
        _open(home, path)
    assert place.exists() == there and not (there and list(place.iterdir()))
    assert _open(home, path, by_user=True)


def test_a_project_may_not_choose_a_folder_of_the_system(home: Path) -> None:
    with pytest.raises(SetupError, match="obeyed"):
        _open(home, "/etc/csbench-no-such-folder")


def test_a_link_of_the_project_to_an_empty_place_whose_files_are_obeyed_is_not_followed(home: Path) -> None:
    (home / ".config/autostart").mkdir(parents=True)
    (home / "work/project/target").symlink_to(home / ".config/autostart")
    with pytest.raises(SetupError, match="obeyed"):
        _open(home, "target")
    (home / "scratch").mkdir()
    (home / "work/project/target").unlink()
    (home / "work/project/target").symlink_to(home / "scratch")
    assert _open(home, "target") == str(home / "scratch")


def test_a_folder_of_the_workspace_with_files_is_the_projects_target_dir_only_if_it_is_cargos(home: Path) -> None:
    place = home / "work/project/deploy"
    place.mkdir()
    (place / ".env").write_text("PASSWORD=1")
    with pytest.raises(SetupError, match="not cargo's"):
        _open(home, "deploy")
    (place / "CACHEDIR.TAG").write_bytes(_TAG)
    assert _open(home, "deploy") == str(place)


def test_a_cache_in_a_hidden_folder_that_cargo_marked_is_used(home: Path) -> None:
    place = home / ".cache/cargo-target"
    place.mkdir(parents=True)
    (place / "CACHEDIR.TAG").write_bytes(_TAG)
    assert _open(home, "../../.cache/cargo-target") == str(place)


def test_the_way_to_the_workspace_may_have_hidden_folders(tmp_path: Path) -> None:
    workspace = tmp_path / ".work/bin/project"
    workspace.mkdir(parents=True)
    assert open_target(str(workspace / "out"), str(workspace), (), str(tmp_path / "c"), False, OWNER) == str(
        workspace / "out"
    )


def test_only_looking_makes_nothing(home: Path) -> None:
    target = _open(home, "target", create=False)
    build_dir(target, OWNER, create=False)
    assert not os.path.lexists(target)


@pytest.mark.parametrize("name", [".cargo-sandbox", ".cargo-sandbox/build"])
def test_the_build_dir_is_made_through_no_link(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor through one that appears right after a look at its place."""
    (tmp_path / "outside").mkdir()
    target = tmp_path / "target"
    (target / name).parent.mkdir(parents=True)
    (target / name).symlink_to(tmp_path / "outside")
    monkeypatch.setattr(os.path, "islink", lambda path: False)
    with pytest.raises(SetupError):
        build_dir(str(target), OWNER)
    assert list((tmp_path / "outside").iterdir()) == []


def test_builds_whose_record_can_t_be_whole_have_a_build_dir_of_their_own_and_see_no_other(tmp_path: Path) -> None:
    usual = build_dir(str(tmp_path), OWNER)
    apart = build_dir(str(tmp_path), OWNER, apart="runsc")
    assert Path(apart).name == Path(usual).name + ".runsc" and Path(apart).is_dir()
    (tmp_path / ".cargo-sandbox/link").symlink_to(tmp_path)
    (tmp_path / ".cargo-sandbox/file").write_text("")
    assert other_build_dirs(apart) == (usual,)
    assert other_build_dirs(str(tmp_path / "none/build")) == ()
