"""Licence expressions: the normal form, what is put right, and what is no expression at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.preflight.inventory import licences
from sandbox.preflight.inventory.licences import read, references, sort_key, spdx_ids

FIXUP = spdx_ids()


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("MIT", "MIT"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("MIT / Apache-2.0/Zlib", "MIT OR Apache-2.0 OR Zlib"),
        ("MIT or Apache-2.0", "MIT OR Apache-2.0"),
        ("mit OR apache-2.0", "MIT OR Apache-2.0"),
        ("  MIT  ", "MIT"),
        ("(MIT)", "MIT"),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", "(MIT OR Apache-2.0) AND Unicode-3.0"),
        ("MIT OR (Apache-2.0 OR Zlib)", "MIT OR Apache-2.0 OR Zlib"),
        ("MIT OR (Apache-2.0 AND Zlib)", "MIT OR Apache-2.0 AND Zlib"),
        ("(MIT/Apache-2.0) AND BSD-3-Clause", "(MIT OR Apache-2.0) AND BSD-3-Clause"),
        ("apache-2.0 with llvm-exception", "Apache-2.0 WITH LLVM-exception"),
        ("GPL-2.0-only WITH Linux-syscall-note", "GPL-2.0-only WITH Linux-syscall-note"),
        ("GPL-2.0-with-classpath-exception", "GPL-2.0-with-classpath-exception"),
        ("Apache-2.0+", "Apache-2.0+"),
        ("GPL-2.0+", "GPL-2.0+"),
        ("LicenseRef-acme OR MIT", "LicenseRef-acme OR MIT"),
        ("DocumentRef-x:LicenseRef-acme", "DocumentRef-x:LicenseRef-acme"),
    ],
)
def test_an_expression_is_brought_into_its_normal_form(written: str, normal: str) -> None:
    assert read(written, FIXUP) == ("expression", normal)
    assert read(normal, FIXUP) == ("expression", normal)


@pytest.mark.parametrize(
    "written",
    [
        "Apache", "MIT OR", "OR MIT", "MIT Apache-2.0", "(MIT", "MIT)", "()", "MIT OR ()", "MIT AND OR Zlib", "/",
        "MIT WITH", "MIT WITH Apache-2.0", "MIT WITH no-such-exception", "LLVM-exception", "MIT//Zlib", "MIT;Zlib",
        "MIT WITH LLVM-exception WITH LLVM-exception", "Apache-2.0++", "LicenseRef-", "see LICENSE", "non-standard",
        "MIT, Apache-2.0", "MÍT", "MIT\x1b[2J", "MIT OR " * 200 + "MIT", "(" * 33 + "MIT" + ")" * 33, "(MIT) (Zlib)",
        "MIT (Zlib)", "MIT ()", "() MIT", "(MIT OR) Zlib",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_kept_as_other_words(written: str) -> None:
    assert read(written, FIXUP) == ("other", written)


def test_an_empty_text_is_no_licence() -> None:
    assert read(" \n", FIXUP).state == "none"


def test_thirty_two_parentheses_are_an_expression_and_ten_thousand_end_no_stack() -> None:
    assert read("(" * 32 + "MIT" + ")" * 32, FIXUP) == ("expression", "MIT")
    assert read("(" * 10_000, FIXUP).state == "other"


def test_order_and_repetition_make_no_other_licence_for_a_count() -> None:
    assert sort_key("MIT OR Apache-2.0", FIXUP) == sort_key("Apache-2.0 OR MIT OR MIT", FIXUP) == "Apache-2.0 OR MIT"
    assert sort_key("Zlib AND (MIT OR ISC)", FIXUP) == "(ISC OR MIT) AND Zlib"
    assert sort_key("MIT AND ISC", FIXUP) != sort_key("MIT OR ISC", FIXUP)
    assert sort_key("MIT OR (MIT OR ISC) AND (ISC OR MIT)", FIXUP) == "ISC OR MIT"
    assert sort_key("ask us", FIXUP) == "ask us"


def test_references_are_found_wherever_they_stand() -> None:
    assert references("(LicenseRef-b OR MIT) AND LicenseRef-a") == ("LicenseRef-a", "LicenseRef-b")


IDS = st.sampled_from(["MIT", "Apache-2.0", "ISC", "LicenseRef-a", "Apache-2.0 WITH LLVM-exception", "GPL-2.0+"])
TREES = st.recursive(
    IDS,
    lambda inner: st.builds(
        lambda parts, word: f"({word.join(parts)})",
        st.lists(inner, min_size=2, max_size=3),
        st.sampled_from([" OR ", " AND ", "/", " or "]),
    ),
    max_leaves=12,
)


@given(TREES)
def test_whatever_follows_the_grammar_is_read_and_its_normal_form_stays_as_it_is(text: str) -> None:
    found = read(text, FIXUP)
    assert found.state == "expression"
    assert read(found.text, FIXUP) == found
    assert "/" not in found.text and " or " not in found.text
    assert _means(found.text) == _means(text.replace("/", " OR ").replace(" or ", " OR "))
    key = sort_key(found.text, FIXUP)
    assert _means(key) == _means(found.text) and sort_key(key, FIXUP) == key


def _means(text: str) -> list[bool]:
    """Which sets of accepted licences satisfy an expression: Python's own `and` and `or` bind as SPDX's do."""
    atoms = ("Apache-2.0 WITH LLVM-exception", "LicenseRef-a", "Apache-2.0", "GPL-2.0+", "MIT", "ISC")
    for number, atom in enumerate(atoms):
        text = text.replace(atom, f"v[{number}]")
    code = compile(text.replace("OR", "or").replace("AND", "and"), "expression", "eval")
    return [
        eval(code, {"v": [bool(mask >> bit & 1) for bit in range(len(atoms))]})  # (made of our own atoms alone)
        for mask in range(1 << len(atoms))
    ]


@given(st.text(max_size=1500))
def test_any_text_gets_an_answer_and_loses_no_word(text: str) -> None:
    found = read(text, FIXUP)
    assert found.state in ("expression", "other", "none")
    if found.state == "other":
        assert found.text == text.strip()


@given(st.text("()/ MITORANDWH+-.0", max_size=60))
def test_texts_of_the_grammars_own_signs_do_no_harm(text: str) -> None:
    found = read(text, FIXUP)
    if found.state == "expression":
        assert read(found.text, FIXUP) == found


def test_a_text_over_the_limit_is_no_expression_even_if_it_reads_as_one() -> None:
    text = " OR ".join(["MIT"] * 200)
    assert len(text) > licences.MAX_LENGTH
    assert read(text, FIXUP).state == "other"
