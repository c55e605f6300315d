"""Several runs taken together: seen n of m, and nothing that was accepted is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.baseline.convert import learn
from sandbox.baseline.merge import amend, merge
from sandbox.baseline.model import VersionEntry, Waiver
from sandbox.baseline.toml import dumps, loads
from sandbox.behaviour.model import Fact
from tests.unit.baseline.made import CC, CFG, CURL, DNS, INSIDE, SUM, accepted, fact, profile, rustc, script

FACTS = st.sets(st.sampled_from((CC, CFG, CURL, DNS, INSIDE)))
SUMS = {("ring", "1.0.0"): SUM}


def entry(*facts: Fact) -> VersionEntry:
    return accepted(script("ring", "1.0.0", *facts))["ring"].versions[0]


@given(st.lists(FACTS, min_size=1, max_size=5))
def test_each_fact_is_counted_once_for_each_run_that_showed_it(runs: list[set[Fact]]) -> None:
    profiles = [profile(script("ring", "1.0.0", *facts), script("ring", "1.0.0", *facts)) for facts in runs]
    (version,) = learn(profiles, SUMS, accepted="2026-11-29", reason="r")["ring"].versions
    assert version.runs == len(runs)
    (unit,) = version.units
    assert {one.fact: one.seen for one in unit.facts} == {
        fact: sum(fact in facts for facts in runs) for fact in set().union(*runs)
    }


@given(FACTS, FACTS)
def test_the_order_of_runs_does_not_matter(one: set[Fact], two: set[Fact]) -> None:
    a, b = entry(*one), entry(*two)
    assert merge(a, b) == merge(b, a)


def test_runs_of_two_versions_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="two versions"):
        merge(VersionEntry("1.0.0"), VersionEntry("1.1.0"))
    found = learn(
        [profile(script("ring", "1.0.0", CC)), profile(script("ring", "1.1.0", CURL))], {}, accepted="d", reason="r"
    )
    assert [(one.version, one.runs) for one in found["ring"].versions] == [("1.0.0", 1), ("1.1.0", 1)]


def test_accepting_more_keeps_what_was_accepted() -> None:
    old = merge(entry(CC), entry(CC, CFG))
    old = VersionEntry(
        old.version, old.checksum, old.runs, "2026-01-01", "before", units=old.units, waivers=(Waiver("CS0201", "w"),)
    )
    new = amend(old, entry(CURL))
    assert (new.runs, new.reason, new.waivers) == (2, "as it was", old.waivers)
    (unit,) = new.units
    assert {one.fact: one.seen for one in unit.facts} == {CC: 2, CFG: 1, CURL: 1}


def test_only_scripts_and_compiles_that_did_something_are_kept() -> None:
    found = accepted(
        script("pure", "1.0.0"), rustc("plain", "1.0.0"),
        rustc("user", "1.0.0", macros=("$BUILD/debug/deps/libm-<hash>.so",)),
        rustc("busy", "1.0.0", fact("read", "read", "/etc/hostname", "system")), script("", "", CURL),
    )  # fmt: skip
    assert sorted(found) == ["busy", "pure", "user"]
    assert loads(dumps(found["user"])) == found["user"]
