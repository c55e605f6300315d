"""Nothing that a build prints can do more to a terminal than cargo does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.run.terminal import TerminalFilter


def through(*pieces: bytes) -> bytes:
    made = TerminalFilter()
    return b"".join(made.feed(piece) for piece in pieces) + made.finish()


@pytest.mark.parametrize(
    "text",
    [
        b"plain\n\ttext\r\n",
        b"\x1b[1m\x1b[32m   Compiling\x1b[0m serde v1\n",
        b"\r\x1b[K    Building [====> ] 3/9",
        "Grüße 🦀 ✓\n".encode(),
        b"\x1b]8;;https://doc.rust-lang.org/\x1b\\E0308\x1b]8;;\x1b\\",
        b"\x1b]9;4;1;50\x1b\\",
        b"\x1b[38;5;12mblue\x1b[39m",
    ],
)
def test_what_cargo_prints_passes_unchanged(text: bytes) -> None:
    assert through(text) == text


@pytest.mark.parametrize(
    "text",
    [
        b"\x1b]52;c;aGk=\x07",
        b"\x1b]0;title\x07",
        b"\x1b[2J",
        b"\x1b[1A",
        b"\x1b[6n",
        b"\x1bc",
        b"\x1bP+q544e\x1b\\",
        b"\x07",
        b"\x08",
        b"\xc2\x9b",
        "\u202e".encode(),
        "\u2066".encode(),
        b"\x1b]8;;file:///etc/passwd\x1b\\",
        b"\x1b]8;;javascript:x\x07",
    ],
)
def test_what_cargo_never_prints_is_dropped(text: bytes) -> None:
    assert through(b"a" + text + b"b") == b"ab"


def test_a_sequence_cut_anywhere_is_treated_as_if_it_were_whole() -> None:
    text = b"a\x1b[31mred\x1b]52;c;aGk=\x07\x1b[0mb\xe2\x80\xaec\xf0\x9f\xa6\x80"
    whole = through(text)
    for cut in range(len(text)):
        assert through(text[:cut], text[cut:]) == whole


def test_memory_stays_bounded_by_an_endless_sequence() -> None:
    made = TerminalFilter()
    for _ in range(200):
        made.feed(b"\x1b]52;" + b"A" * 10_000)
        assert len(made._pending) < 5000


_dangerous = re.compile(rb"\x1b(?!\[[0-9;:]*m|\[[0-2]?K|\]8;|\]9;4;|\\)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_input_gets_a_dangerous_byte_through(pieces: list[bytes]) -> None:
    out = through(*pieces)
    assert not _dangerous.search(out.replace(b"\x07", b""))
