"""What Rust's literals stand for. Source: the Rust reference, "Tokens"."""

from __future__ import annotations

import re
from typing import TypeAlias

Number: TypeAlias = int | None

_PREFIX = re.compile(r"(?:b|c)?(r?)(#*)\"", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:x(?P<hex>[0-9a-fA-F]{2})|u\{(?P<uni>[0-9a-fA-F_]{1,12})\}|(?P<skip>\r?\n\s*)|(?P<one>.))", re.DOTALL
)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\", "'": "'", '"': '"'}
_SUFFIX = re.compile(r"(?:[iu](?:8|16|32|64|128|size))$")
_MAX_DIGITS = 40


def string(literal: str) -> tuple[str, bytes]:
    """The text of a string literal of any kind, and its bytes. What is no whole literal is taken as it stands.

    In byte and C strings `\\xff` is that byte; the text then has the character of that number in its place.
    """
    start = _PREFIX.match(literal)
    if start is None:
        return literal, literal.encode("utf-8", "replace")
    end = '"' + start.group(2)
    body = literal[start.end() :].removesuffix(end)
    if start.group(1):
        return body, body.encode("utf-8", "replace")
    text = _ESCAPE.sub(_unescape, body)
    encoding = "latin-1" if literal[0] in "bc" else "utf-8"
    try:
        return text, text.encode(encoding)
    except UnicodeEncodeError:
        return text, text.encode("utf-8", "replace")


def number(literal: str) -> Number:
    """The value of an integer, byte or character literal; None for others and for absurdly long ones."""
    if literal.startswith(("b'", "'")) and literal.endswith("'") and len(literal) > 2:
        text = _ESCAPE.sub(_unescape, literal.removeprefix("b")[1:-1])
        return ord(text) if len(text) == 1 else None
    digits = literal.replace("_", "").lower()
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    digits = _SUFFIX.sub("", digits)
    if len(digits) > _MAX_DIGITS:
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def _unescape(match: re.Match[str]) -> str:
    if match["hex"]:
        return chr(int(match["hex"], 16))
    if match["uni"]:
        code = int(match["uni"].replace("_", "") or "0", 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
    if match["skip"]:
        return ""
    return _SIMPLE.get(match["one"], match["one"])
