"""The arithmetic: spreads, pairs, thresholds, and numbers as text."""

from __future__ import annotations

import pytest
from benchmarks.figures import Spread, Threshold, differences, number, order, ratios
from hypothesis import given
from hypothesis import strategies as st

FIGURES = st.floats(min_value=1e-3, max_value=1e6)


def test_the_median_of_an_even_number_of_figures_lies_between_the_middle_two() -> None:
    assert Spread.of([4.0, 1.0, 3.0, 2.0]) == Spread(1.0, 2.5, 4.0, 4)


def test_one_figure_is_its_own_spread() -> None:
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0, 1)


@given(st.lists(FIGURES, min_size=1))
def test_the_median_lies_between_the_extremes_whatever_the_order(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread.minimum <= spread.median <= spread.maximum
    assert spread == Spread.of(reversed(values))


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_no_figures_have_no_spread(values: list[float]) -> None:
    with pytest.raises(ValueError, match="no figures"):
        Spread.of(values)


def test_ratios_are_taken_pair_by_pair_so_a_slow_spell_cancels_out() -> None:
    theirs, ours = [10.0, 40.0, 10.0], [11.0, 44.0, 11.0]
    assert ratios(ours, theirs) == pytest.approx([1.1, 1.1, 1.1])


@given(st.lists(st.tuples(FIGURES, FIGURES), min_size=1))
def test_swapping_the_sides_turns_each_ratio_over(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = [one for one, _ in pairs], [two for _, two in pairs]
    for ratio, turned in zip(ratios(ours, theirs), ratios(theirs, ours), strict=True):
        assert ratio * turned == pytest.approx(1)


def test_differences_are_taken_pair_by_pair() -> None:
    assert differences([5.0, 7.0], [4.0, 9.0]) == [1.0, -2.0]


def test_figures_without_a_partner_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="zip"):
        differences([1.0], [1.0, 2.0])


def test_a_ratio_to_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        ratios([1.0], [0.0])


@pytest.mark.parametrize(
    ("value", "met", "words"),
    [
        (1.03, True, "met          cold: 1.030 (at most 1.030)"),
        (1.0301, False, "NOT MET      cold: 1.030 (at most 1.030)"),
        (None, None, "not measured cold: - (at most 1.030)"),
    ],
)
def test_a_threshold_is_met_up_to_its_limit(value: float | None, met: bool | None, words: str) -> None:
    threshold = Threshold("cold", 1.03, "", value)
    assert threshold.met is met
    assert threshold.words() == words
    assert threshold.to_json() == {"name": "cold", "limit": 1.03, "unit": "", "value": value, "met": met}


def test_a_threshold_shows_its_unit() -> None:
    assert Threshold("no-op", 120, "ms", 87.25).words() == "met          no-op: 87.25 ms (at most 120 ms)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (3.0, "3"),
        (1.0394, "1.039"),
        (-0.5, "-0.500"),
        (12.345, "12.35"),
        (123.456, "123.5"),
        (64888.4, "64888"),
    ],
)
def test_numbers_have_about_four_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text


def test_who_goes_first_alternates() -> None:
    assert [order(pair)[0] for pair in range(4)] == ["plain", "sandboxed", "plain", "sandboxed"]
    assert all(sorted(order(pair)) == ["plain", "sandboxed"] for pair in range(4))
