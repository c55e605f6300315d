"""An advisory, wherever it was read."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from sandbox.cargo.files import Unreadable
from sandbox.preflight.advisories.ranges import Versions

Kind = Literal["malware", "vulnerability", "unsound", "unmaintained", "notice"]
KINDS: tuple[Kind, ...] = ("malware", "vulnerability", "unsound", "unmaintained", "notice")
"""Worst first."""

MAX_ITEMS = 1000
"""Most entries of a list that are taken from an advisory."""

MAX_TEXT = 300
"""Longest text for people that is taken from an advisory, in characters."""

UNCUT = 1 << 20
"""The limit for what is compared, as cutting could change its meaning. Files are shorter."""


class Advisory(NamedTuple):
    """What one advisory says of one package. Texts are an advisory's own: untrusted, but of bounded length.

    `aliases` name the same thing in other databases. `date` is the day it became known (ISO 8601), empty for unknown.
    `source` is the source the package comes from, as in a lock file; empty for crates.io. `vectors` are CVSS vectors,
    `rating` is the database's own word where it has one (GitHub's). `mended` are requirements as written. `functions`,
    `systems` and `architectures` narrow down what is concerned: they are shown, and nobody is let off for them, as
    cargo-audit lets nobody off unless told the target; what a build will be built for is not known here.
    """

    id: str
    package: str
    kind: Kind
    versions: Versions
    title: str = ""
    date: str = ""
    aliases: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    rating: str = ""
    mended: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    url: str = ""
    source: str = ""
    withdrawn: bool = False


def text(value: Any, what: str, *, limit: int = MAX_TEXT) -> str:
    """A text of an advisory, cut to `limit`; empty for None. Raises Unreadable for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"`{what}` is no text")
    return value[:limit]


def texts(value: Any, what: str, *, limit: int = MAX_TEXT) -> tuple[str, ...]:
    """A list of texts; empty for None. Raises Unreadable for anything else, and for more than MAX_ITEMS."""
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise Unreadable(f"`{what}` is no list of at most {MAX_ITEMS} texts")
    return tuple(text(item, what, limit=limit) for item in value)


def table(value: Any, what: str) -> dict[str, Any]:
    """A table; empty for None. Raises Unreadable for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"`{what}` is no table")
    return value


def name_key(name: str) -> str:
    """Names that crates.io takes for the same have the same key: it lets nobody publish `a-b` where there is `a_b`."""
    return name.lower().replace("-", "_")
