"""Requirements mean what they mean to cargo (the book, "Specifying Dependencies")."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.semver import is_patch, is_requirement, key, matches, parse

CASES = """
1.2.3    1.2.3 1.9.9            | 1.2.2 2.0.0 2.0.0-rc.1
1.2      1.2.0 1.9.9            | 1.1.9 2.0.0
1        1.0.0 1.9.9            | 0.9.9 2.0.0
0.2.3    0.2.3 0.2.9            | 0.2.2 0.3.0
0.0.3    0.0.3                  | 0.0.2 0.0.4
0.0      0.0.0 0.0.9            | 0.1.0
0        0.0.0 0.9.9            | 1.0.0
~1.2.3   1.2.3 1.2.9            | 1.3.0
~1.2     1.2.0 1.2.9            | 1.3.0
~1       1.0.0 1.9.9            | 2.0.0
*        0.0.1 9.9.9            | 1.0.0-a
1.*      1.0.0 1.9.9            | 2.0.0
1.2.*    1.2.0 1.2.9            | 1.3.0
=1.2.3   1.2.3 1.2.3+build      | 1.2.4
=1.2     1.2.0 1.2.9            | 1.3.0
>=1,<2   1.0.0 1.9.9            | 0.9.9 2.0.0
>1.2     1.3.0                  | 1.2.9
>1.2.3   1.2.4                  | 1.2.3
<=1.2    1.2.9                  | 1.3.0
<1.2     1.1.9                  | 1.2.0
1.0.0-b  1.0.0-b 1.0.0-c 1.0.0  | 1.0.0-a 1.1.0-a
"""


@pytest.mark.parametrize("line", CASES.strip().splitlines())
def test_a_requirement_is_met_by_what_cargo_would_take(line: str) -> None:
    left, _, not_met = line.partition("|")
    requirement, *met = left.split()
    assert is_requirement(requirement)
    assert [version for version in met if not matches(requirement, version)] == []
    assert [version for version in not_met.split() if matches(requirement, version)] == []


def test_versions_sort_as_semver_says() -> None:
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.10"]
    mixed = [*order[3:], *order[:3]]
    assert sorted(mixed, key=key) == order


def test_a_patch_changes_the_last_number_only() -> None:
    assert is_patch("1.2.3", "1.2.4")
    assert is_patch("0.3.9", "0.3.10")
    assert not is_patch("1.2.3", "1.3.0")
    assert not is_patch("1.2.3", "1.2.2")


@given(st.text("0123456789.<>=~^*,- ab", max_size=12), st.text("0123456789.-ab", max_size=9))
def test_no_text_breaks_it_and_what_is_not_understood_is_not_met(requirement: str, version: str) -> None:
    if matches(requirement, version):
        assert is_requirement(requirement)
        assert parse(version)
