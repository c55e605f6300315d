"""The words of `sbom` and `tree`, and both on a lock file alone, for which nothing is resolved."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sandbox.cli import inventory as gathering
from sandbox.cli import sbom, tree
from sandbox.cli.main import main
from sandbox.cli.options import Settings
from sandbox.errors import UsageError
from sandbox.preflight.model import Answer, finding
from tests.unit.preflight.inventory.made import locked

LOCK = """\
version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = ["csbench-a"]

[[package]]
name = "csbench-a"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    path = tmp_path / "project" / "Cargo.lock"
    path.parent.mkdir()
    path.write_text(LOCK)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return str(path)


def test_a_lock_file_alone_gives_a_document_and_says_what_is_unknown(
    lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sbom", "--lock", lock]) == 0
    first = capsys.readouterr().out
    data = json.loads(first)
    assert data["metadata"]["component"]["name"] == "project"
    assert data["metadata"]["timestamp"] == "2020-09-13T12:26:40+00:00"
    notes = [one["value"] for one in data["metadata"]["properties"]]
    assert any("not resolved" in note for note in notes) and "no run recorded" in notes
    assert main(["sbom", "--lock", lock]) == 0
    assert capsys.readouterr().out == first


def test_the_time_of_a_document_may_be_given(
    lock: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert main(["sbom", "--lock", lock, "--format", "spdx-json"]) == 0
    assert json.loads(capsys.readouterr().out)["creationInfo"]["created"] == "1970-01-01T00:00:01Z"


@pytest.mark.parametrize("text", ["-1", "1.5", "now", "9" * 12, "253402300800", "\u0661"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        gathering.source_date({"SOURCE_DATE_EPOCH": text})


def test_the_last_second_that_can_be_written_is_taken() -> None:
    assert gathering.source_date({"SOURCE_DATE_EPOCH": "253402300799"}) == 253402300799
    assert gathering.source_date({}) is gathering.source_date({"SOURCE_DATE_EPOCH": ""}) is None


@pytest.mark.parametrize(
    ("name", "begins"), [("x.xml", "<?xml"), ("x.spdx.json", '{\n  "spdxVersion"'), ("x.json", "{"), ("x", "{")]
)
def test_a_files_name_tells_the_format(lock: str, tmp_path: Path, name: str, begins: str) -> None:
    assert main(["sbom", f"--lock={lock}", "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text().startswith(begins)


def test_a_document_is_not_written_through_a_link(
    lock: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "x.json").symlink_to("mine")
    assert main(["sbom", "--lock", lock, "--output", str(tmp_path / "x.json")]) == 2
    assert "can't be written" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [
        ["sbom", "x"], ["sbom", "--format", "spdx"], ["sbom", "--format"], ["sbom", "--nope"], ["sbom", "--lock="],
        ["sbom", "--output="], ["sbom", "--", "x"], ["tree", "x"], ["tree", "--only", "all"], ["tree", "--depth", "-1"],
        ["tree", "--depth", "x"], ["tree", "-p", "a", "--invert", "b"], ["tree", "-p", "a", "-p", "b"], ["tree", "-p="],
        ["tree", "--lock="], ["tree", "--nope"], ["tree", "--", "x"],
    ],
)  # fmt: skip
def test_words_that_are_not_understood_are_refused_before_anything_is_done(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert "  = help: " in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "this is no TOML", "version = 9", "package = 7"])
def test_a_lock_file_that_is_missing_or_broken_is_a_clear_error(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Cargo.lock"
    if content is not None:
        path.write_text(content)
    for verb in ("sbom", "tree"):
        assert main([verb, "--lock", str(path)]) == 101
        assert "Cargo.lock" in capsys.readouterr().err


def test_the_tree_of_a_lock_file(lock: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", "--lock", lock]) == 0
    out = capsys.readouterr().out
    assert out.startswith("app 0.1.0 [path]\n└── csbench-a 1.0.0\n")
    assert "note: not resolved" in out and "were not checked here" in out
    assert main(["tree", "--lock", lock, "--invert", "csbench-a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["starts"] == ["csbench-a@1.0.0"]
    assert main(["tree", "--lock", lock, "--licences"]) == 0
    assert "not known:\n    2  not resolved" in capsys.readouterr().out
    assert main(["tree", "--lock", lock, "--only", "macros"]) == 2
    assert "tells neither build scripts" in capsys.readouterr().err


def test_answers_that_are_passed_in_are_in_both(lock: str, capsys: pytest.CaptureFixture[str]) -> None:
    package = locked()[0]._replace(name="csbench-a", version="1.0.0")
    answers = (
        Answer("advisories", "done", (finding("CS0550", package, "MAL-0000-0000"),)),
        Answer("names", "not done", why="no list"),
    )
    assert tree.run(["--lock", lock], Settings(), answers) == 0
    out = capsys.readouterr().out
    assert "csbench-a 1.0.0 [CS0550 critical]" in out and "note: names: not done: no list" in out
    assert "were not checked here" not in out
    assert sbom.run(["--lock", lock], Settings(), answers) == 0
    assert "CS0550 critical" in capsys.readouterr().out
