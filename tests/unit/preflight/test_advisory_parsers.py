"""Advisories are read as their databases mean them; broken ones are told apart, and nothing brings the reader down."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cargo.files import Unreadable
from sandbox.cargo.semver import parse
from sandbox.preflight.advisories import osv, rustsec
from sandbox.preflight.advisories.model import Advisory
from tests.unit.preflight.advisory_files import markdown, record

ID = "RUSTSEC-2099-0001"


def affects(advisory: Advisory, version: str) -> bool:
    found = parse(version)
    assert found is not None
    return advisory.versions.affects(found)


def test_the_first_line_of_the_front_matter_may_be_missing_as_in_old_advisories() -> None:
    assert rustsec.parse(markdown(ID, "csbench-bad").replace("[advisory]\n", "", 1)).id == ID


def test_lines_may_end_as_on_windows() -> None:
    found = rustsec.parse(markdown(ID, "csbench-bad", versions='patched = [">= 1.0.0"]').replace("\n", "\r\n"))
    assert (found.id, found.title, found.mended) == (ID, "A title", (">= 1.0.0",))


def test_toml_in_the_words_is_no_part_of_the_advisory() -> None:
    content = markdown(ID, "csbench-bad") + '\n```toml\n[advisory]\nid = "RUSTSEC-2099-0009"\n```\n'
    assert rustsec.parse(content).id == ID


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# Only words",
        "```toml\n[advisory]",
        "```toml\n```\n# T",
        "```toml\nid = \n```\n# T",
        markdown("../../etc", "csbench-bad"),
        markdown(ID, "csbench-bad", versions="patched = 1"),
        markdown(ID, "csbench-bad", versions="patched = [1]"),
        markdown(ID, "csbench-bad", versions='patched = ["whenever"]'),
        markdown(ID, "csbench-bad", versions='unaffected = ["< 1"]'),
        markdown(ID, "csbench-bad", versions="patched = [" + "'> 1'," * 2000 + "]"),
        markdown(ID, "csbench-bad", versions="patched = " + "[" * 5000 + "]" * 5000),
        markdown(ID, "csbench-bad", categories="malicious"),
        markdown(ID, "csbench-bad", aliases=[1]),
        markdown(ID, "csbench-bad", affected="[affected]\nfunctions = 1\n"),
        markdown(ID, "csbench-bad", cvss=3.1),
    ],
)
def test_a_broken_advisory_is_unreadable(content: str) -> None:
    with pytest.raises(Unreadable):
        rustsec.parse(content)


@settings(deadline=None)
@given(st.text(alphabet=string.printable, max_size=200), st.sampled_from(["", "```toml\n", "```toml\n[advisory]\n"]))
def test_any_text_is_an_advisory_or_unreadable(content: str, start: str) -> None:
    try:
        rustsec.parse(start + content)
    except Unreadable as error:
        assert str(error)


EVENTS = [
    # Events, affected versions, others.
    ([{"introduced": "0"}], "0.0.0-0 1.0.0 99.0.0", ""),
    ([{"introduced": "0"}, {"fixed": "1.2.0"}], "0.0.0-0 1.2.0-rc.1 1.1.9", "1.2.0 2.0.0"),
    ([{"introduced": "1.0.0"}, {"last_affected": "1.2.0"}], "1.0.0 1.2.0", "1.0.0-rc.1 1.2.1-0 1.2.1"),
    (
        [{"fixed": "1.1"}, {"introduced": "1"}, {"introduced": "2"}, {"fixed": "2.1"}],
        "1.0.5 2.0.0",
        "0.9.0 1.1.0 2.1.0",
    ),
    ([{"introduced": "1.0.0", "fixed": "1.1.0"}], "1.0.0", "1.1.0"),
    ([{"introduced": "1.0.0"}, {"last_affected": "1.0.0"}], "1.0.0", "0.9.9 1.0.1"),
    ([{"introduced": "0"}, {"limit": "2.0.0"}], "1.0.0 2.0.0", ""),
    ([{"introduced": "0.0.0-0"}, {"fixed": "0.1.0"}, {"introduced": "0.1.0"}], "0.0.9 0.1.0 9.0.0", ""),
]


@pytest.mark.parametrize(("events", "inside", "outside"), EVENTS)
def test_ranges_mean_what_the_osv_schema_says(events: list[dict[str, str]], inside: str, outside: str) -> None:
    (found,) = osv.parse(json.dumps(record("GHSA-1-2-3", "csbench-bad", *events)))
    assert [version for version in inside.split() if not affects(found, version)] == []
    assert [version for version in outside.split() if affects(found, version)] == []


NUMBER = st.integers(0, 6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["introduced", "fixed", "last_affected"]), NUMBER), max_size=6), NUMBER)
def test_ranges_agree_with_the_schemas_own_algorithm(events: list[tuple[str, int]], number: int) -> None:
    order = ["fixed", "introduced", "last_affected"]
    vulnerable = False
    # The schema's pseudocode, "Evaluation", on numbers for versions.
    for name, at in sorted(events, key=lambda event: (event[1], order.index(event[0]))):
        if name == "introduced" and number >= at:
            vulnerable = True
        elif (name == "fixed" and number >= at) or (name == "last_affected" and number > at):
            vulnerable = False
    written = [{name: f"{at}.0.0"} for name, at in events]
    data = record("GHSA-1-2-3", "csbench-bad", entry={"ranges": [{"type": "SEMVER", "events": written}]})
    (found,) = osv.parse(json.dumps(data))
    assert affects(found, f"{number}.0.0") == vulnerable


def test_listed_versions_are_affected_and_tags_among_them_do_no_harm() -> None:
    data = record("MAL-2099-1", "csbench-bad", entry={"versions": ["1.0.0", "v2", "3.0.0+x"]})
    (found,) = osv.parse(json.dumps(data))
    assert [affects(found, version) for version in ("1.0.0", "2.0.0", "3.0.0", "1.0.1")] == [True, False, True, False]


def test_a_record_without_versions_is_about_all_of_them() -> None:
    (found,) = osv.parse(json.dumps(record("MAL-2099-1", "csbench-bad")))
    assert affects(found, "7.0.0-alpha")


@pytest.mark.parametrize(
    ("identifier", "fields", "kind"),
    [
        ("MAL-2099-1", {}, "malware"),
        ("GHSA-1-2-3", {"database_specific": {"malicious-packages-origins": []}}, "malware"),
        ("GHSA-1-2-3", {"summary": "`x` was removed from crates.io for malicious code"}, "malware"),
        (ID, {"entry": {"database_specific": {"categories": ["malicious"]}}}, "malware"),
        (ID, {"entry": {"database_specific": {"informational": "unsound"}}}, "unsound"),
        (ID, {"entry": {"database_specific": {"informational": "unmaintained"}}}, "unmaintained"),
        ("GHSA-1-2-3", {}, "vulnerability"),
    ],
)
def test_the_kind_of_a_record(identifier: str, fields: dict[str, Any], kind: str) -> None:
    (found,) = osv.parse(json.dumps(record(identifier, "csbench-bad", **fields)))
    assert found.kind == kind


def test_packages_of_other_ecosystems_are_passed_over() -> None:
    data = record("MAL-2099-1", "csbench-bad")
    data["affected"].append({"package": {"ecosystem": "npm", "name": "csbench-other"}})
    assert [item.package for item in osv.parse(json.dumps(data))] == ["csbench-bad"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 200_000,
        '{"id": ' + "9" * 10_000 + "}",
        json.dumps(record("no id", "csbench-bad")),
        json.dumps(record("MAL-2099-1", "csbench-bad", {"introduced": "whenever"})),
        json.dumps(record("MAL-2099-1", "csbench-bad", {"begun": "1.0.0"})),
        json.dumps(record("MAL-2099-1", "")),
        json.dumps(record("MAL-2099-1", "csbench-bad", entry={"versions": [1]})),
        json.dumps(record("MAL-2099-1", "csbench-bad", entry={"versions": ["1.0.0"] * 20_000})),
        json.dumps(record("MAL-2099-1", "csbench-bad", entry={"ranges": [{"type": "GIT", "events": []}]})),
        json.dumps(record("MAL-2099-1", "csbench-bad", severity="bad")),
        json.dumps({"id": "MAL-2099-1", "affected": [[]]}),
    ],
)
def test_a_broken_record_is_unreadable(content: str) -> None:
    with pytest.raises(Unreadable):
        osv.parse(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["affected", "aliases", "severity", "database_specific", "summary", "details", "modified", "withdrawn"]
INNER = ["package", "ranges", "versions", "severity", "database_specific", "ecosystem_specific"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.dictionaries(st.sampled_from(INNER), JSON))
def test_a_record_with_anything_in_any_field_is_read_or_unreadable(outer: Any, inner: Any) -> None:
    data = record("MAL-2099-1", "csbench-bad")
    data["affected"][0].update(inner)
    data.update(outer)
    try:
        osv.parse(json.dumps(data))
    except Unreadable as error:
        assert str(error)
