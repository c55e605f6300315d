"""Reading files of a stranger, and the homes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.cargo.files import Unreadable, below, load_toml, parse_toml, read_bytes, read_text, stays_below
from sandbox.cargo.homes import cargo_home, rustup_home, user_home


def test_toml_1_1_is_understood_as_cargo_does() -> None:
    assert parse_toml('a = {\n b = 1, # why\n}\nc = "\\x41\\e"') == {"a": {"b": 1}, "c": "A\x1b"}


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfx = 1")
    assert load_toml(tmp_path / "a") == {"x": 1}


def test_bytes_that_are_no_text_are_refused_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ab\xff")
    with pytest.raises(Unreadable, match="byte 2"):
        read_text(tmp_path / "a")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/tty", "/", "/proc/self/mem"])
def test_only_regular_readable_files_are_read(path: str) -> None:
    with pytest.raises((Unreadable, FileNotFoundError)):
        read_bytes(path)


@pytest.mark.parametrize("path", ["nowhere", "file/below", "dangling", "circle", "a\0b", "x" * 300])
def test_a_missing_file_is_told_apart_from_a_bad_one(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / path)


def test_a_file_that_claims_to_be_empty_is_still_limited() -> None:
    assert read_bytes("/proc/self/status")
    with pytest.raises(Unreadable, match="larger than 10 bytes"):
        read_bytes("/proc/self/status", 10)


@pytest.mark.parametrize(
    "text", ["a = " + "1" * 10_000, "a = " + "[" * 100_000, ".".join("a" * 2000) + "=1", "a = 1\na = 2"]
)
def test_absurd_toml_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="invalid TOML"):
        parse_toml(text)


def test_below_goes_by_whole_names() -> None:
    assert below("/a/b", "/a")
    assert below("/a", "/a")
    assert below("/a", "/")
    assert not below("/ab", "/a")


def test_a_link_that_leads_out_does_not_stay_below(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/up").symlink_to(tmp_path)
    (tmp_path / "in/file").symlink_to("other")
    assert stays_below(tmp_path / "in/file", tmp_path / "in")
    assert not stays_below(tmp_path / "in/up", tmp_path / "in")


def test_homes_follow_the_variables_then_the_user() -> None:
    env = {"HOME": "/h"}
    assert cargo_home(env, Path("/w")) == Path("/h/.cargo")
    assert rustup_home(env, Path("/w")) == Path("/h/.rustup")
    assert cargo_home(env | {"CARGO_HOME": "/c"}, Path("/w")) == Path("/c")
    assert cargo_home(env | {"CARGO_HOME": "../c"}, Path("/w/x")) == Path("/w/c")
    assert cargo_home(env | {"CARGO_HOME": ""}, Path("/w")) == Path("/h/.cargo")
    assert user_home({}).is_absolute()
    assert os.path.isdir(user_home({}))


@pytest.mark.parametrize("name", ["a\0b", "\udcff\0", "\0"])
def test_what_can_be_no_path_stays_below_nothing(tmp_path: Path, name: str) -> None:
    assert not stays_below(tmp_path / name, tmp_path)
