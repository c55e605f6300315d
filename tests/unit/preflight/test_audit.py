"""What the checks come to together: done, not done and failed stay apart, in every report and in the exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest

from sandbox.cargo.lockfile import LockedPackage, parse
from sandbox.errors import SandboxError
from sandbox.judge.model import Finding, Severity
from sandbox.preflight import audit_json, checks, run, tell
from sandbox.preflight.audit import Audit
from sandbox.preflight.codes import CODES
from sandbox.preflight.lockgraph import facts_of
from sandbox.preflight.model import Answer, Check, SourceRule, Subject, Wishes, finding
from sandbox.report import markdown, sarif
from sandbox.report.formats import Context
from tests.unit.preflight.trees import good, subject
from tests.unit.report.test_sarif import schema as sarif_schema

_SCHEMA = json.loads((Path(audit_json.__file__).parent / "schema" / "audit-v1.schema.json").read_text("utf-8"))
EVIL = LockedPackage("csbench-evil", "1.0.0", "registry+https://github.com/rust-lang/crates.io-index", "0" * 64)


def _check(name: str, result: Answer | Exception) -> Check:
    def made(_subject: Subject) -> Answer:
        if isinstance(result, Exception):
            raise result
        return result

    return Check(name, f"the {name}", made, fast=True)


def _found(severity: Severity = "critical", detail: str = "MAL-2026-1") -> Finding:
    return finding("CS0550", EVIL, detail, severity=severity, evidence=("https://host.invalid",))


def _audit(tmp_path: Path, *made: Check, **fields: object) -> Audit:
    outcomes = run.make(made, subject(good(tmp_path)))
    audit = Audit(subject(good(tmp_path)), outcomes, run.findings(outcomes))
    return replace(audit, **fields)  # type: ignore[arg-type]


CLEAN = _check("sources", Answer("sources", "done", looked_at=1))
NOT_DONE = _check("advisories", Answer("advisories", "not done", why="there is no database"))
BROKEN = _check("names", SandboxError("the list is broken", hint="mend it"))
BUG = _check("bug", RecursionError("too\x1b[31m deep"))


def _hit(severity: Severity = "critical") -> Check:
    return _check("hit", Answer("hit", "done", (_found(severity),), looked_at=2, notes=("a note",)))


@pytest.mark.parametrize(
    ("made", "fields", "verdict", "code"),
    [
        ((CLEAN,), {}, "clean", 0),
        ((CLEAN, NOT_DONE), {}, "incomplete", 0),
        ((CLEAN, NOT_DONE), {"require_complete": True}, "incomplete", 122),
        ((CLEAN, NOT_DONE), {"wanted": frozenset({"advisories"})}, "incomplete", 122),
        ((NOT_DONE,), {}, "incomplete", 122),
        ((CLEAN, BROKEN), {}, "incomplete", 122),
        ((CLEAN, BUG), {}, "incomplete", 122),
        ((_hit(),), {}, "violation", 120),
        ((_hit("high"), BROKEN), {}, "violation", 120),
        ((_hit("medium"),), {}, "drift", 0),
        ((_hit("medium"),), {"deny": "medium"}, "drift", 120),
        ((_hit("low"), BROKEN), {}, "incomplete", 122),
        ((_hit(),), {"deny": "never"}, "violation", 0),
        ((CLEAN,), {"unseen": ("the graph",)}, "incomplete", 0),
    ],
)
def test_verdict_and_exit_code(
    tmp_path: Path, made: tuple[Check, ...], fields: dict[str, object], verdict: str, code: int
) -> None:
    audit = _audit(tmp_path, *made, **fields)
    assert (audit.verdict, audit.exit_code) == (verdict, code)


def test_a_check_that_fails_does_not_take_the_others_along(tmp_path: Path) -> None:
    outcomes = run.make((BROKEN, BUG, _hit()), subject(good(tmp_path)))
    assert [(one.done, one.failed) for one in outcomes] == [(False, True), (False, True), (True, False)]
    assert outcomes[0].answer.why == "the list is broken (mend it)"
    assert "our bug: RecursionError" in outcomes[1].answer.why
    assert run.findings(outcomes) == (_found(),)


def test_the_terminal_says_of_each_check_what_it_looked_at_and_why_not(tmp_path: Path) -> None:
    audit = _audit(tmp_path, CLEAN, NOT_DONE, BUG, _hit())
    text = tell.render(audit, Context(chains={("csbench-evil", "1.0.0", ""): ("app 0.1.0", "csbench-evil 1.0.0")}))
    assert "error[CS0550]: package csbench-evil 1.0.0 is known to be malicious\n" in text
    assert "   = chain: app 0.1.0 -> csbench-evil 1.0.0\n" in text
    assert "  done     sources     the sources: 1 package, 0 findings\n" in text
    assert "  not done advisories  the advisories: there is no database\n" in text
    assert "  failed   bug         the bug: this is our bug: RecursionError: too\\x1b[31m deep\n" in text
    assert "           note: a note\n" in text
    assert text.endswith("Audit violation and incomplete: 2 of 4 checks done, 1 package, 1 finding (1 critical)")
    assert "\x1b" not in text


def test_what_policy_allows_is_shown_as_such(tmp_path: Path) -> None:
    allowed = replace(_found(), evidence=("allowed by /ws/cargo-sandbox.toml:3: it is a test",))
    text = tell.render(_audit(tmp_path, CLEAN, waived=(allowed,)), Context())
    assert (
        "allowed by policy: 1 finding\n  CS0550 csbench-evil 1.0.0: allowed by /ws/cargo-sandbox.toml:3: it is a test\n"
        in text
    )
    assert text.endswith("Audit clean: 1 of 1 check done, 1 package, 0 findings")


def test_the_json_is_valid_and_keeps_the_three_answers_apart(tmp_path: Path) -> None:
    validator = jsonschema.Draft202012Validator(_SCHEMA)
    for made in ((CLEAN,), (CLEAN, NOT_DONE, BROKEN, BUG, _hit()), (NOT_DONE,), (_hit("low"),)):
        audit = _audit(tmp_path, *made)
        data = json.loads(audit_json.render(audit, Context()))
        validator.validate(data)
    data = audit_json.data(_audit(tmp_path, CLEAN, NOT_DONE, BROKEN, _hit()), Context())
    assert [one["state"] for one in data["checks"]] == ["done", "not done", "failed", "done"]
    assert not validator.is_valid(data | {"complete": True})
    assert not validator.is_valid(data | {"verdict": "clean"})


def test_sarif_and_markdown_tell_findings_and_what_was_not_looked_at(tmp_path: Path) -> None:
    result = _audit(tmp_path, CLEAN, NOT_DONE, _hit()).result()
    log = json.loads(sarif.render(result, Context(header={"argv": ["cargo-sandbox", "audit"]})))
    sarif_schema().validate(log)
    entries = {one["ruleId"]: one["message"]["text"] for one in log["runs"][0]["results"]}
    assert set(entries) == {"CS0550", "record-incomplete"}
    assert "there is no database" in entries["record-incomplete"]
    assert {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]} >= {"CS0550", "CS0590"}
    assert log["runs"][0]["automationDetails"]["id"].startswith("cargo-sandbox/audit/")
    text = markdown.render(result, Context())
    assert "## cargo-sandbox: violation" in text
    assert "**Not looked at:** `the check advisories was not done: there is no database`" in text
    assert "Nothing was run." in text
    assert "baseline" not in text
    clean = _audit(tmp_path, CLEAN).result()
    assert "## cargo-sandbox: clean\n" in markdown.render(clean, Context())
    assert json.loads(sarif.render(clean, Context()))["runs"][0]["results"] == []


def test_every_part_is_there_and_says_truly_whether_builds_need_it() -> None:
    for part, fast in checks.PARTS.items():
        found = import_module(f"sandbox.preflight.{part}").CHECKS
        assert found, part
        assert any(check.fast for check in found) is fast, part
    assert [check.name for check in checks.fast_checks()] == [c.name for c in checks.all_checks() if c.fast]


def test_a_missing_part_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PARTS", {"none_such": True})
    for every in (checks.all_checks, checks.fast_checks):
        with pytest.raises(ImportError):
            every()


def test_a_check_that_somebody_gave_something_to_is_wanted() -> None:
    assert checks.wanted(Wishes()) == frozenset()
    assert checks.wanted(Wishes(advisory_db="/db")) == {"advisories"}
    assert checks.wanted(Wishes(sources=(SourceRule("a", "path"),))) == {"sources"}
    assert checks.wanted(Wishes(cooldown_days=1)) == {"fresh"}


_LOCK = """
version = 4
[[package]]
name = "app"
version = "0.1.0"
dependencies = ["low 1.0.0", "low 2.0.0 (registry+https://i.invalid/)", "git"]
[[package]]
name = "low"
version = "1.0.0"
source = "registry+https://i.invalid/"
dependencies = ["low 2.0.0 (registry+https://i.invalid/)"]
[[package]]
name = "low"
version = "2.0.0"
source = "registry+https://i.invalid/"
dependencies = ["deep", "low 1.0.0", "none such"]
[[package]]
name = "git"
version = "1.0.0"
source = "git+https://i.invalid/x?branch=main#abc"
dependencies = ["app"]
[[package]]
name = "deep"
version = "1.0.0"
"""


def test_a_lock_file_alone_tells_chains() -> None:
    facts = facts_of(parse(_LOCK))
    assert facts.chain("low", "2.0.0") == ["app 0.1.0", "low 2.0.0"]
    assert facts.chain("deep") == ["app 0.1.0", "low 2.0.0", "deep 1.0.0"] or facts.chain("deep") == ["deep 1.0.0"]
    assert facts.chain("git") == ["app 0.1.0", "git 1.0.0"]
    assert facts_of(()).packages == ()


def test_no_check_is_made_twice_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    maker: Callable[[str], tuple[Check, ...]] = lambda part: (CLEAN,)  # noqa: E731
    monkeypatch.setattr(checks, "PARTS", {"a": True, "b": True})
    monkeypatch.setattr(checks, "_of", maker)
    with pytest.raises(SandboxError, match="same name"):
        checks.all_checks()


def test_the_table_of_threats_has_every_code() -> None:
    text = (Path(__file__).parents[3] / "docs" / "threats.md").read_text("utf-8")
    named = set(re.findall(r"CS\d{4}", text))
    for first, last in re.findall("CS(\\d{4}) \N{EN DASH} CS(\\d{4})", text):
        named |= {f"CS{number:04}" for number in range(int(first), int(last) + 1)}
    assert set(CODES) <= named


def test_of_many_notes_the_terminal_shows_some_and_the_json_all(tmp_path: Path) -> None:
    notes = tuple(f"n{number}" for number in range(40))
    audit = _audit(tmp_path, _check("many", Answer("many", "done", notes=notes)))
    text = tell.render(audit, Context())
    assert "note: n4\n" in text
    assert "note: n5\n" not in text
    assert "and 35 more notes: --json" in text
    assert len(audit_json.data(audit, Context())["checks"][0]["notes"]) == 40


def test_sarif_shows_what_is_about_a_line_of_a_file_on_that_line(tmp_path: Path) -> None:
    here = f"{tmp_path}/ws/.github/ci.yml:7"
    found = finding("CS0594", None, "cargo build", subject=here)
    away = finding("CS0594", None, "cargo build", subject="/elsewhere/ci.yml:7")
    made = _check("ci", Answer("ci", "done", (found, away)))
    header = {"argv": ["cargo-sandbox", "audit"], "workspace": f"{tmp_path}/ws/rust"}
    context = Context(header=header, anchor="rust/Cargo.lock")
    log = json.loads(sarif.render(_audit(tmp_path, made).result(), context))
    sarif_schema().validate(log)
    places = [one["locations"][0]["physicalLocation"] for one in log["runs"][0]["results"]]
    assert {(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in places} == {
        (".github/ci.yml", 7), ("rust/Cargo.lock", 1),
    }  # fmt: skip


def test_every_check_that_can_be_wanted_is_there_once_its_part_is() -> None:
    names = {check.name for check in checks.all_checks()}
    whole = Wishes(advisory_db="/db", cooldown_days=1)
    assert checks.wanted(whole) <= names
