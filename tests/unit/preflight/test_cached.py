"""Answers of the fast checks are kept as long as nothing that they rest on has changed, and cost next to nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.preflight import cached
from sandbox.preflight.cached import Fast

FAST = Fast(({"code": "CS0550"},), (), {"advisories": "done"})


def test_what_was_kept_is_found_again_for_its_key_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "kept")
    cached.keep(path, "key", FAST)
    assert cached.load(path, "key") == FAST
    assert cached.load(path, "other") is None
    assert os.stat(path).st_mode & 0o77 == 0
    assert os.stat(os.path.dirname(path)).st_mode & 0o77 == 0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"key": "key"}', '{"key": "key", "findings": 3, "holes": [], "checks": {}}',
     '{"key": "key", "findings": [3], "holes": [], "checks": {}}',
     '{"key": "key", "findings": [], "holes": [3], "checks": {}}',
     '{"key": "key", "findings": [], "holes": [], "checks": []}', "[" * 100_000, "\xff"],
)  # fmt: skip
def test_a_broken_file_is_no_answer(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kept"
    path.write_text(text, "latin-1")
    assert cached.load(str(path), "key") is None
    path.unlink()
    path.mkdir()
    assert cached.load(str(path), "key") is None


def test_a_place_that_can_not_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cached.keep(str(tmp_path / "file" / "kept"), "key", FAST)


def test_a_disk_that_is_full_and_a_build_that_was_killed_leave_no_debris(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    (tmp_path / ".kept.4711.new").write_text("half")
    (tmp_path / ".other.4711.new").write_text("of another workspace")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        cached.keep(str(tmp_path / "kept"), "key", FAST)
    assert os.listdir(tmp_path) == [".other.4711.new"]
    cached.keep(str(tmp_path / "kept"), "key", FAST)
    assert sorted(os.listdir(tmp_path)) == [".other.4711.new", "kept"]
    assert cached.load(str(tmp_path / "kept"), "key") == FAST


def test_what_is_too_large_to_be_read_again_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    cached.keep(str(path), "key", FAST)
    size = path.stat().st_size
    path.unlink()
    monkeypatch.setattr(cached, "_MAX_BYTES", size - 1)
    cached.keep(str(path), "key", FAST)
    assert not path.exists()
    monkeypatch.setattr(cached, "_MAX_BYTES", size)
    cached.keep(str(path), "key", FAST)
    assert cached.load(str(path), "key") == FAST


def test_a_text_that_is_no_unicode_is_kept_as_it_is(tmp_path: Path) -> None:
    odd = Fast(({"detail": "a\udcff\x00é"},), (), {})
    cached.keep(str(tmp_path / "kept"), "key", odd)
    assert cached.load(str(tmp_path / "kept"), "key") == odd


def test_a_key_tells_its_parts_apart() -> None:
    keys = {cached.digest(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [])}
    assert len(keys) == 5


def test_the_digest_of_a_file_is_its_content_s_and_a_missing_one_has_another(tmp_path: Path) -> None:
    path = tmp_path / "Cargo.lock"
    missing = cached.content(str(path))
    path.write_text("a")
    first = cached.content(str(path))
    path.write_text("b")
    second = cached.content(str(path))
    path.unlink()
    os.mkfifo(path)
    assert len({missing, first, second}) == 3
    assert cached.content(str(path)) not in (first, second)


def test_any_change_below_a_folder_changes_its_state(tmp_path: Path) -> None:
    (tmp_path / "crates" / "x").mkdir(parents=True)
    advisory = tmp_path / "crates" / "x" / "RUSTSEC-2020-0001.md"
    states = [cached.database(str(tmp_path))]
    advisory.write_text("one")
    states.append(cached.database(str(tmp_path)))
    advisory.write_text("two")
    states.append(cached.database(str(tmp_path)))
    (tmp_path / "crates" / "y").mkdir()
    (tmp_path / "crates" / "y" / "RUSTSEC-2020-0002.md").write_text("three")
    states.append(cached.database(str(tmp_path)))
    states.append(cached.database(str(tmp_path / "none")))
    assert len(set(states)) == len(states)
    assert cached.database(str(tmp_path)) == states[-2]


def test_what_git_does_in_a_clone_changes_its_state(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "crates" / "x").mkdir(parents=True)
    states = [cached.database(str(tmp_path))]
    for path in (".git/index", "crates/x/RUSTSEC-2020-0001.md", ".git/FETCH_HEAD"):
        (tmp_path / path).write_text("new")
        states.append(cached.database(str(tmp_path)))
    assert len(set(states)) == len(states)


def test_a_folder_without_end_is_never_taken_for_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tmp_path / f"{number}" / "inner").mkdir(parents=True)
    assert cached.tree(str(tmp_path)) == cached.tree(str(tmp_path))
    monkeypatch.setattr(cached, "_MAX_ENTRIES", 10)
    assert cached.tree(str(tmp_path)) != cached.tree(str(tmp_path))


def test_a_kept_answer_imports_no_check(tmp_path: Path) -> None:
    cached.keep(str(tmp_path / "kept"), "key", FAST)
    code = (
        "import sys\nfrom sandbox.preflight import cached\nfrom sandbox.run import checked\n"
        f"assert cached.load({str(tmp_path / 'kept')!r}, 'key')\n"
        "print([n for n in sys.modules if n.startswith('sandbox.preflight.') and n != 'sandbox.preflight.cached'])"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "[]"
