"""The judgement by itself: which sightings together come to which rank."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.preflight.reader.facts import Sighting
from sandbox.preflight.reader.kinds import KINDS, RANKS
from sandbox.preflight.reader.ranks import RULES, Rule, judge

ATTACK, REACHES, NOTABLE = "attack-like combination", "reaches", "notable"


def _seen(kinds: str, *, emitted: bool = False) -> list[Sighting]:
    return [Sighting(kind, line, "", "", emitted, "build.rs") for line, kind in enumerate(kinds.split(), 1)]


@pytest.mark.parametrize(
    ("kinds", "rule", "rank"),
    [
        ("temp-path chmod-exec spawn-computed", "scratch-program", ATTACK),
        ("network raw-address", "number-address", ATTACK),
        ("includes-executable chmod-exec spawn-computed", "data-becomes-program", ATTACK),
        ("byte-blob dlopen xor", "data-becomes-program", ATTACK),
        ("decode encoded-literal shell", "hides-and-runs", ATTACK),
        ("alphabet detach spawn-computed", "hides-and-runs", ATTACK),
        ("decode network spawn-computed", "decodes-and-fetches", ATTACK),
        ("obfuscation network", "hides-and-talks", ATTACK),
        ("detach network spawn", "leaves-a-process", ATTACK),
        ("git-update chmod-exec spawn-computed", "drop", ATTACK),
        ("env-ci network", "gated", REACHES),
        ("home-path write", "home", REACHES),
        ("env-secret spawn-computed", "secret-runs", REACHES),
        ("network temp-folder spawn-computed", "fetched-run", REACHES),
        ("library-path write", "patches-libraries", REACHES),
        ("temp-path spawn", "scratch-run", REACHES),
        ("unknown-import", "unseen-import", NOTABLE),
    ],
)
def test_sightings_together_come_to_a_rank(kinds: str, rule: str, rank: str) -> None:
    judged = judge(_seen(kinds))
    assert rule in [reason.rule.name for reason in judged.reasons if reason.rule.rank == rank]
    assert RANKS.index(judged.rank) >= RANKS.index(rank)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kinds",
    ["env-all spawn write", "env-ci write spawn", "spawn git-content", "decode write", "xor spawn network",
     "chmod-exec spawn-computed", "unsafe extern link-arg spawn-computed delete clock", "home-path spawn"],
)  # fmt: skip
def test_what_honest_scripts_do_is_no_attack(kinds: str) -> None:
    assert judge(_seen(kinds)).rank in ("ordinary", NOTABLE, REACHES)


def test_code_for_others_is_no_deed_of_the_macro() -> None:
    judged = judge([*_seen("credential-path", emitted=True), *_seen("network")])
    assert judged.rank == REACHES and "emits-attack" in [reason.rule.name for reason in judged.reasons]
    assert judge(_seen("spawn unsafe env-all", emitted=True)).rank == "ordinary"


def test_nothing_seen_is_ordinary() -> None:
    assert judge([]).rank == judge(_seen("write clock delete")).rank == "ordinary"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_needs_all_of_its_groups(rule: Rule) -> None:
    one_each = [min(group) for group in rule.needs]
    seen = [Sighting(kind, 1, "", "", rule.emitted, "build.rs") for kind in one_each]
    assert rule in [reason.rule for reason in judge(seen).reasons]
    for group in rule.needs:
        without = [one for one in seen if one.kind not in group]
        assert rule not in [reason.rule for reason in judge(without).reasons]


@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=12), st.sampled_from(sorted(KINDS)))
def test_one_sighting_more_never_lowers_the_rank(kinds: list[str], more: str) -> None:
    few, many = judge(_seen(" ".join(kinds))), judge(_seen(" ".join([*kinds, more])))
    assert RANKS.index(many.rank) >= RANKS.index(few.rank)
    assert RANKS.index(many.rank) >= RANKS.index(KINDS[more].alone)
