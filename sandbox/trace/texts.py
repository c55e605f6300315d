"""Strings of a record, which may be bytes that are not UTF-8. Every run loads this, so the rare case loads its own."""

from __future__ import annotations

from typing import Any, TypedDict


class Encoded(TypedDict):
    """A string that is not UTF-8: its bytes in base64."""

    b64: str


Text = str | Encoded
"""A string of a record, as it is stored."""


def raw(value: Any) -> bytes:
    """The bytes of a stored string. Anything else, and broken base64, gives no bytes."""
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
    encoded = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(encoded, str):
        return b""
    import base64

    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""


def text(value: Any) -> str:
    """A stored string as Python has it for file names: bytes that are not UTF-8 as surrogates. Never print it bare."""
    return value if isinstance(value, str) else raw(value).decode("utf-8", "surrogateescape")


def stored(value: str | bytes) -> Text:
    """The form in which a string is stored, the inverse of `raw` and `text`."""
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        import base64

        return {"b64": base64.b64encode(data).decode()}
