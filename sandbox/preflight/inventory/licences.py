"""Licence expressions as Cargo.toml has them, brought into the normal form of SPDX 2.3, annex D.

Cargo's book: `license` is an SPDX 2.3 expression; "previously multiple licenses could be separated with a `/`, but that
usage is deprecated", and it meant OR. Operators in small letters and ids in other letters are put right as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sandbox.preflight.inventory.model import Licence

MAX_LENGTH = 1000
"""Longest text that is read as an expression, in characters; the longest one in use has some 200."""

MAX_DEPTH = 32
"""Deepest nesting of parentheses."""

_TOKEN = re.compile(r"\s*([()/]|[^\s()/]+)")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\+?")
_REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_OPERATORS = {"or": "OR", "and": "AND", "with": "WITH", "/": "OR"}
_EXCEPTIONS = frozenset({"GPL-CC-1.0", "LLGPL", "Linux-syscall-note", "SHL-2.0", "SHL-2.1"})

Fixup = Callable[[str], str | None]
"""The id as the SPDX list writes it, None for one that is not on it."""


class _Node(NamedTuple):
    """`operator` is OR or AND; empty for a licence, whose text is `word`."""

    operator: str
    parts: tuple[_Node, ...]
    word: str = ""


class _NoExpression(Exception):
    """The text is no SPDX expression."""


def spdx_ids() -> Fixup:
    """The list of ids that the CycloneDX library carries, exceptions included. Imported late: it costs 0.2 s."""
    from cyclonedx.spdx import fixup_id

    return fixup_id


def read(text: str, fixup: Fixup) -> Licence:
    """What a `license` value says: an expression in normal form, or other words. Never raises."""
    stated = text.strip()
    if not stated:
        return Licence("none")
    try:
        return Licence("expression", _render(_parse(stated, fixup)))
    except _NoExpression:
        return Licence("other", stated)


def sort_key(expression: str, fixup: Fixup) -> str:
    """Equal for expressions that differ in order or repetition alone; other text as it is."""
    try:
        return _render(_sorted(_parse(expression, fixup)))
    except _NoExpression:
        return expression


def references(expression: str) -> tuple[str, ...]:
    """The `LicenseRef-…` ids in an expression, sorted."""
    words = re.split(r"[\s()]+", expression)
    return tuple(sorted({word for word in words if word.startswith("LicenseRef-")}))


def _parse(text: str, fixup: Fixup) -> _Node:
    if len(text) > MAX_LENGTH:
        raise _NoExpression
    tokens = _tokens(text)
    # One stack of sums per open parenthesis: a sum is a list of products, a product a list of licences.
    stack: list[list[list[_Node]]] = [[[]]]
    wants = True  # an operand comes next
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        operator = _OPERATORS.get(token.lower())
        if token == "(":
            if not wants or len(stack) > MAX_DEPTH:
                raise _NoExpression
            stack.append([[]])
        elif token == ")":
            if wants or len(stack) == 1:
                raise _NoExpression
            done = _sum(stack.pop())
            stack[-1][-1].append(done)
        elif operator is None:
            if not wants:
                raise _NoExpression
            word = _licence(token, fixup)
            if at + 1 < len(tokens) and _OPERATORS.get(tokens[at].lower()) == "WITH":
                word, at = f"{word} WITH {_exception(tokens[at + 1], fixup)}", at + 2
            stack[-1][-1].append(_Node("", (), word))
            wants = False
        else:
            if wants or operator == "WITH":
                raise _NoExpression
            if operator == "OR":
                stack[-1].append([])
            wants = True
    if wants or len(stack) != 1:
        raise _NoExpression
    return _sum(stack[0])


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NoExpression
        found.append(match[1])
        at = match.end()
    return found


def _licence(word: str, fixup: Fixup) -> str:
    if _REFERENCE.fullmatch(word):
        return word
    if not _ID.fullmatch(word):
        raise _NoExpression
    known = fixup(word)
    if known is None and word.endswith("+"):
        bare = fixup(word[:-1])
        known = bare and f"{bare}+"
    if known is None or _is_exception(known):
        raise _NoExpression
    return known


def _exception(word: str, fixup: Fixup) -> str:
    known = fixup(word) if _ID.fullmatch(word) else None
    if known is None or not _is_exception(known):
        raise _NoExpression
    return known


def _is_exception(known: str) -> bool:
    """The list does not tell licences and exceptions apart; their names do, with these few besides. The deprecated
    `GPL-2.0-with-…-exception` are licences."""
    return known in _EXCEPTIONS or ("exception" in known.lower() and "-with-" not in known)


def _sum(products: Iterable[list[_Node]]) -> _Node:
    return _join("OR", [_join("AND", product) for product in products])


def _join(operator: str, parts: list[_Node]) -> _Node:
    return parts[0] if len(parts) == 1 else _Node(operator, tuple(_flat(operator, parts)))


def _flat(operator: str, parts: Iterable[_Node]) -> list[_Node]:
    found: list[_Node] = []
    for part in parts:
        found += part.parts if part.operator == operator else (part,)
    return found


def _sorted(node: _Node) -> _Node:
    if not node.operator:
        return node
    # Where repetition is gone a sum may be left of a product, and belongs to the sum around it.
    parts = {_render(part): part for part in _flat(node.operator, map(_sorted, node.parts))}
    return _join(node.operator, [parts[text] for text in sorted(parts)])


def _render(node: _Node) -> str:
    if not node.operator:
        return node.word
    words = []
    for part in node.parts:
        text = _render(part)
        words.append(f"({text})" if node.operator == "AND" and part.operator == "OR" else text)
    return f" {node.operator} ".join(words)
