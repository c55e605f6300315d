"""What a package carries besides sources."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.preflight.reader import payload
from sandbox.preflight.reader.payload import examine, form_of

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0" + bytes(46)
PE = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + bytes(60)


@pytest.mark.parametrize(
    ("head", "form", "what"),
    [
        (ELF, "executable", "ELF"),
        (ELF[:16] + b"\x01\0" + ELF[18:], "library", "an ELF object"),
        (PE, "executable", "PE"),
        (b"\xcf\xfa\xed\xfe" + bytes(8) + b"\x02\0\0\0", "executable", "Mach-O"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02" + bytes(40), "executable", "Mach-O (universal)"),
        (b"\xca\xfe\xba\xbe\0\0\0\x3d" + bytes(40), "executable", "a Java class"),
        (b"\0asm\x01\0\0\0", "executable", "WebAssembly"),
        (b"!<arch>\n/ ", "library", "a static library"),
        (b"!<arch>\ndebian-binary   ", "archive", "a Debian package"),
        (b"\x64\x86\x02\0" + bytes(16) + b".text\0\0\0", "library", "a COFF object"),
        (b"PK\x03\x04" + bytes(30), "archive", "an archive"),
        (bytes(257) + b"ustar\0", "archive", "an archive"),
        (b"MZ is how this text begins", "text", "text"),
        ("ein längerer Text".encode(), "text", "text"),
        ("latin: é".encode("latin-1"), "text", "text"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary", "data or media"),
        (b"", "text", "text"),
    ],
)
def test_the_first_bytes_tell_the_form(head: bytes, form: str, what: str) -> None:
    assert form_of(head, len(head)) == (form, what)


def test_a_script_is_one_when_it_may_be_started(tmp_path: Path) -> None:
    assert form_of(b"#!/bin/sh\nexit 0\n", 17, 0o755) == ("script", "/bin/sh")
    assert form_of(b"#!/bin/sh\nexit 0\n", 17, 0o644) == ("text", "text")
    assert form_of(b"#![allow(x)]\n", 13, 0o755) == ("text", "text")


def test_carried_files_are_listed_with_size_and_digest_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/lib.rs").write_bytes(ELF)
    (tmp_path / "src/main.rs").write_text("fn main() {}")
    blob = random.Random(5).randbytes(payload.BLOB_SIZE + 1)
    (tmp_path / "good-large.bin").write_bytes(blob)
    (tmp_path / "small.bin").write_bytes(blob[: payload.BLOB_SIZE])
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"x"))
    found = {one.path: one for one in examine(str(tmp_path)).files}
    assert {path: one.form for path, one in found.items()} == {
        "src/lib.rs": "executable", "good-large.bin": "blob", "x.gz": "archive"
    }  # fmt: skip
    assert found["good-large.bin"].digest == hashlib.sha256(blob).hexdigest()
    assert found["src/lib.rs"].size == len(ELF)


def test_links_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "program").write_bytes(ELF)
    (tmp_path / "p/link").symlink_to(tmp_path / "program")
    (tmp_path / "p/circle").symlink_to(tmp_path / "p")
    os.mkfifo(tmp_path / "p/fifo")
    assert examine(str(tmp_path / "p")).files == []


def test_packages_within_a_tree_speak_for_themselves_but_not_within_an_unpacked_package(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "Cargo.toml").write_text("")
    (inner / "program").write_bytes(ELF)
    assert examine(str(tmp_path)).files == []
    (tmp_path / ".cargo-ok").write_text("{}")
    assert [one.path for one in examine(str(tmp_path)).files] == ["inner/program"]


def test_an_unpacked_package_hides_nothing_in_folders_of_builds(tmp_path: Path) -> None:
    for name in (".git", "target", "node_modules"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "program").write_bytes(ELF)
    assert examine(str(tmp_path)).files == []
    (tmp_path / ".cargo-ok").write_text("{}")
    assert len(examine(str(tmp_path)).files) == 3


def test_too_many_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text("")
    cargo = examine(str(tmp_path))
    assert cargo.undone == ["more than 2 files"] and cargo.looked_at == 2


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    assert examine(str(tmp_path / "gone")).undone == [".: No such file or directory"]


@given(st.binary(max_size=300), st.integers(0, 1 << 40), st.integers(0, 0o7777))
def test_no_bytes_break_the_look_at_a_file(head: bytes, size: int, mode: int) -> None:
    form_of(head, size, mode)
