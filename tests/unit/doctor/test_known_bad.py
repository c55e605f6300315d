"""Versions known to be bad: compared as their series demand, and honest about what can't be compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.doctor.diagnose import checks
from sandbox.doctor.known_bad import load, of
from sandbox.doctor.version import is_distribution_s, is_fixed, parse
from sandbox.errors import InternalError
from tests.unit.doctor import hosts

ENTRIES = {entry.id: entry for entry in load()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.1.5+ds1", (1, 1, 5)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("v2.2.1", (2, 2, 1)),
        ("6.18.44-fc-v657", (6, 18, 44)),
        ("1.64", (1, 64, 0)),
        ("0.0~20221219.0", (0, 0, 0)),
    ],
)
def test_versions_are_read_as_programs_and_distributions_write_them(text: str, expected: tuple[int, int, int]) -> None:
    version = parse(text)
    assert version is not None
    assert version[:3] == expected


def test_a_release_is_newer_than_its_candidates() -> None:
    early, later, final = (parse(text) for text in ("1.5.0-rc.2", "1.5.0-rc.3", "1.5.0"))
    assert early is not None and later is not None and final is not None
    assert early < later < final


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        ("1.1.5+ds1", "bad"),
        ("1.2.9", "bad"),
        ("1.3.5", "bad"),
        ("1.3.6", "fixed"),
        ("1.4.2", "bad"),
        ("1.4.3", "fixed"),
        ("1.5.0-rc.2", "bad"),
        ("1.5.0-rc.3", "fixed"),
        ("1.6.0", "fixed"),
        ("", "unknown"),
        ("dev", "unknown"),
    ],
)
def test_each_maintained_series_has_a_first_good_version(version: str, answer: str) -> None:
    assert ENTRIES["runc-dev-symlink"].answer(version) == answer


def test_an_entry_for_one_series_says_nothing_of_others() -> None:
    entry = ENTRIES["python-tarfile"]
    assert [entry.answer(text) for text in ("3.11.7", "3.11.13", "3.12.1")] == ["bad", "fixed", "elsewhere"]


def test_where_no_fixed_version_is_known_the_answer_is_unknown_and_not_fixed() -> None:
    assert ENTRIES["linux-page-cache"].answer("99.0.0") == "unknown"


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("1.1.5+ds1", True),
        ("20.10.24+dfsg1", True),
        ("1.1.12-0ubuntu2~22.04.1", True),
        ("1.1.12-1.el9", True),
        ("2.5.4-1+deb12u1", True),
        ("29.5.1", False),
        ("1.5.0-rc.3", False),
        ("v2.2.1", False),
    ],
)
def test_a_distribution_s_version_is_known_as_one(text: str, own: bool) -> None:
    assert is_distribution_s(text) == own


def test_a_distribution_s_bad_version_stays_bad_and_its_changelog_is_pointed_at() -> None:
    found = {check.id: check for check in checks(hosts.DEBIAN_12, tuple(ENTRIES.values()))}
    runc, libseccomp = found["known-runc-mask-races"], found["known-libseccomp-merge"]
    assert runc.state == "weak"
    assert "back-ported" in runc.fix
    assert "back-ported" not in libseccomp.fix  # runc tells the version of the library, not of the package


def test_a_version_that_is_not_told_is_not_taken_for_a_good_one() -> None:
    from dataclasses import replace

    silent = replace(hosts.MODERN, docker=replace(hosts.NEW_DOCKER, runc="", libseccomp=""))
    states = {check.id: check.state for check in checks(silent, tuple(ENTRIES.values()))}
    assert states["known-runc-mask-races"] == states["known-libseccomp-merge"] == "unseen"


def test_every_entry_says_what_it_allows_and_what_to_do() -> None:
    for entry in ENTRIES.values():
        assert entry.allows and entry.here and entry.fix
        assert entry.fixed_in or not entry.weakens, f"{entry.id}: nothing could ever lift it"
    assert {entry.id for entry in of(tuple(ENTRIES.values()), "libseccomp")} == {"libseccomp-merge"}


@pytest.mark.parametrize(
    "text",
    [
        "schema: other\nentries: []\n",
        "schema: cargo-sandbox/known-bad-v1\nentries: [{id: a, component: vim}]\n",
        "schema: cargo-sandbox/known-bad-v1\nentries:\n"
        "  - {id: a, component: runc, cve: [], fixed_in: [soon], allows: a, here: b, fix: c, weakens: true}\n",
    ],
)
def test_a_broken_list_is_our_bug_and_not_an_empty_list(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(InternalError):
        load(path)


_NUMBERS = st.tuples(*[st.integers(0, 50)] * 3)


@given(st.lists(_NUMBERS, min_size=1, max_size=4), _NUMBERS)
def test_newer_than_every_fix_is_fixed_and_older_than_every_fix_is_not(
    fixes: list[tuple[int, int, int]], version: tuple[int, int, int]
) -> None:
    first = [(*fix, 10**9) for fix in fixes]
    answer = is_fixed((*version, 10**9), first)
    if version >= max(fixes):
        assert answer
    if version < min(fixes):
        assert not answer


@given(st.text())
def test_any_text_is_a_version_or_none(text: str) -> None:
    assert parse(text) is None or len(parse(text) or ()) == 4
    is_distribution_s(text)
