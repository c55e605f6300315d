"""Patterns of rules: globs on normal forms, matched in time that grows with the text, whatever a build calls its files.

`**` stands for any text, `*` for any text without a slash. Nearly all are a prefix, a suffix, a part or the whole, and
need no regular expression. The few others have one made when a text passes its literal begin and end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_STARS = re.compile(r"(\*\*|\*)")


class PatternError(ValueError):
    """A pattern that would be slow or says nothing; the text says which."""


@dataclass(slots=True)
class _Odd:
    """A pattern with stars in its middle."""

    begin: str
    end: str
    text: str
    compiled: re.Pattern[str] | None = None

    def matches(self, text: str) -> bool:
        if not (text.startswith(self.begin) and text.endswith(self.end)):
            return False
        if self.compiled is None:
            self.compiled = re.compile(_regex(self.text), re.DOTALL)
        return self.compiled.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Globs:
    """Alternatives: a text matches if one of them does. `words` are the patterns as written. `stems` are the begins of
    the odd ones, `bare` those that have none, each with a part that it must hold."""

    words: tuple[str, ...]
    exact: frozenset[str] = frozenset()
    begins: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    odd: tuple[_Odd, ...] = field(default=(), compare=False)
    stems: tuple[str, ...] = field(default=(), compare=False)
    bare: tuple[tuple[str, _Odd], ...] = field(default=(), compare=False)

    def matches(self, text: str) -> bool:
        """Whether one of the patterns is the whole text."""
        return (
            text in self.exact
            or (bool(self.begins) and text.startswith(self.begins))
            or (bool(self.ends) and text.endswith(self.ends))
            or any(part in text for part in self.parts)
            or (bool(self.odd) and self._is_odd(text))
        )

    def _is_odd(self, text: str) -> bool:
        if self.stems and text.startswith(self.stems):
            return any(one.matches(text) for one in self.odd)
        return any(part in text and one.matches(text) for part, one in self.bare)


def globs(words: Iterable[str]) -> Globs:
    """Take patterns apart. Raises PatternError for an empty one, for three stars in a row, and for a `*` behind a `**`
    that is followed by other than a slash: its time would grow with the square of the text."""
    exact: set[str] = set()
    begins: list[str] = []
    ends: list[str] = []
    parts: list[str] = []
    odd: list[_Odd] = []
    kept = tuple(words)
    for word in kept:
        if not word or "***" in word:
            raise PatternError(f"not a pattern: {word!r}")
        pieces = _STARS.split(word)
        stars = pieces[1::2]
        if not stars:
            exact.add(word)
        elif stars == ["**"] and not pieces[2]:
            begins.append(pieces[0])
        elif stars == ["**"] and not pieces[0]:
            ends.append(pieces[2])
        elif stars == ["**", "**"] and not pieces[0] and not pieces[4]:
            parts.append(pieces[2])
        else:
            _check(word, pieces)
            odd.append(_Odd(pieces[0], pieces[-1], word))
    stems = tuple(one.begin for one in odd if one.begin)
    bare = tuple((max(_STARS.split(one.text)[::2], key=len), one) for one in odd if not one.begin)
    return Globs(kept, frozenset(exact), tuple(begins), tuple(ends), tuple(parts), tuple(odd), stems, bare)


def _check(word: str, pieces: list[str]) -> None:
    double = False
    for at in range(1, len(pieces), 2):
        following = pieces[at + 1]
        if pieces[at] == "**":
            double = True
        elif double and following and not following.startswith("/"):
            raise PatternError(f"a `*` behind a `**` must end its component: {word!r}")


def _regex(word: str) -> str:
    """What lies between two double stars is found at its first place and stays there: nothing is tried twice."""
    pieces = word.split("**")
    out = [_component(pieces[0])]
    for number, piece in enumerate(pieces[1:], 1):
        last = number == len(pieces) - 1
        out.append(".*" + _component(piece) if last else f"(?>.*?{_component(piece)})")
    return "".join(out)


def _component(piece: str) -> str:
    parts = [re.escape(part) for part in piece.split("*")]
    # A star is as short as it can be and stays so, but for the last one of a piece, which must reach the end.
    out = parts[0]
    for number, part in enumerate(parts[1:], 1):
        out += "[^/]*" + part if number == len(parts) - 1 else f"(?>[^/]*?{part})"
    return out
