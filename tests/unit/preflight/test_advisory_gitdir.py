"""The last commit's day is read from git's own files, without git."""

from __future__ import annotations

import os
import subprocess
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.preflight.advisories import gitdir
from tests.unit.preflight.advisory_files import check, codes, locked, put

DAY = date(2026, 7, 20)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A database under git with some commits, the newest of them of DAY."""
    top = tmp_path / "db"
    _git(top, "init", "-q", "-b", "main")
    for number in range(5):
        put(top, f"RUSTSEC-2099-000{number}", "csbench-bad", date="2026-05-01")
        _git(top, "add", "-A")
        _git(top, "commit", "-q", "-m", f"Advisory {number}", day=f"2026-07-{16 + number}T12:00:00+0000")
    return top


def _git(top: Path, *arguments: str, day: str = "") -> None:
    top.mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"], "HOME": str(top.parent), "GIT_CONFIG_NOSYSTEM": "1", "GIT_COMMITTER_DATE": day,
        "GIT_AUTHOR_DATE": "2020-01-01T00:00:00+0000", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.invalid",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.invalid",
    }  # fmt: skip
    subprocess.run(["git", *arguments], cwd=top, env=env, check=True)


def test_the_last_commit_is_read_as_a_loose_object(clone: Path) -> None:
    assert gitdir.committed(clone) == DAY


def test_the_last_commit_is_read_from_a_pack(clone: Path) -> None:
    _git(clone, "gc", "-q", "--prune=now")
    assert not list((clone / ".git" / "objects").glob("[0-9a-f][0-9a-f]"))
    assert gitdir.committed(clone) == DAY


def test_a_detached_head_names_its_commit_itself(clone: Path) -> None:
    _git(clone, "checkout", "-q", "--detach")
    assert gitdir.committed(clone) == DAY


def test_the_last_commit_dates_the_database_before_any_advisory_does(clone: Path) -> None:
    answer = check(clone, locked("csbench-good", "1.0.0"))
    assert codes(answer) == []
    assert any(str(DAY) in note and "commit" in note for note in answer.notes)


def test_a_commit_of_days_to_come_is_not_believed(clone: Path) -> None:
    assert codes(check(clone, locked("csbench-good", "1.0.0"), today=date(2026, 7, 1))) == ["CS0555"]


@pytest.mark.parametrize(
    "head",
    ["", "ref: refs/heads/../../../x", "ref: /etc/passwd", "0" * 40, "ref: refs/heads/none", "x" * 5000, "a" * 64],
)
def test_a_head_that_names_no_commit_says_nothing(clone: Path, head: str) -> None:
    (clone / ".git" / "HEAD").write_text(head)
    assert gitdir.committed(clone) is None


def test_a_reference_leads_out_of_the_git_directory_to_nothing(clone: Path) -> None:
    (clone / "outside").write_text((clone / ".git" / "refs" / "heads" / "main").read_text())
    (clone / ".git" / "HEAD").write_text("ref: refs/../../outside\n")
    assert gitdir.committed(clone) is None


def test_a_git_directory_that_is_a_link_or_a_file_is_left_alone(clone: Path) -> None:
    (clone / ".git").rename(clone.parent / "git")
    assert gitdir.committed(clone) is None
    (clone / ".git").symlink_to(clone.parent / "git")
    assert gitdir.committed(clone) is None
    (clone / ".git").unlink()
    (clone / ".git").write_text("gitdir: ../git")
    assert gitdir.committed(clone) is None


@settings(deadline=None)
@given(place=st.integers(0, 4000), byte=st.integers(0, 255), cut=st.booleans(), which=st.sampled_from(["idx", "pack"]))
def test_damaged_packs_say_nothing_or_the_truth_about_form(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, cut: bool, which: str
) -> None:
    top = _packed(tmp_path_factory)
    (path,) = (top / ".git" / "objects" / "pack").glob(f"*.{which}")
    whole = path.read_bytes()
    place %= len(whole)
    path.chmod(0o600)
    path.write_bytes(whole[:place] if cut else whole[:place] + bytes([byte]) + whole[place + 1 :])
    try:
        found = gitdir.committed(top)
    finally:
        path.write_bytes(whole)
    assert found is None or isinstance(found, date)


_PACKED: list[Path] = []


def _packed(factory: pytest.TempPathFactory) -> Path:
    """One packed clone for all examples."""
    if not _PACKED:
        top = factory.mktemp("packed") / "db"
        _git(top, "init", "-q", "-b", "main")
        put(top, "RUSTSEC-2099-0001", "csbench-bad")
        _git(top, "add", "-A")
        _git(top, "commit", "-q", "-m", "All", day="2026-07-20T12:00:00+0000")
        _git(top, "gc", "-q", "--prune=now")
        _PACKED.append(top)
    return _PACKED[0]
