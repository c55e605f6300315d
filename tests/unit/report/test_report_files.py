"""Reports in files: whole or not at all, never elsewhere than asked, and never at the cost of the run."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.cli import report as verb
from sandbox.cli.main import main
from sandbox.cli.options import Settings, parse
from sandbox.errors import ReportError, UsageError
from sandbox.report import write
from sandbox.report.formats import Target
from sandbox.trace.store import RunStore
from tests.unit.report import results
from tests.unit.report.results import CONTEXT, VIOLATION


def opened(path: Path | str, *built: str, format: str = "json") -> write.Destination:
    (destination,) = write.open_all([Target(format, str(path))], built)
    return destination


def test_a_report_replaces_an_older_one_whose_file_is_gone_when_the_build_starts(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("clean, long ago")
    destination = opened(file)
    assert not file.exists()
    destination.write("{}")
    assert file.read_text() == "{}\n" and os.listdir(tmp_path) == ["a.json"]


def test_a_build_that_swaps_the_folder_for_a_link_moves_no_report(tmp_path: Path) -> None:
    (tmp_path / "target" / "out").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    destination = opened(tmp_path / "target" / "out" / "a.json", str(tmp_path / "target"))
    (tmp_path / "target" / "out").rename(tmp_path / "target" / "moved")
    (tmp_path / "target" / "out").symlink_to(tmp_path / "home")
    destination.write("{}")
    assert os.listdir(tmp_path / "home") == []
    assert os.listdir(tmp_path / "target" / "moved") == ["a.json"]


def test_a_build_that_puts_a_link_in_the_report_s_place_loses_the_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    destination = opened(tmp_path / "a.json")
    (tmp_path / "a.json").symlink_to(precious)
    destination.write("{}")
    assert precious.read_text() == "mine" and (tmp_path / "a.json").read_text() == "{}\n"


def test_a_link_that_an_earlier_build_left_in_the_target_dir_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "target" / "out").symlink_to(tmp_path / "home")
    (tmp_path / "other").symlink_to(tmp_path)
    for way in (tmp_path, tmp_path / "other", tmp_path / "other" / "other"):
        with pytest.raises(ReportError, match="a link leads out of a folder"):
            opened(way / "target" / "out" / "a.json", str(tmp_path / "target"))
    with pytest.raises(ReportError, match="a link leads out of a folder"):
        opened(tmp_path / "target" / "out" / "a.json", str(tmp_path / "elsewhere"), str(tmp_path / "target"))
    opened(tmp_path / "other" / "home" / "a.json", str(tmp_path / "target")).write("{}")


@pytest.mark.parametrize("what", ["link", "pipe", "folder", "missing folder", "file as folder", "slash"])
def test_what_is_no_place_for_a_file_is_told_before_anything_runs(tmp_path: Path, what: str) -> None:
    file = tmp_path / "a.json"
    if what == "link":
        (tmp_path / "b").write_text("mine")
        file.symlink_to(tmp_path / "b")
    elif what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "missing folder":
        file = tmp_path / "no" / "a.json"
    elif what == "file as folder":
        file.write_text("mine")
        file = file / "a.json"
    path = f"{tmp_path}/x.json/" if what == "slash" else str(file)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ReportError, match="can't be written") as caught:
        opened(path)
    assert caught.value.exit_code == 2 and sorted(os.listdir(tmp_path)) == before


def test_a_device_is_left_alone() -> None:
    for device in ("/dev/null", "/dev/stdout"):
        with pytest.raises(ReportError, match="no regular file"):
            opened(device)
        assert os.path.lexists(device)


def test_two_reports_can_t_have_one_file(tmp_path: Path) -> None:
    targets = [Target("json", str(tmp_path / "a.json")), Target("sarif", str(tmp_path / "." / "a.json"))]
    with pytest.raises(ReportError, match="another report goes to the same file"):
        write.open_all(targets, ())


def test_a_report_that_can_t_be_written_is_told_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = [Target("sarif", str(tmp_path / "a\x1b[2J.sarif")), Target("json", str(tmp_path / "b.json"))]
    destinations = write.open_all(targets, ())
    (tmp_path / "a\x1b[2J.sarif").mkdir()
    assert write.write_all(destinations, VIOLATION, CONTEXT) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "error: the report" in told.err and "Is a directory" in told.err and "\x1b" not in told.err
    assert json.loads((tmp_path / "b.json").read_text())["verdict"] == "violation"
    assert sorted(os.listdir(tmp_path)) == ["a\x1b[2J.sarif", "b.json"]


def test_a_bug_in_a_format_ends_neither_the_others_nor_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CARGO_SANDBOX_DEBUG", raising=False)
    monkeypatch.setattr("sandbox.report.sarif.render", lambda result, context: 1 / 0)
    targets = [Target("sarif", str(tmp_path / "a.sarif")), Target("json", str(tmp_path / "b.json"))]
    assert write.write_all(write.open_all(targets, ()), VIOLATION, CONTEXT) == 1
    assert "this is our bug" in capsys.readouterr().err and os.listdir(tmp_path) == ["b.json"]


def test_the_option_may_be_repeated_and_has_a_variable() -> None:
    settings, _ = parse(["--report", "a.json", "--report=markdown:out", "build"], {})
    assert settings.report == (("json", "a.json"), ("markdown", "out"))
    settings, _ = parse(["build"], {"CARGO_SANDBOX_REPORT": "a.json,sarif:out"})
    assert settings.report == (("json", "a.json"), ("sarif", "out"))
    with pytest.raises(UsageError, match="--report"):
        parse(["--report", "a.txt", "build"], {})


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    writer = RunStore().create(datetime(2026, 11, 20, tzinfo=UTC))
    with writer:
        writer.write_header({"argv": ["cargo-sandbox", "build"], "cwd": "/ws", "workspace": "/ws", "versions": {}})
        writer.write_plan({"target_dir": str(tmp_path / "target")})
        chains = [{"package": "csbench-fetch", "version": "0.1.0", "manifest_dir": "/home/ann/ws/fetch",
                   "chain": ["a 1", "csbench-fetch 0.1.0"], "line": 7, "width": 17}]  # fmt: skip
        writer.finish(VIOLATION.to_json() | {"run": writer.id, "chains": chains, "anchor": "Cargo.lock"})
    return writer.id


def test_a_stored_run_s_report_goes_to_standard_output_or_a_file(
    stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "last", "--format", "json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["findings"][0]["location"] == {"file": "Cargo.lock", "line": 7}
    file = tmp_path / "a.json"
    assert main(["report", stored, f"--output={file}"]) == 0
    assert file.read_text() == printed and capsys.readouterr().out == ""
    assert main(["report", stored]) == 0
    assert f"run {stored}" in capsys.readouterr().out.splitlines()[-1]


def test_a_report_of_a_stored_run_does_not_follow_links_of_its_target_dir(
    stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "out").symlink_to(tmp_path)
    assert main(["report", stored, "--output", str(tmp_path / "target" / "out" / "a.json")]) == 2
    assert "a link leads out of a folder" in capsys.readouterr().err


def test_a_run_without_a_result_is_incomplete_in_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with RunStore().create(datetime(2026, 11, 20, tzinfo=UTC)) as writer:
        writer.write_header({"argv": [], "cwd": "/", "versions": {}})
        writer.finding(results.MACRO.to_json())
    with RunStore().open("last") as reader:
        result = verb.result_of(reader)
    assert result.verdict == "incomplete" and result.findings == (results.MACRO,)


@pytest.mark.parametrize(
    "words",
    [[], ["a", "b"], ["--format"], ["a", "--format", "pdf"], ["a", "--nonsense"], ["a", "--output", "a.txt"]],
)
def test_what_is_not_understood_is_a_usage_error_with_a_hint(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        verb.run(words, Settings())
    assert caught.value.hint
