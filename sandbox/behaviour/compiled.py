"""For what a compile was made, by its command line: told with a behaviour as its context, and no part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sandbox.behaviour.normalise import Normaliser, escape, stored_text

MOST_FEATURES = 500
"""Features of one compile that are kept."""

_FEATURE = 'feature="'
_MOST_LETTERS = 200


class Compiled(NamedTuple):
    """`features` in order; `target` as after rustc's `--target`, empty for the host. A crate's build script can add to
    this line (`rustc-cfg`), so neither is proof of what the user asked for."""

    features: tuple[str, ...] = ()
    target: str = ""


def compiled(argv: object, names: Normaliser) -> Compiled:
    """What a compiler's arguments say, as the record has them; what was cut there is missing here."""
    words = [stored_text(word) for word in argv] if isinstance(argv, list) else []
    features = {
        str(escape(value[len(_FEATURE) : -1]))
        for value in _values(words, "--cfg")
        if value.startswith(_FEATURE) and value.endswith('"') and len(value) < _MOST_LETTERS
    }
    targets = [value for value in _values(words, "--target") if len(value) < _MOST_LETTERS]
    target = targets[-1] if targets else ""
    # A specification of one's own is a file.
    words_of = names.path(target) if target.startswith("/") else escape(target)
    return Compiled(tuple(sorted(features)[:MOST_FEATURES]), str(words_of))


def _values(words: list[str], option: str) -> Iterator[str]:
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            yield after
        elif word.startswith(option + "="):
            yield word[len(option) + 1 :]
