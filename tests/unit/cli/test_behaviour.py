"""`runs behaviour`: printing what the units of a stored run did."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from sandbox.behaviour.canonical import schema
from sandbox.cli.main import main
from sandbox.trace.store import RunStore
from tests.unit.behaviour.made import Build


@pytest.fixture
def run_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run with one odd exec."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return stored(Build().act("exec", path="/tmp/\x1b]0;x\x07", argv=["x"]))


def stored(build: Build, finished: bool = True) -> str:
    with RunStore().create(datetime.now().astimezone()) as writer:
        writer.write_header({"argv": ["cargo-sandbox", "build"], "cwd": build.ws, "workspace": build.ws})
        writer.write_plan(build.plan())
        for record in build.units():
            writer.unit(json.dumps(record).encode() + b"\n")
        writer.events(b"".join(json.dumps(event).encode() + b"\n" for event in build.events))
        if finished:
            writer.finish({"exit_code": 0, "verdict": "clean", "completeness": {"reasons": []}})
    return writer.id


def test_a_run_is_shown_to_people_without_what_moves_the_cursor(
    run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "behaviour", run_id]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x07" not in out
    assert "script evil 1.0.0" in out
    assert "exec $TMP/\\x1b]0;x\\x07" in out
    assert "not whole" not in out


def test_its_json_fits_the_schema_and_is_plain_ascii(run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "behaviour", "last", "--json"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    data = json.loads(out)
    jsonschema.Draft202012Validator(schema()).validate(data)
    assert data["run"] == run_id
    assert [unit["role"] for unit in data["units"]] == ["rustc", "script"]


def test_one_package_may_be_asked_for(run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "behaviour", run_id, "--json", "evil"]) == 0
    assert len(json.loads(capsys.readouterr().out)["units"]) == 2
    assert main(["runs", "behaviour", run_id, "nobody"]) == 2
    assert "no unit of nobody" in capsys.readouterr().err


def test_a_run_that_did_not_finish_is_not_called_whole(run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = stored(Build(), finished=False)
    assert main(["runs", "behaviour", other]) == 0
    out = capsys.readouterr().out
    assert "the record is not whole: the run is interrupted" in out
    assert "network    (not whole" in out
    assert run_id != other


@pytest.mark.parametrize("words", [[], ["a", "b", "c"], ["--nonsense", "last"]])
def test_what_is_not_understood_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "behaviour", *words]) == 2
    assert "runs behaviour RUN" in capsys.readouterr().err
