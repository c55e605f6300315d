"""Every format tells the same of one frozen result. Golden files: tests/golden/report; CARGO_SANDBOX_GOLDEN=write
makes them anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sandbox.report
from sandbox.errors import UsageError
from sandbox.report import json_v1, sarif
from sandbox.report.formats import FORMATS, Target, parse_target, renderer
from tests.unit.report import results
from tests.unit.report.results import CONTEXT, DIFFERENT, hostile, hostile_context

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "report"
SCHEMA: dict[str, Any] = json.loads(
    (Path(sandbox.report.__file__).parent / "schema" / "report-v1.schema.json").read_text()
)
VALID = jsonschema.Draft202012Validator(SCHEMA)
ENDING = {"terminal": "txt", "json": "json", "sarif": "sarif", "markdown": "md"}


@pytest.mark.parametrize("kind", ["clean", "drift", "incomplete", "nothing-seen", "violation"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_report_is_its_golden_file(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_v1, sarif):
        monkeypatch.setattr(module, "__version__", "1.2.3")
    text = renderer(name)(DIFFERENT[kind], CONTEXT) + "\n"
    file = GOLDEN / f"{kind}.{ENDING[name]}"
    if os.environ.get("CARGO_SANDBOX_GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("pair", list(combinations(DIFFERENT, 2)), ids=" ".join)
def test_no_two_kinds_of_answer_look_alike(name: str, pair: tuple[str, str]) -> None:
    one, other = (renderer(name)(DIFFERENT[kind], CONTEXT) for kind in pair)
    assert one != other


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("incomplete", "3 events were lost"),
        ("no-baseline", "no baseline"),
        ("some-without-baseline", "no baseline for 7 units"),
        ("cut-short", "cargo ended with code 101"),
        ("nothing-seen", "nothing was built, and nothing was fresh"),
        ("violation", "the build was stopped at once because of csbench-fetch 0.1.0"),
    ],
)
@pytest.mark.parametrize("name", ["terminal", "sarif", "markdown"])
def test_what_is_less_than_clean_is_said_in_words(name: str, kind: str, words: str) -> None:
    assert words in renderer(name)(DIFFERENT[kind], CONTEXT)
    assert words not in renderer(name)(results.CLEAN, CONTEXT)


def test_json_keeps_the_four_answers_apart() -> None:
    def answers(kind: str) -> tuple[object, ...]:
        data = json_v1.data(DIFFERENT[kind], CONTEXT)
        return data["verdict"], data["seen"]["extent"], data["record"]["whole"], data["baseline"]["units_without"]

    assert answers("clean") == ("clean", "all", True, 0)
    assert answers("no-baseline") == ("clean", "all", True, None)
    assert answers("some-without-baseline") == ("clean", "all", True, 7)
    assert answers("cut-short") == ("clean", "part", True, 0)
    assert answers("nothing-seen") == ("clean", "nothing", True, 0)
    assert answers("incomplete") == ("incomplete", "all", False, 0)
    assert answers("violation") == ("violation", "part", True, None)


@pytest.mark.parametrize("kind", DIFFERENT)
def test_json_is_what_its_schema_says_and_nothing_else(kind: str) -> None:
    data = json.loads(renderer("json")(DIFFERENT[kind], CONTEXT))
    VALID.validate(data)
    for part, schema in _objects(data, SCHEMA):
        assert set(part) == set(schema["properties"]), "the schema has to tell of every field"


@pytest.mark.parametrize(
    "break_it",
    [
        lambda data: data.pop("seen"),
        lambda data: data["seen"].update(extent="part", why=None),
        lambda data: data["record"].update(whole=False),
        lambda data: data["baseline"].update(units_without=None),
        lambda data: data.update(verdict="fine"),
        lambda data: data["run"].update(id="a\x1b[2J"),
    ],
)
def test_the_schema_refuses_answers_that_contradict_themselves(break_it: Any) -> None:
    data = json_v1.data(results.CLEAN, CONTEXT)
    break_it(data)
    assert not VALID.is_valid(data)


@given(st.text(max_size=40))
def test_no_text_of_a_build_breaks_json_or_reaches_a_terminal(text: str) -> None:
    written = renderer("json")(hostile(text), hostile_context(text))
    assert written.isascii()
    data = json.loads(written)
    VALID.validate(data)
    assert "\x1b" not in json.dumps(data, ensure_ascii=False)


@given(st.text(max_size=40))
def test_no_text_of_a_build_adds_a_line_to_the_terminal_s_report(text: str) -> None:
    forged = renderer("terminal")(hostile(text or "x"), hostile_context(text or "x"))
    assert len(forged.splitlines()) == len(renderer("terminal")(hostile("x"), hostile_context("x")).splitlines())


def test_a_record_from_before_there_were_baselines_was_not_compared() -> None:
    old = {name: value for name, value in results.CLEAN.to_json().items() if name != "no_baseline"}
    assert results.RunResult.from_json(old) == results.NO_BASELINE


def test_a_file_s_ending_or_a_word_before_it_tells_the_format() -> None:
    assert parse_target("out/a.json") == ("json", "out/a.json")
    assert parse_target("a.sarif") == parse_target("sarif:a.sarif") == ("sarif", "a.sarif")
    assert parse_target("a.sarif.json") == ("sarif", "a.sarif.json")
    assert parse_target("summary.md") == ("markdown", "summary.md")
    assert parse_target("markdown:/run/summary") == Target("markdown", "/run/summary")
    assert parse_target("json:a:b") == ("json", "a:b")
    assert parse_target("./odd:name.md") == ("markdown", "./odd:name.md")


@pytest.mark.parametrize("text", ["report", "a.txt", "yaml:a.json", "sarif:", ".json", "a/.md", "", ":"])
def test_a_format_that_nobody_can_tell_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert "formats: terminal, json, sarif, markdown" in caught.value.hint


def test_a_build_imports_no_format_but_the_terminal_s() -> None:
    script = (
        "import sys, sandbox.cli.main, sandbox.run.build, sandbox.run.live\n"
        "from sandbox.cli.options import parse\n"
        "parse(['--deny', 'low', 'build'], {})\n"
        "loaded = {name for name in sys.modules if name.startswith('sandbox.report.')}\n"
        "assert not loaded & {'sandbox.report.' + name for name in ('sarif', 'markdown', 'json_v1', 'seen')}, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def _objects(data: Any, schema: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if isinstance(data, list):
        return [pair for item in data for pair in _objects(item, schema["items"])]
    if not isinstance(data, dict) or "properties" not in schema:
        return []
    inner = [pair for name, part in data.items() for pair in _objects(part, schema["properties"].get(name, {}))]
    return [(data, schema), *inner]
