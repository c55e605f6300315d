"""Vendored folders and the checksums in them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.preflight.integrity import checkouts, vendored
from sandbox.preflight.model import Answer
from tests.unit.preflight.integrity.homes import digest
from tests.unit.preflight.sources.make import SUM, codes, details, locked, subject

TREE = '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n'
FILES = {"Cargo.toml": b'[package]\nname = "csbench-x"\nversion = "1.2.0"\n', "src/lib.rs": b"pub fn one() {}\n"}


def look(tmp_path: Path, change: Callable[[Path], object], said: object = SUM, sums: object = None) -> Answer:
    looked_at = subject(tmp_path, locked("csbench-x"), locked("csbench-own", source=None), tree=TREE)
    folder = tmp_path / "ws/vendor/csbench-x"
    (folder / "src").mkdir(parents=True)
    for path, content in FILES.items():
        (folder / path).write_bytes(content)
    files = {path: digest(content) for path, content in FILES.items()} if sums is None else sums
    (folder / vendored.SUMS).write_text(json.dumps({"files": files, "package": said}))
    change(folder)
    return vendored.run(looked_at)


def nothing(_: Path) -> None:
    pass


def test_what_cargo_vendored_is_clean(tmp_path: Path) -> None:
    answer = look(tmp_path, nothing)
    assert (answer.state, answer.findings, answer.looked_at) == ("done", (), 3)
    assert "beside them" in answer.notes[0]


def test_differences_are_listed(tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        (folder / "src/lib.rs").write_bytes(b"pub fn two() {}\n")
        (folder / "build.rs").write_bytes(b"")
        (folder / "link").symlink_to("src")

    (found,) = look(tmp_path, change).findings
    assert found.code == "CS0511" and found.tree == ("changed src/lib.rs", "added build.rs", "added link")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    (found,) = look(tmp_path, lambda folder: (folder / "src/lib.rs").unlink()).findings
    assert found.tree == ("missing src/lib.rs",)


@pytest.mark.parametrize("said", ["cd" * 32, None, 1])
def test_another_package_than_the_lock_file_s_is_told(tmp_path: Path, said: object) -> None:
    answer = look(tmp_path, nothing, said)
    assert codes(answer) == ["CS0510"] and SUM in details(answer)


def test_a_package_that_is_not_there_is_not_done(tmp_path: Path) -> None:
    answer = look(tmp_path, lambda folder: (folder / "Cargo.toml").write_bytes(b"[package]\nname = 'y'\n"))
    assert answer.state == "not done" and "csbench-x 1.2.0 is not in" in answer.why


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / vendored.SUMS).unlink(),
        lambda folder: (folder / vendored.SUMS).write_text("[1]"),
        lambda folder: (folder / vendored.SUMS).write_text("{}"),
        lambda folder: (folder / vendored.SUMS).write_text('{"files": []}'),
        lambda folder: (folder / vendored.SUMS).write_text("[" * 100_000),
        lambda folder: fifo(folder / vendored.SUMS),
        lambda folder: fifo(folder / "Cargo.toml"),
    ],
)
def test_broken_checksums_are_not_done(tmp_path: Path, change: Callable[[Path], object]) -> None:
    assert look(tmp_path, change).state == "not done"


def test_checksums_of_files_elsewhere_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "ws").rmdir()
    (found,) = look(tmp_path, nothing, SUM, {"../../../secret": digest(b"x"), "src/lib.rs": 1}).findings
    assert "missing ../../../secret" in found.tree and "changed src/lib.rs" in found.tree


def test_without_a_vendored_source_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert vendored.run(subject(tmp_path, locked("csbench-x"))) == Answer("vendored", "done", unit="files")


def test_a_folder_that_is_not_there_is_not_done(tmp_path: Path) -> None:
    assert vendored.run(subject(tmp_path, locked("csbench-x"), tree=TREE)).state == "not done"


GIT = "git+https://git.invalid/x?branch=main#" + "0" * 40
GIT_TREE = """[source."git+https://git.invalid/x?branch=main"]
git = "https://git.invalid/x"
branch = "main"
replace-with = "v"
[source.v]
directory = "vendor"
"""


def test_vendored_packages_from_git_are_looked_at_and_not_asked_for_a_checkout(tmp_path: Path) -> None:
    looked_at = subject(tmp_path, locked("csbench-x", "1.2.0", GIT, checksum=None), tree=GIT_TREE)
    assert vendored.run(looked_at).state == "not done"
    folder = tmp_path / "ws/vendor/csbench-x"
    (folder / "src").mkdir(parents=True)
    for path, content in FILES.items():
        (folder / path).write_bytes(content)
    sums = {path: digest(content) for path, content in FILES.items()}
    (folder / vendored.SUMS).write_text(json.dumps({"files": sums, "package": None}))
    clean = vendored.run(looked_at)
    assert (clean.state, clean.findings, clean.looked_at) == ("done", (), 3)
    (folder / "src/lib.rs").write_bytes(b"evil")
    assert codes(vendored.run(looked_at)) == ["CS0511"]
    answer = checkouts.run(looked_at)
    assert answer.state == "done" and answer.notes == ("1 packages from git are vendored, and not looked at here",)
