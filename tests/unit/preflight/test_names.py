"""Names that look like others are told, with the reason; honest ones are left in peace."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.lockfile import LockedPackage
from sandbox.policy.model import Permit
from sandbox.preflight.model import Answer, Subject, Wishes
from sandbox.preflight.names import CHECKS, lookalike
from sandbox.preflight.names.distance import deletions, one_edit
from sandbox.preflight.names.known import known
from sandbox.preflight.names.resemble import Index
from sandbox.preflight.names.shape import ascii_twin, joined, looks, lower

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
GIT = "git+https://git.invalid/x?rev=1#1"
TODAY = date(2026, 11, 29)
NAMES = st.text("abcdeo01lrnm-_", min_size=1, max_size=12)


def _locked(*names: str, source: str | None = CRATES_IO) -> tuple[LockedPackage, ...]:
    return tuple(LockedPackage(name, "1.0.0", source, "a" * 64) for name in names)


def _run(locked: tuple[LockedPackage, ...], wishes: Wishes | None = None) -> Answer:
    return lookalike.run(Subject(Path("/x/Cargo.lock"), locked, TODAY, wishes=wishes or Wishes()))


def _found(*names: str, source: str | None = CRATES_IO, wishes: Wishes | None = None) -> list[tuple[str, str]]:
    return [(one.code, one.severity) for one in _run(_locked(*names, source=source), wishes).findings]


@pytest.mark.parametrize(
    ("name", "severity", "words"),
    [
        ("serde_jsom", "high", "`serde_jsom` is one letter away (`m` for `n`) from `serde_json`"),
        ("serde_jsno", "high", "`serde_jsno` is one letter away (`no` for `on`, swapped) from `serde_json`"),
        ("reqwests", "high", "`reqwests` is one letter away (`s` added) from `reqwest`"),
        ("num_cpu", "high", "`num_cpu` is one letter away (`s` dropped) from `num_cpus`"),
        ("tokoi", "high", "`tokoi` is one letter away (`oi` for `io`, swapped) from `tokio`"),
        ("rands", "medium", "`rands` is one letter away (`s` added) from `rand`"),
        ("serdejsom", "high", "`serdejsom` is one letter away (`m` for `n`) from `serde_json`"),
        ("t0kio", "high", "signs that look alike"),
        ("crossbearn-utils", "high", "signs that look alike"),
        ("1ibc", "high", "signs that look alike"),
        ("lazystatic", "high", "`lazystatic` has other separators than `lazy_static`"),
        ("bit-flags", "high", "`bit-flags` has other separators than `bitflags`"),
        ("if-cfg", "high", "`if-cfg` has the words, in another order, of `cfg-if`"),
        ("proc-macro1", "high", "`proc-macro1` has another number than `proc-macro2`"),
        ("proc-macro", "medium", "`proc-macro` lacks the number of `proc-macro2`"),
        ("proc-macro-en", "medium", "`proc-macro-en` ends in `en`, where a number should be, of `proc-macro2`"),
        ("serde9", "medium", "`serde9` has a number more than `serde`"),
        ("tokio-rs", "medium", "`tokio-rs` ends in `rs` and is otherwise `tokio`"),
        ("rust-anyhow", "medium", "`rust-anyhow` begins in `rust` and is otherwise `anyhow`"),
        ("microsoft-reqwest", "medium", "begins in `microsoft`"),
        ("anyhow-sys", "low", "`anyhow-sys` ends in `sys` and is otherwise `anyhow`"),
    ],
)
def test_a_look_alike_is_told_with_its_reason(name: str, severity: str, words: str) -> None:
    answer = _run(_locked(name))
    assert [(one.code, one.severity) for one in answer.findings] == [("CS0520", severity)]
    assert words in answer.findings[0].detail


@pytest.mark.parametrize(
    "name",
    [
        "s\u0435rde", "\u0455erde_json", "tok\u0131o", "serde\u200b_json", "\uff53erde", "t\u00f6kio",
        "serde\u2010json", "anyh\u03bfw",
    ],
)  # fmt: skip
def test_letters_of_other_scripts_that_look_the_same_are_told(name: str) -> None:
    answer = _run(_locked(name, source=GIT))
    assert [(one.code, one.severity) for one in answer.findings] == [("CS0520", "high")]
    assert "U+" in answer.findings[0].detail


@pytest.mark.parametrize(
    "name",
    [
        "serde-json",
        "num-cpus",
        "sha1",
        "sha3",
        "base32",
        "md4",
        "csbench-honest",
        "\u043d\u0430\u0443\u043a\u0430",
        "mio",
        "ab",
        "x",
        "",
    ],
)
def test_honest_names_are_left_in_peace(name: str) -> None:
    assert all(severity not in ("high", "critical") for _, severity in _found(name))


def test_well_known_crates_are_never_told_against_each_other() -> None:
    assert _run(_locked(*known().projects)).findings == ()
    assert len(known().targets) >= 1500


def test_another_spelling_is_the_same_crate_on_crates_io_alone() -> None:
    assert _found("serde-json") == []
    assert _found("serde-json", source=GIT) == [("CS0520", "high")]


def test_a_name_can_be_allowed_with_a_reason_until_a_day() -> None:
    let = Permit("serde_jsom", "ours, published by mistake", date(2026, 11, 29))
    answer = _run(_locked("serde_jsom"), Wishes(names=(let,)))
    assert answer.findings == () and "ours, published by mistake" in answer.notes[0]
    for broken in (Permit("serde_jsom", " "), Permit("serde_jsom", "x", date(2026, 11, 28)), Permit("serde", "x")):
        assert _found("serde_jsom", wishes=Wishes(names=(broken,))) == [("CS0520", "high")]
    assert "expired on 2026-11-28" in _run((), Wishes(names=(Permit("a", "b", date(2026, 11, 28)),))).notes[0]


def test_who_needs_a_look_alike_is_told() -> None:
    users = tuple(LockedPackage(f"csbench-{n}", "2.0.0", CRATES_IO, "b", ("serde_jsom 1.0.0",)) for n in "abcde")
    assert _run((*users, *_locked("serde_jsom"))).findings[0].tree == (
        "needed by csbench-a 2.0.0", "needed by csbench-b 2.0.0", "needed by csbench-c 2.0.0", "and by 2 more",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("csbench-biling", [("CS0521", "high")]),
        ("csbench_billing", [("CS0521", "high")]),
        ("billing-csbench", [("CS0521", "high")]),
        ("csbench-billing", []),
        ("csbench-other", []),
        ("acrne-tools", [("CS0521", "high")]),
        ("acmee-tools", [("CS0521", "medium")]),
        ("acme-tools", []),
        ("acne", []),
    ],
)
def test_names_like_the_projects_own_are_told(name: str, expected: list[tuple[str, str]]) -> None:
    assert _found(name, wishes=Wishes(internal=("csbench-billing", "acme-*"))) == expected


def test_names_like_the_workspaces_own_packages_are_told_and_its_own_never() -> None:
    own = _locked("csbench-frontend", "serde_jsom", source=None)
    answer = _run((*own, *_locked("csbench-fronted")))
    assert [(one.code, one.severity, one.package) for one in answer.findings] == [
        ("CS0521", "medium", "csbench-fronted")
    ]


def test_a_graph_of_absurd_size_is_not_called_clean() -> None:
    answer = _run(_locked(*(f"n{at}" for at in range(lookalike.MOST + 1))))
    assert (answer.state, answer.findings) == ("not done", ()) and "more than" in answer.why


def test_a_thousand_strangers_are_looked_at_in_little_time() -> None:
    lookalike.well_known.cache_clear()
    locked = _locked(*(f"csbench-{at * 7919 % 100003:x}-made-up-name" for at in range(1000)))
    start = time.process_time()
    assert _run(locked).looked_at == 1000
    # Measured: 0.09 s; the machine of the tests may be slow and busy.
    assert time.process_time() - start < 0.5


def test_the_check_of_names_is_a_fast_one_and_that_of_manifests_is_not() -> None:
    assert [(check.name, check.fast) for check in CHECKS] == [("names", True), ("identity", False)]


@given(NAMES, st.integers(0, 20), st.sampled_from("abx-"), st.sampled_from(["replace", "add", "drop", "swap"]))
def test_one_change_of_a_letter_is_found_again(name: str, at: int, letter: str, how: str) -> None:
    at %= len(name)
    made = {
        "replace": name[:at] + letter + name[at + 1 :],
        "add": name[:at] + letter + name[at:],
        "drop": name[:at] + name[at + 1 :],
        "swap": name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
    }[how]
    edit = one_edit(name, made)
    assert (edit is None) == (name == made)
    assert set(deletions(name)) & set(deletions(made))
    if edit is not None:
        assert name[: edit.at] + edit.new + name[edit.at + len(edit.old) :] == made


@given(NAMES, NAMES)
def test_one_edit_is_symmetric_and_no_more_than_one(a: str, b: str) -> None:
    there, back = one_edit(a, b), one_edit(b, a)
    assert (there is None) == (back is None)
    if there is not None:
        assert abs(len(a) - len(b)) <= 1 and a != b


@given(st.text(max_size=200))
def test_forms_of_a_name_are_stable_and_never_fail(name: str) -> None:
    once = lower(ascii_twin(name))
    assert lower(once) == once or not once.isascii()
    assert joined(joined(once)) == joined(once)
    assert len(looks(once)) <= len(once)


@given(st.lists(st.text(max_size=70), max_size=6))
def test_any_names_at_all_get_an_answer(names: list[str]) -> None:
    assert _run(_locked(*names), Wishes(internal=("acme-*", *names[:2]))).state == "done"


@given(st.lists(NAMES, min_size=1, max_size=8), NAMES)
def test_what_is_found_is_one_of_the_set_and_never_the_name_itself(targets: list[str], name: str) -> None:
    found = Index(dict.fromkeys(targets, 50)).find(name)
    assert found is None or (found.target in targets and found.target != name and name not in targets)
