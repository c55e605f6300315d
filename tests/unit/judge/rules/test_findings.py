"""What a finding of a rule says, and how it is scored."""

from __future__ import annotations

import pytest

from sandbox.behaviour.model import Fact, Key
from sandbox.judge.model import Finding
from sandbox.judge.rules.judge import MOST_OF_A_RULE, judge
from sandbox.judge.rules.known import NothingKnown
from tests.unit.judge.rules.samples import fact, found, rule, run, unit

READ = {"class": "read", "object": "$HOME/**"}


class Population(NothingKnown):
    """Knows how rare things are, and one accepted object."""

    def __init__(self, rarity: float, accepted: str = "") -> None:
        self.value, self.accepted = rarity, accepted

    def rung(self, key: Key) -> str:
        return "population"

    def holds(self, key: Key, fact: Fact) -> bool:
        return fact.object == self.accepted

    def rarity(self, fact: Fact) -> float:
        return self.value


def test_a_finding_explains_itself() -> None:
    start = {"package": "evil", "version": "1.0.0", "manifest_dir": "/w/evil", "macros": ["/w/libm.so"]}
    made = rule({"sequence": [{"class": "decoy"}, {"class": "dns"}]}, weight=8, severity="high")
    facts = (fact("decoy", "read", "$HOME/.ssh/id_rsa", 3), fact("dns", "ask", "x.net", 9, outcome="denied"))
    (one,) = judge(run(unit(*facts)), {"u1": start}, None, (made,))
    assert (one.code, one.severity, one.unit, one.manifest_dir) == ("CS0299", "high", "u1", "/w/evil")
    assert (one.events, one.techniques, one.rung, one.score) == ((3, 9), ("T1105",), "default rules", 10.0)
    assert one.tree == (
        "in this order",
        "  decoy",
        "    decoy read $HOME/.ssh/id_rsa (event 3)",
        "  dns",
        "    dns ask x.net outcome=denied (event 9)",
        "score 10, compared by: default rules",
    )
    assert Finding.from_json(one.to_json()) == one


def test_a_unit_without_a_start_record_is_charged_by_its_key() -> None:
    (one,) = found(READ, fact("read", "read", "$HOME/a", 1))
    assert (one.package, one.version, one.manifest_dir) == ("evil", "1.0.0", "")


@pytest.mark.parametrize(
    ("severity", "rarity", "expected"),
    [
        ("medium", 1.0, ["medium"]), ("medium", 0.4, ["low"]), ("low", 0.4, ["low"]), ("low", 0.01, []),
        ("high", 0.0, ["high"]), ("critical", 0.0, ["critical"]),
    ],
)  # fmt: skip
def test_what_is_common_weighs_less_unless_it_is_unmistakable(
    severity: str, rarity: float, expected: list[str]
) -> None:
    made = found(READ, fact("read", "read", "$HOME/a", 1), known=Population(rarity), severity=severity)
    assert [one.severity for one in made] == expected


def test_a_longer_chain_scores_more_up_to_twice() -> None:
    facts = [fact("read", "read", f"$HOME/{number}", number) for number in range(1, 9)]
    parts = [{"class": "read", "object": f"$HOME/{number}"} for number in range(1, 9)]
    scores = [found({"all": parts[:n]}, *facts)[0].score for n in (1, 2, 3, 8)]
    assert scores == [4.0, 5.0, 6.0, 8.0]


def test_programs_that_the_user_asked_for_are_judged_milder() -> None:
    made = rule(READ, severity="high")
    reads = fact("read", "read", "$HOME/a", 1)
    (one,) = judge(run(unit(reads, role="program")), {}, None, (made,))
    assert one.severity == "medium"


def test_a_condition_may_ask_the_baseline() -> None:
    known = Population(1.0, accepted="$HOME/a")
    a, b = fact("read", "read", "$HOME/a", 1), fact("read", "read", "$HOME/b", 2)
    assert not found(READ | {"baseline": "absent"}, a, known=known)
    (one,) = found(READ | {"baseline": "absent"}, a, b, known=known)
    assert one.subject == "$HOME/b"
    assert found(READ | {"baseline": "present"}, a, known=known)


def test_scope_event_has_a_finding_for_each_object_up_to_a_cap() -> None:
    facts = [fact("read", "read", f"$HOME/{number:03}", number + 1) for number in range(MOST_OF_A_RULE + 5)]
    made = found(READ, *facts, scope="event")
    assert len(made) == MOST_OF_A_RULE
    assert made[-1].detail.endswith("; 5 more like it")
    assert len(found(READ, *facts)) == 1


def test_long_names_are_cut_in_what_is_shown() -> None:
    (one,) = found(READ, fact("read", "read", "$HOME/" + "x" * 10_000, 1))
    assert max(map(len, (one.subject, one.detail, *one.tree))) < 1_000
