"""Markdown as GitHub renders it (its own cmark-gfm): nothing that a build chooses is markup there."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox.report.markdown import MAX_BYTES, render
from sandbox.report.render import markdown_code, markdown_text
from tests.unit.report.results import CONTEXT, NETWORK, VIOLATION, hostile, hostile_context

_MARKUP = "`|<>[](){}!*_~#@\\&:/.-+=\"' \n\tawx1"
_ATTACKS = [
    "`</code><img src=x onerror=alert(1)>",
    "a | b | c |",
    "\\|`| x",
    "[click](https://evil.invalid)",
    "![x](https://evil.invalid/x.png)",
    "https://evil.invalid www.evil.invalid a@evil.invalid",
    "</details><script>",
    "x\n\n# heading\n",
    "@everyone #1",
    "&lt;b&gt;",
    "``` ```",
    "\\",
    "*a* _b_ ~~c~~",
]


class Tags(HTMLParser):
    """The tags of a page with their attributes, and the text in code and outside of it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, object]] = []
        self.prose = self.code = ""
        self._code = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))
        self._code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("/" + tag, None))
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self._code:
            self.code += data
        else:
            self.prose += data


def page(markdown: str) -> Tags:
    return Tags(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))


def with_attacks(test):
    for text in _ATTACKS:
        test = example(text)(test)
    return settings(deadline=None)(given(st.one_of(st.text(max_size=40), st.text(_MARKUP, max_size=40)))(test))


@with_attacks
def test_what_a_build_chooses_changes_nothing_of_the_page_but_words(text: str) -> None:
    text = text or "x"  # without a name there is no package to be shown
    shown = page(render(hostile(text), hostile_context(text)))
    assert shown.tags == page(render(hostile("x"), hostile_context("x"))).tags
    assert "@" not in shown.prose and "#" not in shown.prose


@with_attacks
def test_a_code_span_is_one_code_span(text: str) -> None:
    assert page(f"a {markdown_code(text)} b").tags == page("a `x` b").tags
    assert page(f"|h|i|\n|-|-|\n|{markdown_code(text)}|b|").tags == page("|h|i|\n|-|-|\n|`x`|b|").tags


@with_attacks
def test_prose_is_prose(text: str) -> None:
    assert page(f"a {markdown_text(text)} b").tags == page("a x b").tags
    assert page(f"|h|i|\n|-|-|\n|a {markdown_text(text)}|b|").tags == page("|h|i|\n|-|-|\n|a x|b|").tags


@pytest.mark.parametrize("text", [text for text in _ATTACKS if text != "\\"])
def test_the_attacks_work_where_nobody_takes_care(text: str) -> None:
    """The same texts in plain Markdown, so that the tests above can fail at all."""
    careless = page(f"|h|i|\n|-|-|\n|`{text}`|a {text} b|")
    expected = page("|h|i|\n|-|-|\n|`x`|a x b|")
    changed = careless.tags != expected.tags or careless.code != text or text not in careless.prose
    assert changed or "@" in careless.prose


def test_the_page_has_a_table_and_folded_details() -> None:
    shown = page(render(VIOLATION, CONTEXT))
    opened = [tag for tag, _ in shown.tags]
    assert opened.count("tr") == 1 + len(VIOLATION.findings)
    assert opened.count("details") == opened.count("summary") == opened.count("/details") == 1
    assert opened[0] == "h2" and "violation" in shown.prose.splitlines()[0]


@pytest.mark.parametrize("letter", ["x", "ü", "\U000e0001"])
def test_a_summary_is_never_longer_than_github_shows(letter: str) -> None:
    many = tuple(
        replace(NETWORK, package=letter * 300, subject=letter * 300, detail=f"{number} " + letter * 290)
        for number in range(2_000)
    )
    text = render(replace(VIOLATION, findings=many), CONTEXT)
    assert len(text.encode()) <= MAX_BYTES
    assert "milder findings are not in this table." in text
    assert "more are left out: a summary may not be longer." in text
    assert page(text).tags[-1] == ("/p", None)
