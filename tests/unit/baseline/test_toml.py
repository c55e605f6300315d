"""Baselines as TOML: what is written is what is read, and nothing that a stranger wrote is a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.baseline.model import Baseline, BaselineError, FactEntry, UnitEntry, VersionEntry, Waiver, in_order
from sandbox.baseline.toml import dumps, loads
from sandbox.behaviour.model import CLASSES, Fact
from tests.unit.baseline.made import CURL, accepted, script

TEXT = st.text(max_size=12)
NAMES = st.lists(TEXT, max_size=3)
FACTS = st.builds(
    Fact, st.sampled_from(CLASSES), TEXT, TEXT, TEXT, NAMES.map(tuple),
    st.dictionaries(TEXT, TEXT, max_size=3).map(lambda pairs: tuple(sorted(pairs.items()))),
)  # fmt: skip
SUMS = st.sampled_from(("", "a" * 64, "0123456789abcdef" * 4))


@st.composite
def units(draw: st.DrawFn, runs: int) -> UnitEntry:
    facts = draw(st.lists(FACTS, max_size=4, unique=True))
    seen = [FactEntry(fact, draw(st.integers(1, runs))) for fact in facts]
    macros = tuple(sorted(draw(NAMES)))
    return UnitEntry(draw(TEXT), draw(TEXT), tuple(draw(NAMES)), macros, tuple(sorted(seen)))


@st.composite
def versions(draw: st.DrawFn) -> VersionEntry:
    runs = draw(st.integers(1, 9))
    found = draw(st.lists(units(runs), max_size=3, unique_by=lambda unit: unit.identity))
    waivers = draw(st.lists(st.builds(Waiver, st.just("CS0201"), st.just("a\u202ereason")), max_size=1))
    return VersionEntry(
        draw(TEXT), draw(SUMS), runs, draw(TEXT), draw(TEXT), tuple(sorted(draw(NAMES))), draw(TEXT), draw(TEXT),
        tuple(sorted(found, key=lambda unit: unit.identity)), tuple(waivers),
    )  # fmt: skip


BASELINES = st.builds(
    lambda package, found: Baseline(package, in_order(tuple(found))),
    TEXT,
    st.lists(versions(), max_size=3, unique_by=lambda one: (one.version, one.checksum)),
)


@given(BASELINES)
def test_what_is_written_is_read_back_and_written_the_same(baseline: Baseline) -> None:
    text = dumps(baseline)
    read = loads(text)
    assert read == baseline
    assert dumps(read) == text
    # Counts are no part of a fact's equality, so they are looked at apart.
    counts = [[entry.seen for unit in one.units for entry in unit.facts] for one in baseline.versions]
    assert [[entry.seen for unit in one.units for entry in unit.facts] for one in read.versions] == counts


@given(BASELINES)
def test_no_character_that_hides_or_turns_text_round_stands_in_a_file(baseline: Baseline) -> None:
    text = dumps(baseline)
    assert not [char for char in text if char in "\u202e\u2066\u200b\ufeff\x1b\x7f\x9b\r\u2028"]
    assert not [char for char in text if ord(char) < 32 and char != "\n"]


def test_a_fact_is_one_line_and_one_more_fact_is_one_more_line() -> None:
    evil = Fact("exec", "exec", '/tmp/"\n}]\\x\u202e', "system", ("a", "b"))
    (before,) = accepted(script("ring", "1.0.0", CURL)).values()
    (after,) = accepted(script("ring", "1.0.0", CURL, evil)).values()
    one, two = dumps(before).splitlines(), dumps(after).splitlines()
    assert len(two) == len(one) + 1
    assert set(one) < set(two)


def test_a_surrogate_in_a_reason_is_written_out() -> None:
    text = dumps(Baseline("x", (VersionEntry("1.0.0", reason="caf\udce9"),)))
    assert loads(text).versions[0].reason == "caf\\udce9"


GOOD = dumps(next(iter(accepted(script("ring", "1.0.0", CURL)).values())))


@given(st.text(max_size=200))
def test_no_text_at_all_is_more_than_an_error(text: str) -> None:
    with pytest.raises(BaselineError):
        loads(text)


@given(st.integers(0, len(GOOD)), st.integers(0, 20), st.sampled_from(["", '"', "[", "1", "{}", "\x00", "[[", "= 5"]))
def test_a_broken_file_is_read_or_refused_and_never_a_crash(start: int, length: int, put: str) -> None:
    try:
        loads(GOOD[:start] + put + GOOD[start + length :])
    except BaselineError as error:
        assert error.exit_code == 2 and error.hint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema = 1", "schema = 2", "schema 2"),
        ("normaliser = 3", "normaliser = 0", "no number above 0"),
        ('class = "exec"', 'class = "dance"', "no class 'dance'"),
        ("seen = 1", "seen = 2", "seen in 2 of 1 runs"),
        ("seen = 1", "seen = true", "no number above 0"),
        ("a" * 64, "b" * 63, "no SHA-256"),
        ("runs = 1", "runs = 1\nextra = 1", "unknown key 'extra'"),
        ("facts = [", "facts = [ 5,", "`fact` is no table"),
        ("context = {", "rules = [{ id = 'CS0201', reason = ' ' }]\ncontext = {", "needs an id and a reason"),
        ('package = "ring"', "package = " + "[" * 2000 + "]" * 2000, "can't be read"),
    ],
)
def test_the_error_says_what_is_wrong(old: str, new: str, words: str) -> None:
    text = GOOD.replace("normaliser = " + GOOD.split("normaliser = ")[1].split("\n")[0], "normaliser = 3")
    assert old in text
    with pytest.raises(BaselineError) as caught:
        loads(text.replace(old, new, 1), "ring.toml")
    assert words in caught.value.message
    assert "ring.toml" in caught.value.message
