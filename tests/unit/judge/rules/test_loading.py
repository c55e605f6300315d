"""Mistakes in rule files are named with file and place, and nothing else ever comes out of the reader."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.judge.rules.lint import lint
from sandbox.judge.rules.load import RuleError, compiled, rule_of
from sandbox.judge.rules.model import Rule
from sandbox.judge.rules.sources import parse
from tests.unit.judge.rules.samples import PLAIN, rule


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "CS0101"}, "id is not of the form"),
        ({"id": 5}, "id must be text"),
        ({"severity": "severe"}, "severity must be one of"),
        ({"techniques": ["T9999"]}, "T9999 is not in attack-techniques.yaml"),
        ({"techniques": "T1105"}, "techniques must be a list"),
        ({"weight": 11}, "weight must be a number from 1 to 10"),
        ({"weight": True}, "weight must be a number"),
        ({"scope": "process"}, "scope must be one of"),
        ({"scope": "event", "when": {"any": [{"class": "read"}]}}, "event needs one condition"),
        ({"python": "os.system"}, "unknown key 'python'"),
        ({"when": {}}, "when must be a mapping"),
        ({"when": {"classes": "read"}}, "unknown condition 'classes'"),
        ({"when": {"class": "reads"}}, "when.class must be one of"),
        ({"when": {"class": "read", "objekt": "x"}}, "when unknown key 'objekt'"),
        ({"when": {"class": "read", "object": []}}, "when.object is empty"),
        ({"when": {"class": "read", "object": "**a*b"}}, "when.object a `*` behind a `**`"),
        ({"when": {"class": "read", "object": {"all": ["x"]}}}, "when.object unknown key 'all'"),
        ({"when": {"class": "read", "program": "x"}}, "known of class exec only"),
        ({"when": {"class": "read", "of": "zone", "distinct": 2}}, "those of class dns only"),
        ({"when": {"class": "read", "of": "place"}}, "needs `distinct`"),
        ({"when": {"class": "read", "detail": {"exec": True}}}, "when.detail.exec must be text"),
        ({"when": {"all": [{"class": "read"}, {"any": []}]}}, "when.all[1].any is empty"),
        ({"when": {"sequence": [{"class": "read"}]}}, "at least two steps"),
        ({"when": {"sequence": [{"class": "read"}, {"role": "script"}]}}, "when.sequence[1] unknown key 'role'"),
        ({"when": {"across": {"here": {"class": "read"}}}}, "when.across lacks 'there'"),
        ({"when": {"role": ["cargo"]}}, "when.role must be one of"),
        ({"not": {"class": "wrote"}}, "not.class must be one of"),
        ({"examples": {"match": [{"name": "x", "units": []}]}}, "examples.match[0].units is empty"),
    ],
)
def test_a_mistake_is_named_with_file_and_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RuleError) as caught:
        rule_of(PLAIN | change, "CS0299-x.yaml", ["T1105"])
    assert "CS0299-x.yaml" in str(caught.value)
    assert message in str(caught.value)


def test_what_is_missing_is_named() -> None:
    data = dict(PLAIN)
    del data["help"]
    with pytest.raises(RuleError, match=r"x.yaml lacks 'help'"):
        rule_of(data, "x.yaml")


def test_a_key_that_stands_twice_is_a_mistake() -> None:
    with pytest.raises(RuleError, match=r"x.yaml:2:1: key 'a' stands twice"):
        parse("a: 1\na: 2\n", "x.yaml")


def test_conditions_that_hold_themselves_are_refused() -> None:
    with pytest.raises(RuleError, match="nested more than"):
        rule_of(PLAIN | {"when": parse("&a {not: *a}", "x.yaml")}, "x.yaml")


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1}', '{"schema": "cargo-sandbox/rules-v1", "rules": [1]}', "{"])
def test_a_broken_compiled_file_is_an_error_and_not_no_rules(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(RuleError, match=r"rules\.json"):
        compiled(path)


def test_a_missing_compiled_file_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"rules\.json can't be read"):
        compiled(tmp_path / "rules.json")


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["class", "read", "exec", "**", "*a", "all", "CS0299"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["class", "all", "any", "not", "sequence", "across", "role", "macros", "object", "detail"])
        | st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from([*PLAIN, "not", "examples"]), ODD)
def test_odd_values_are_rule_errors_and_nothing_else(key: str, value: Any) -> None:
    try:
        made = rule_of(copy.deepcopy(PLAIN) | {key: value}, "x.yaml")
    except RuleError as error:
        assert "x.yaml" in str(error)
    else:
        assert isinstance(made, Rule)


@given(
    st.text(st.characters(codec="utf-8"), max_size=60) | st.text("&*!|>-?: {}[],'\"#%@`~0123456789.abn\n", max_size=40)
)
def test_odd_yaml_is_a_rule_error_and_nothing_else(text: str) -> None:
    try:
        rule_of(parse(text, "x.yaml"), "x.yaml")
    except RuleError as error:
        assert "x.yaml" in str(error)


GOOD = {"name": "a", "units": [{"role": "script", "facts": [{"class": "read", "act": "read", "object": "/a"}]}]}
BAD = {"name": "b", "units": [{"role": "script", "facts": [{"class": "read", "act": "read", "object": "/b"}]}]}
WHEN = {"class": "read", "object": "/a"}
BOTH = {"match": [GOOD], "not": [BAD]}


def test_the_linter_passes_a_good_rule() -> None:
    assert lint([rule(WHEN, examples=BOTH)]) == []


@pytest.mark.parametrize(
    ("when", "change", "message"),
    [
        (WHEN, {}, "lacks an example that matches"),
        (WHEN, {"examples": {"match": [BAD], "not": [BAD]}}, "does not match its example 'b'"),
        (WHEN, {"examples": {"match": [GOOD], "not": [GOOD]}}, "matches the example that it should not: 'a'"),
        (WHEN, {"examples": BOTH, "severity": "high", "techniques": []}, "names no technique"),
        (WHEN | {"baseline": "absent"}, {"examples": BOTH, "severity": "high"}, "asks the baseline"),
        (WHEN | {"act": "exec"}, {"examples": BOTH}, "no fact of class read has the act 'exec'"),
        ({"any": [WHEN, {"class": "dns"}]}, {"examples": BOTH}, "reaches the condition on dns"),
        ({"class": "read", "object": "/a", "distinct": 2}, {"examples": BOTH}, "more different objects than it names"),
        (WHEN | {"object": "/proc/self/environ"}, {"examples": BOTH}, "can never fire"),
        (WHEN, {"examples": BOTH, "not": {"class": "dns"}}, "is let off by its `not`"),
        ({"not": WHEN}, {"examples": BOTH}, "a unit that did nothing"),
    ],
)
def test_the_linter_catches(when: Any, change: dict[str, Any], message: str) -> None:
    assert any(message in problem for problem in lint([rule(when, **change)]))


def test_the_linter_catches_doubles() -> None:
    one = rule(WHEN, examples=BOTH)
    problems = lint([one, one])
    assert problems == ["CS0299: stands twice", "CS0299: has the title of CS0299"]
