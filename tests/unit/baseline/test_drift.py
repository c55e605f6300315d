"""Drift: what counts as new, on which rung, and how grave."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.baseline.judge import Drift, drift
from sandbox.baseline.model import Baseline
from sandbox.baseline.population import Population, token
from sandbox.baseline.store import Stores
from sandbox.behaviour.model import Behaviour, Fact, Key
from sandbox.behaviour.patterns import VERSION
from sandbox.judge.model import at_least
from tests.unit.baseline.made import (
    CC,
    CFG,
    CURL,
    DNS,
    INSIDE,
    LINK,
    OTHER_SUM,
    OUTSIDE,
    SUM,
    accepted,
    fact,
    profile,
    rustc,
    script,
)  # fmt: skip

SUMS = {("ring", "1.0.0"): SUM, ("ring", "1.1.0"): SUM}


def against(known: dict[str, Baseline], *units: Behaviour, sums: dict[tuple[str, str], str] | None = None) -> Drift:
    return drift(profile(*units), SUMS if sums is None else sums, Stores(tree=known, has_own=True))


def test_what_was_accepted_is_no_drift_whatever_its_evidence() -> None:
    known = accepted(script("ring", "1.0.0", CC, CFG))
    again = script("ring", "1.0.0", replace(CC, seqs=(99,), count=7, digest="sha256:x"), CFG, unit="u77")
    assert against(known, again) == Drift()


def test_a_fact_that_is_missing_is_no_drift() -> None:
    assert against(accepted(script("ring", "1.0.0", CC, CURL)), script("ring", "1.0.0")) == Drift()


def test_new_facts_are_one_finding_for_each_class_of_a_unit() -> None:
    known = accepted(script("ring", "1.0.0", CC))
    found = against(known, script("ring", "1.0.0", CC, CURL, fact("exec", "exec", "/usr/bin/wget", "system"), DNS))
    assert [(one.code, one.severity, one.count, one.rung) for one in found.findings] == [
        ("CS0301", "medium", 2, "same version"),
        ("CS0301", "medium", 1, "same version"),
    ]
    program, host = found.findings
    assert json.loads(program.fact)["object"] == "/usr/bin/curl"
    assert program.events == (7,)
    assert "cargo-sandbox baseline accept ring --reason TEXT" in program.help
    assert any("started by $SCRIPT/build-script-build" in line for line in program.tree)
    assert any("wget" in line for line in program.tree)
    assert host.subject == "evil.example"
    assert found.no_baseline == 0


@pytest.mark.parametrize(
    ("new", "severity"),
    [
        (CURL, "medium"),
        (DNS, "medium"),
        (OUTSIDE, "medium"),
        (LINK, "medium"),
        (fact("decoy", "read", "$HOME/.ssh/id_rsa", "home"), "medium"),
        (fact("survivor", "survive", "sleep"), "medium"),
        (fact("kernel", "ptrace", "ptrace", outcome="denied"), "medium"),
        (fact("denied", "write", "$SRC/x", "own source"), "medium"),
        (fact("network", "connect", "1.2.3.4:80", outcome="denied"), "medium"),
        (CFG, "low"),
        (INSIDE, "low"),
        (fact("read", "read", "/etc/os-release", "system"), "low"),
        (fact("exec", "absent", "$PATH/pkg-config"), "low"),
    ],
)
def test_the_class_decides_how_grave_a_new_fact_is_and_none_is_high(new: Fact, severity: str) -> None:
    (finding,) = against(accepted(script("ring", "1.0.0")), script("ring", "1.0.0", new)).findings
    assert finding.severity == severity
    assert not at_least(finding.severity, "high")


def test_what_most_build_scripts_do_is_milder() -> None:
    git = fact("exec", "exec", "/usr/bin/git", "system")
    tokens = {token(CC): 50, token(git): 25}
    population = Population(100, {"all": 100, "cc": 50}, {"all": tokens, "cc": tokens})
    stores = Stores(tree=accepted(script("ring", "1.0.0", CC)), has_own=True, population=population)
    (usual,) = drift(profile(script("ring", "1.0.0", CC, git)), SUMS, stores).findings
    (rare,) = drift(profile(script("ring", "1.0.0", CC, CURL)), SUMS, stores).findings
    assert (usual.severity, usual.score) == ("low", 0.6)
    assert (rare.severity, rare.score) == ("medium", 6.0)


def test_new_acts_do_not_make_a_script_one_of_a_kind_that_does_such_things() -> None:
    population = Population(
        100, {"all": 100, "cc": 50, "pure": 50}, {"all": {token(CC): 50}, "cc": {token(CC): 50}, "pure": {}}
    )
    stores = Stores(tree=accepted(script("ring", "1.0.0")), has_own=True, population=population)
    (finding,) = drift(profile(script("ring", "1.0.0", CC)), SUMS, stores).findings
    assert (finding.severity, finding.score) == ("medium", 6.0)


def test_another_checksum_of_an_accepted_version_is_told_even_when_it_does_the_same() -> None:
    found = against(
        accepted(script("ring", "1.0.0", CC)), script("ring", "1.0.0", CC), sums={("ring", "1.0.0"): OTHER_SUM}
    )
    (finding,) = found.findings
    assert (finding.code, finding.severity, finding.rung) == ("CS0302", "medium", "same version, other checksum")
    assert SUM in finding.detail and OTHER_SUM in finding.detail


def test_a_new_version_that_does_what_the_earlier_one_did_is_a_note() -> None:
    found = against(accepted(script("ring", "1.0.0", CC)), script("ring", "1.1.0", CC))
    assert found.findings == ()
    assert "ring 1.1.0 is not in the baseline; it did nothing that 1.0.0 did not" in found.notes


def test_a_new_version_is_compared_with_the_earlier_one() -> None:
    (finding,) = against(accepted(script("ring", "1.0.0", CC)), script("ring", "1.1.0", CC, CURL)).findings
    assert (finding.code, finding.rung, finding.version, finding.subject) == (
        "CS0303", "earlier version", "1.1.0", "/usr/bin/curl",
    )  # fmt: skip


def test_two_versions_in_one_build_are_each_compared_with_their_own() -> None:
    known = accepted(script("ring", "1.0.0", CC), script("ring", "1.1.0", CURL))
    assert against(known, script("ring", "1.0.0", CC), script("ring", "1.1.0", CURL)) == Drift()
    crossed = against(known, script("ring", "1.0.0", CURL), script("ring", "1.1.0", CC))
    assert [(one.version, one.subject) for one in crossed.findings] == [
        ("1.0.0", "/usr/bin/curl"), ("1.1.0", "/usr/bin/cc"),
    ]  # fmt: skip


def test_a_package_that_nobody_knows_is_counted_and_told_mildly() -> None:
    found = against(accepted(script("ring", "1.0.0")), script("new", "1.0.0", CURL))
    (finding,) = found.findings
    assert (finding.code, finding.severity, finding.rung, found.no_baseline) == ("CS0304", "low", "default rules", 1)


def test_a_compile_that_only_loads_a_macro_is_counted_and_no_finding() -> None:
    found = against(accepted(script("ring", "1.0.0")), rustc("new", "1.0.0", macros=("libserde_derive-<hash>.so",)))
    assert (found.findings, found.no_baseline) == ((), 1)


def test_without_a_baseline_of_ones_own_nothing_is_held_against_a_run() -> None:
    pack = accepted(script("ring", "1.0.0"))
    found = drift(profile(script("ring", "1.0.0", CURL), rustc("x", "1.0.0")), SUMS, Stores(pack=pack))
    assert (found.findings, found.no_baseline) == ((), 1)


def test_what_the_pack_knows_of_the_same_content_is_a_baseline_once_there_is_one() -> None:
    stores = Stores(pack=accepted(script("ring", "1.0.0", CC)), has_own=True)
    assert drift(profile(script("ring", "1.0.0", CC)), SUMS, stores) == Drift()
    (finding,) = drift(profile(script("ring", "1.0.0", CC, CURL)), SUMS, stores).findings
    assert any("the pack's baseline" in line for line in finding.tree)


def test_a_class_that_is_not_whole_is_said_and_its_new_facts_still_count() -> None:
    known = accepted(script("ring", "1.0.0", CC))
    found = against(known, script("ring", "1.0.0", CURL, cut=("exec", "read")))
    assert [one.subject for one in found.findings] == ["/usr/bin/curl"]
    assert found.notes == ("ring 1.0.0: not all was seen of exec, read",)


def test_where_nothing_is_compared_only_programs_are_said_not_to_be_whole() -> None:
    """Of all others there is a finding."""
    made = script("ring", "1.0.0", CURL, cut=("exec", "read"))
    program = replace(made, key=replace(made.key, role="program"))
    assert drift(profile(made), SUMS, Stores()).notes == ()
    assert drift(profile(program), SUMS, Stores()).notes == ("ring 1.0.0: not all was seen of exec, read",)
    assert drift(profile(program, holes=("an event is missing",)), SUMS, Stores()).notes == ()


def test_a_baseline_of_another_normaliser_is_passed_over_with_words() -> None:
    old = {"ring": replace(accepted(script("ring", "1.0.0", CC))["ring"], normaliser=VERSION + 1)}
    found = against(old, script("ring", "1.0.0", CC))
    assert [one.code for one in found.findings] == ["CS0304"]
    assert "another normaliser" in found.notes[0]


def test_how_every_unit_is_started_and_how_rustc_links_is_no_novelty() -> None:
    started = Fact("exec", "exec", "$SCRIPT/build-script-build", "own script")
    real = Fact("exec", "exec", "$SCRIPT/x-<hash>.real", "own script", ("$SCRIPT/build-script-build",))
    watched = fact("directive", "rerun-if-changed", "build.rs")
    linker = Fact("exec", "exec", "/usr/bin/cc", "system", ("$GUARD", "$SYSROOT/bin/rustc"))
    program = Behaviour(Key("ring", "1.0.0", "rustc", "ring", ("bin",)), VERSION, (linker,))
    known = accepted(script("ring", "1.0.0"))
    assert against(known, script("ring", "1.0.0", started, real, watched), program) == Drift()
    # A library is not linked, so a linker there is a macro's doing.
    library = Behaviour(Key("ring", "1.0.0", "rustc", "ring", ("lib",)), VERSION, (linker,))
    assert [one.code for one in against(known, library).findings] == ["CS0301"]


def test_profile_and_values_that_change_with_each_commit_are_no_novelty() -> None:
    one = script(
        "ring", "1.0.0", fact("directive", "rustc-env", "SHA=aaa"), fact("read", "read", "$BUILD/debug/deps/x")
    )
    two = script(
        "ring", "1.0.0", fact("directive", "rustc-env", "SHA=bbb"),
        fact("read", "read", "$BUILD/x86_64-unknown-linux-gnu/release/deps/x"),
    )  # fmt: skip
    assert against(accepted(one), two) == Drift()
    other = script("ring", "1.0.0", fact("directive", "rustc-env", "LD_PRELOAD=aaa"))
    assert len(against(accepted(one), other).findings) == 1


def test_hostile_names_stay_one_argument_of_the_command() -> None:
    (finding,) = against(accepted(script("ring", "1.0.0")), script("x; rm -rf ~", "1.0.0", CURL)).findings
    assert "accept 'x; rm -rf ~' --reason" in finding.help


FACTS = st.sampled_from((CC, CFG, CURL, DNS, INSIDE, LINK, OUTSIDE))
UNITS = st.lists(
    st.tuples(st.sampled_from(("ring", "é/..", "a")), st.sampled_from(("1.0.0", "1.1.0")), st.sets(FACTS)), max_size=5
)


@given(UNITS, UNITS, st.randoms())
def test_drift_is_the_same_in_any_order_of_units_and_facts(
    before: list[tuple[str, str, set[Fact]]], after: list[tuple[str, str, set[Fact]]], random: object
) -> None:
    known = accepted(*(script(name, version, *facts) for name, version, facts in before))
    units = [script(name, version, *facts, unit=f"u{number}") for number, (name, version, facts) in enumerate(after)]
    shuffled = list(units)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    stores = Stores(tree=known, has_own=True)
    sums = {(name, version): SUM for name, version, _ in after}
    one = drift(replace(profile(), behaviours=tuple(units)), sums, stores)
    two = drift(replace(profile(), behaviours=tuple(shuffled)), sums, stores)
    assert one == two


@given(UNITS)
def test_what_is_accepted_of_a_run_leaves_no_drift_in_the_same_run(units: list[tuple[str, str, set[Fact]]]) -> None:
    made = [script(name, version, *facts) for name, version, facts in units]
    sums = {(name, version): SUM for name, version, _ in units}
    assert drift(profile(*made), sums, Stores(tree=accepted(*made), has_own=True)) == Drift()
