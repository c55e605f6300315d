"""The ladder: the nearest thing that is known, and its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.baseline.ladder import look_up
from sandbox.baseline.model import Baseline, VersionEntry, in_order, precedence
from sandbox.baseline.population import Population
from sandbox.baseline.store import Stores
from sandbox.behaviour.patterns import VERSION
from tests.unit.baseline.made import OTHER_SUM, SUM

SOME = Population(3, {"all": 3}, {"all": {"exec": 1}})


def known(*versions: tuple[str, str]) -> dict[str, Baseline]:
    return {"x": Baseline("x", in_order(tuple(VersionEntry(*one) for one in versions)))}


def test_the_same_version_with_the_same_checksum_is_the_highest_rung() -> None:
    step = look_up("x", "1.0.0", SUM, Stores(tree=known(("1.0.0", OTHER_SUM), ("1.0.0", SUM))))
    assert (step.rung, step.entry, step.store) == ("same version", VersionEntry("1.0.0", SUM), "tree")


def test_another_checksum_is_a_rung_of_its_own() -> None:
    step = look_up("x", "1.0.0", SUM, Stores(tree=known(("1.0.0", OTHER_SUM), ("0.9.0", SUM))))
    assert (step.rung, step.entry) == ("same version, other checksum", VersionEntry("1.0.0", OTHER_SUM))


@pytest.mark.parametrize(
    ("accepted", "nearest"),
    [
        (("0.9.0", "0.10.0", "2.0.0"), "0.10.0"),
        (("1.0.0-rc.1", "0.9.0"), "1.0.0-rc.1"),
        (("1.0.0-rc.2", "1.0.0-rc.10"), "1.0.0-rc.10"),
        (("3.0.0", "2.0.0"), "2.0.0"),
    ],
)
def test_the_nearest_earlier_version_is_taken_and_a_later_one_only_without(
    accepted: tuple[str, ...], nearest: str
) -> None:
    stores = Stores(tree=known(*((one, SUM) for one in accepted)), population=SOME)
    step = look_up("x", "1.0.0", SUM, stores)
    assert step.rung == "earlier version"
    assert step.entry is not None and step.entry.version == nearest


def test_the_trees_word_counts_before_the_users_and_both_before_the_packs() -> None:
    one = known(("1.0.0", SUM))
    assert look_up("x", "1.0.0", SUM, Stores(one, one, one)).store == "tree"
    assert look_up("x", "1.0.0", SUM, Stores({}, one, one)).store == "user"
    assert look_up("x", "1.0.0", SUM, Stores({}, {}, one)).store == "pack"
    # A higher rung of the pack still counts before a lower one of the tree.
    assert look_up("x", "1.0.0", SUM, Stores(known(("0.9.0", SUM)), {}, one)).store == "pack"


def test_below_the_population_there_is_nothing() -> None:
    assert look_up("y", "1.0.0", SUM, Stores(known(("1.0.0", SUM)), population=SOME)).rung == "population"
    assert look_up("y", "1.0.0", SUM, Stores()).rung == "default rules"


def test_what_another_normaliser_made_is_passed_over_and_told() -> None:
    old = {"x": Baseline("x", (VersionEntry("1.0.0", SUM),), VERSION + 1)}
    step = look_up("x", "1.0.0", SUM, Stores(tree=old))
    assert (step.rung, step.outdated) == ("default rules", True)
    step = look_up("x", "1.0.0", SUM, Stores(tree=old, user=known(("0.9.0", ""))))
    assert (step.rung, step.outdated) == ("earlier version", True)


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_words_can_be_put_in_order(words: list[str]) -> None:
    ordered = sorted(words, key=precedence)
    backwards = ordered[::-1]
    assert sorted(backwards, key=precedence) == ordered


def test_versions_stand_in_semvers_order() -> None:
    want = ["nonsense", "0.9.0", "1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0", "1.0.0+b", "1.2.0", "1.10.0"]
    backwards = want[::-1]
    assert sorted(backwards, key=precedence) == want
