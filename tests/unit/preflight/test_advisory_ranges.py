"""An advisory's requirements mean what they mean to rustsec."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cargo.files import Unreadable
from sandbox.cargo.semver import parse
from sandbox.preflight.advisories.ranges import Span, Versions, span, version_of

# Requirement, versions in its span | versions that are not.
CASES = """
>=1.2.0      1.2.0 1.3.0-rc.1 2.0.0-0 9.9.9    | 1.2.0-rc.1 1.1.9
>1.2         1.2.1-0 1.2.1 1.3.0               | 1.2.0 1.2.0-rc.1
<1.2         1.1.9 1.2.0-rc.1 0.0.0-0          | 1.2.0 1.2.1
<=1.2        1.2.0 1.2.0-rc.1                  | 1.2.1-0 1.2.1
=1.2         1.2.0 1.2.0+build                 | 1.2.1 1.2.0-rc.1
^1.2.3       1.2.3 1.9.9 1.3.0-rc.1            | 1.2.3-rc.1 2.0.0-0 2.0.0
1.2.3        1.2.3 1.9.9                       | 2.0.0-alpha
^0.2.3       0.2.3 0.2.9                       | 0.3.0-0 0.3.0
^0.0.3       0.0.3                             | 0.0.4-0 0.0.4
^0.0         0.0.0 0.0.9                       | 0.1.0-0
^0           0.0.0 0.9.9                       | 1.0.0-0
^1           1.0.0 1.9.9                       | 2.0.0-0
~1.2.3       1.2.3 1.2.9                       | 1.3.0-0
~1           1.0.0 1.9.9                       | 2.0.0-0
>=1,<2       1.0.0 1.9.9 2.0.0-rc.1            | 2.0.0 0.9.9
<2,>=1       1.0.0                             | 2.0.0
>=1.0.0-b.2  1.0.0-b.2 1.0.0-b.10 1.0.0        | 1.0.0-b.1 1.0.0-a
*            0.0.0-0 9.9.9                     |
"""


@pytest.mark.parametrize("line", CASES.strip().splitlines())
def test_a_requirement_is_a_span_of_all_versions(line: str) -> None:
    left, _, outside = line.partition("|")
    requirement, *inside = left.split()
    found = span(requirement.replace(",", ", "))
    assert [text for text in inside if not found.has(parse(text))] == []
    assert [text for text in outside.split() if found.has(parse(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1.*",
        "x",
        ">=1,>=2",
        "<1,<2",
        "^1,<2",
        "=1,=2",
        ">2,<1",
        ">1,<1",
        ">=1,<2,<3",
        ">=1,",
        "1.2.3.4",
        ">= 1" + " " * 2000,
        "=>1",
        ">=\u0661",
        "1-rc",
    ],
)
def test_what_rustsec_does_not_take_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        span(text)


@pytest.mark.parametrize(("text", "full"), [("0", "0.0.0"), ("1.2", "1.2.0"), ("0.0.0-0", "0.0.0-0")])
def test_osv_versions_may_be_short(text: str, full: str) -> None:
    assert version_of(text) == parse(full)


SMALL = st.integers(0, 3)
PRE = st.sampled_from(["", "-0", "-alpha", "-alpha.1", "-rc.1"])
VERSION = st.builds(lambda a, b, c, pre: f"{a}.{b}.{c}{pre}", SMALL, SMALL, SMALL, PRE)

# Every small version, in order: the place in this list is the model that the spans are compared with.
ORDER = sorted(
    (
        f"{a}.{b}.{c}{pre}"
        for a in range(5)
        for b in range(5)
        for c in range(5)
        for pre in ("", "-0", "-alpha", "-alpha.1", "-rc.1")
    ),
    key=lambda text: parse(text),
)
PLACE = {text: place for place, text in enumerate(ORDER)}


@settings(deadline=None)
@given(st.sampled_from([">", ">=", "<", "<=", "="]), VERSION, VERSION)
def test_one_sided_spans_agree_with_places_in_a_list(sign: str, limit: str, version: str) -> None:
    here, there = PLACE[version], PLACE[limit]
    model = {">": here > there, ">=": here >= there, "<": here < there, "<=": here <= there, "=": here == there}
    assert span(f"{sign} {limit}").has(parse(version)) == model[sign]


@settings(deadline=None)
@given(VERSION, VERSION)
def test_a_caret_ends_before_the_first_pre_release_of_the_next(limit: str, version: str) -> None:
    major, minor, patch = (int(part) for part in limit.partition("-")[0].split("."))
    end = f"{major + 1}.0.0-0" if major else f"0.{minor + 1}.0-0" if minor else f"0.0.{patch + 1}-0"
    assert span(f"^{limit}").has(parse(version)) == (PLACE[limit] <= PLACE[version] < PLACE[end])


@settings(deadline=None)
@given(st.lists(st.tuples(VERSION, VERSION), max_size=4), VERSION)
def test_inverse_versions_are_those_in_no_span(pairs: list[tuple[str, str]], version: str) -> None:
    spans = [tuple(sorted(pair, key=PLACE.__getitem__)) for pair in pairs]
    safe = Versions(tuple(span(f">= {low}, <= {high}") for low, high in spans), inverse=True)
    inside = any(PLACE[low] <= PLACE[version] <= PLACE[high] for low, high in spans)
    assert safe.affects(parse(version)) is not inside


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_span_or_unreadable(text: str) -> None:
    with contextlib.suppress(Unreadable):
        assert isinstance(span(text), Span)
