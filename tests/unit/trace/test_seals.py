"""Seals hold while nothing changed, and name the unit whose output did."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.trace.events import stored
from sandbox.trace.seals import SealBreak, SealError, check_seals, escape, seal_text, unescape, with_times


def output(path: Path, digest: bool = False) -> dict[str, Any]:
    """An output as a unit's end record gives it."""
    now = path.lstat()
    return {
        "path": stored(os.fsencode(path)),
        "ino": now.st_ino,
        "size": now.st_size,
        "mtime_ns": now.st_mtime_ns,
        "ctime_ns": now.st_ctime_ns,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest() if digest else None,
    }


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_any_path_is_escaped_into_one_clean_field_and_back(path: bytes) -> None:
    text = escape(stored(path))
    assert not set(text) & {"\t", "\n", "\0"}
    assert text.isprintable() or not text.isascii()
    assert text.encode()
    assert os.fsencode(unescape(text.encode())) == path
    assert json.loads(json.dumps(text)) == text


def test_control_characters_backslashes_and_foreign_bytes_are_escaped() -> None:
    assert escape("/a\tb\nc\\d\x7f é") == r"/a\x09b\x0ac\x5cd\x7f é"
    assert escape(stored(b"/a\xff")) == r"/a\xff"


@pytest.mark.parametrize(
    "change",
    [
        {"path": None}, {"path": ""}, {"path": {"b64": "!"}}, {"ino": "x"}, {"size": None},
        {"sha256": "beef"}, {"sha256": "a" * 63 + "\t"}, {"path": "/\ud800"},
    ],
)  # fmt: skip
def test_a_malformed_output_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(ValueError, match="malformed"):
        seal_text([output(tmp_path / "a") | change])
    with pytest.raises(ValueError, match="malformed"):
        seal_text([{"path": "/a"}])


def test_untouched_outputs_hold(tmp_path: Path, guard: Path) -> None:
    names = ["plain", "tab\tbed", "line\nbreak", "back\\slash", "é", os.fsdecode(b"\xff\xfe")]
    for name in names:
        (tmp_path / name).write_text(name, errors="surrogateescape")
    (tmp_path / "link").symlink_to("nowhere")
    text = seal_text([*(output(tmp_path / name, digest=True) for name in names), output(tmp_path / "link")])
    assert text.count("\n") == len(names) + 1
    assert check_seals(guard, {"k": text}) == ([], {})


def test_a_changed_and_a_missing_output_are_charged_to_their_units(tmp_path: Path, guard: Path) -> None:
    first, second, third = (tmp_path / os.fsdecode(name) for name in (b"one", b"two\xff", b"three"))
    for path in (first, second, third):
        path.write_text("as it was")
    seals = {
        "a": seal_text([output(first), output(third)]),
        "b": seal_text([output(second)]),
        "c": seal_text([output(third)]),
    }
    second.write_text("as it is")
    third.unlink()
    assert check_seals(guard, seals).broken == [
        SealBreak("a", str(third), "missing"),
        SealBreak("b", str(second), "changed"),
        SealBreak("c", str(third), "missing"),
    ]


def test_a_hard_link_moves_ctime_and_holds_only_with_a_digest(tmp_path: Path, guard: Path) -> None:
    for name in ("sealed", "bare"):
        (tmp_path / name).write_text("content")
    seals = {
        "sealed": seal_text([output(tmp_path / "sealed", digest=True)]),
        "bare": seal_text([output(tmp_path / "bare")]),
    }
    for name in seals:
        os.link(tmp_path / name, tmp_path / f"{name}.link")
    broken, moved = check_seals(guard, seals)
    assert broken == [SealBreak("bare", str(tmp_path / "bare"), "changed")]
    state = (tmp_path / "sealed").lstat()
    assert moved == {str(tmp_path / "sealed"): f"{state.st_mtime_ns}\t{state.st_ctime_ns}"}
    assert check_seals(guard, {"sealed": with_times(seals["sealed"], moved)}) == ([], {})


def test_a_link_that_cargo_itself_was_seen_to_make_is_forgiven(tmp_path: Path, guard: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_text("content")
    seals = {"bare": seal_text([output(bare)])}
    os.link(bare, tmp_path / "link")
    broken, moved = check_seals(guard, seals, {str(bare)})
    assert broken == []
    assert check_seals(guard, {"bare": with_times(seals["bare"], moved)}) == ([], {})
    bare.write_text("more content")
    assert [found.what for found in check_seals(guard, seals, {str(bare)}).broken] == ["changed"]


def test_new_ctimes_reach_the_paths_they_belong_to_and_no_others(tmp_path: Path) -> None:
    names = ["plain", "line\u2028separator", "tab\tbed", "next\x85line"]
    for name in names:
        (tmp_path / name).write_text(name)
    before = seal_text(output(tmp_path / name) for name in names)
    assert with_times(before, {}) == before
    after = with_times(before, {escape(str(tmp_path / name)): "6\t7" for name in names[1:3]})
    lines = [line.split("\t") for line in after.split("\n")[:-1]]
    assert [line[3] == "7" for line in lines] == [False, True, True, False]
    old = {line.split("\t")[5]: "\t".join(line.split("\t")[2:4]) for line in before.split("\n")[:-1]}
    assert with_times(after, old) == before


def test_nothing_to_check_starts_no_program() -> None:
    assert check_seals("/nonexistent", {}) == ([], {})
    assert check_seals("/nonexistent", {"k": ""}) == ([], {})


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('broken guard')", "broken guard"),
        ("import sys; sys.exit(3)", "status 3"),
        ("print('changed\\t/other')", "not asked for"),
        ("print('all is well')", "not understood"),
        ("print('changed\\t')", "not understood"),
        ("print('moved soon\\t/path')", "not understood"),
        ("print('moved 5 6\\t')", "not understood"),
    ],
)
def test_a_guard_that_fails_or_talks_nonsense_is_not_believed(tmp_path: Path, program: str, words: str) -> None:
    fake = tmp_path / "guard"
    fake.write_text(f"#!{sys.executable}\n{program}\n")
    fake.chmod(0o755)
    with pytest.raises(SealError, match=words):
        check_seals(fake, {"k": "1\t1\t1\t1\t-\t/path\n"})


def test_a_missing_guard_is_an_error() -> None:
    with pytest.raises(SealError, match="can't be checked"):
        check_seals("/nonexistent/guard", {"k": "1\t1\t1\t1\t-\t/path\n"})
