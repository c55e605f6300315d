"""A Rust source as the flat row of its tokens, read by tree-sitter.

Rust's macros take any tokens, so what stands in `some_macro! { … }` is no more than that to a parser. The reader goes
by tokens everywhere, and so sees the same in a macro's argument as in plain code. The grammar's part is what can't be
had by looking at letters: where strings, raw strings, characters, lifetimes and nested comments begin and end, which
parts are no Rust at all, and which items belong to tests only.
"""

from __future__ import annotations

import time
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sandbox.preflight.reader.literals import Number, number, string

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

MAX_BYTES = 2 << 20
"""Largest source file that is read, in bytes. Generated bindings are larger; scripts and macros are not."""

MAX_SECONDS = 5.0
"""CPU time for the parsing of one file; ordinary ones take hundredths. Strings that never end make a grammar look
through the rest of the file again and again."""

MAX_BROKEN = 8
"""Most places that are named where a file is no Rust."""

MAX_SKIPPED = 16
"""Longest text, in bytes, that the grammar may skip before a file counts as not read."""

IDENT, PUNCT, TEXT, NUMBER, OTHER = range(5)
_STRINGS = frozenset({"string_literal", "raw_string_literal"})
_NAMES = frozenset(
    {"identifier", "field_identifier", "type_identifier", "shorthand_field_identifier", "primitive_type"}
)
_COMMENTS = frozenset({"line_comment", "block_comment"})
_BESIDES = _COMMENTS | {"attribute_item"}
_PIECE = 1 << 16
_TESTS_ONLY = b"#[cfg(test)]"
_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = frozenset(_OPEN.values())
_parsers: list[Parser] = []


class TooHard(Exception):
    """The parser had not come to an end in time."""


class Token(NamedTuple):
    """`kind` is one of IDENT (keywords too), PUNCT, TEXT (a string's value), NUMBER, OTHER. `line` counts from 1.
    `data` holds the bytes of a string, and a number's value."""

    kind: int
    text: str
    line: int
    data: bytes | Number = b""


@dataclass(frozen=True, slots=True)
class Tokens:
    """`ends[i]` is where the bracket that opens at `i` closes (or the row's end); `broken` are lines where the
    grammar is at a loss. `lost`: there is more than a word that may not be among the tokens."""

    row: tuple[Token, ...]
    ends: dict[int, int]
    broken: tuple[int, ...]
    lost: bool = False


def read(source: bytes) -> Tokens:
    """All tokens but comments and what is compiled for tests only. What is no Rust is in `broken`. Raises TooHard."""
    tree = _parse(source)
    row: list[Token] = []
    broken: list[int] = []
    lost = False
    suspect = tree.root_node.has_error
    cursor = tree.walk()
    depth, tests_at = 0, -1
    while True:
        node = cursor.node
        assert node is not None
        kind = node.type
        inside = False
        if suspect and (node.is_error or node.is_missing):
            # A part without any inner structure was skipped; a part with it is only in no known order.
            lost = (
                lost
                or len(broken) >= MAX_BROKEN
                or (node.child_count == 0 and node.end_byte - node.start_byte > MAX_SKIPPED)
            )
            if len(broken) < MAX_BROKEN:
                broken.append(node.start_point[0] + 1)
        if kind == "attribute_item" and b"".join(source[node.start_byte : node.end_byte].split()) == _TESTS_ONLY:
            tests_at = depth
        elif depth == tests_at and kind not in _BESIDES and not node.is_error:
            tests_at = -1
        elif kind in _STRINGS:
            text, data = string(source[node.start_byte : node.end_byte].decode("utf-8", "replace"))
            row.append(Token(TEXT, text, node.start_point[0] + 1, data))
        elif kind not in _COMMENTS:
            inside = cursor.goto_first_child()
            if inside:
                depth += 1
            else:
                row.append(_token(node, kind, source[node.start_byte : node.end_byte]))
        if inside:
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return Tokens(tuple(row), _brackets(row), tuple(dict.fromkeys(broken)), lost)
            depth -= 1
            if depth < tests_at:
                tests_at = -1


def _parse(source: bytes) -> Tree:
    parser, start = _parser(), time.thread_time()

    def piece(at: int, _: object) -> bytes:
        return source[at : at + _PIECE]

    def late(_: int, __: bool) -> bool:
        return time.thread_time() - start > MAX_SECONDS

    # Given all at once, the parser can't be stopped.
    try:
        return parser.parse(piece, progress_callback=late)
    except ValueError:
        parser.reset()
        raise TooHard from None


def _token(node: Node, kind: str, data: bytes) -> Token:
    line = node.start_point[0] + 1
    text = data.decode("utf-8", "replace")
    if kind in _NAMES:
        if not text.isascii():
            # As rustc does: a Kelvin sign is a K.
            text = unicodedata.normalize("NFC", text)
        return Token(IDENT, text.removeprefix("r#"), line)
    if kind == "integer_literal":
        return Token(NUMBER, text, line, number(text))
    if kind in ("char_literal", "float_literal", "boolean_literal"):
        # A byte literal is a number as any other in a table of bytes.
        value = number(text)
        return Token(OTHER if value is None else NUMBER, text, line, value)
    word = text[:1].isalpha() or text[:1] == "_"
    return Token(IDENT if word else PUNCT, text, line)


def _brackets(row: list[Token]) -> dict[int, int]:
    """Broken code may close what it never opened: the nearest open bracket of that kind is meant then, or none."""
    ends: dict[int, int] = {}
    waiting: list[int] = []
    for at, token in enumerate(row):
        if token.kind != PUNCT:
            continue
        if token.text in _OPEN:
            waiting.append(at)
        elif token.text in _CLOSE and waiting and _OPEN[row[waiting[-1]].text] == token.text:
            ends[waiting.pop()] = at
    for at in waiting:
        ends[at] = len(row)
    return ends


def _parser() -> Parser:
    if not _parsers:
        # Only who audits pays for loading these.
        import tree_sitter_rust
        from tree_sitter import Language, Parser

        _parsers.append(Parser(Language(tree_sitter_rust.language())))
    return _parsers[0]
