"""Forms of a name: names that people take for each other have a form in common. Pure.

Confusable characters: a choice from Unicode's UTS #39 `confusables.txt` of those that look like letters, digits and
separators of a crate's name in the fonts that code is read in.
"""

from __future__ import annotations

import re

MAX_NAME = 100
"""Letters of a name that are looked at: crates.io has at most 64."""

_ALIKE = {
    chr(int(pair[:-1], 16)): pair[-1]
    for pair in """
        0430a 0432b 0441c 0501d 0435e 0493f 04BBh 0456i 0458j 043Ak 04CFl 043Cm 043Fn 043Eo 0440p 051Bq 0433r 0455s
        0442t 0446u 0475v 051Dw 0445x 0443y 04AFy 044Cb 04373 03B1a 03B2b 03B3y 03B5e 03B7n 03B9i 03BAk 03BDv 03BFo
        03C1p 03C3o 03C4t 03C5u 03C7x 03C9w 0131i 0142l 00F8o 0111d 0127h 0167t 00DFb 0251a 0261g 0269i 029Fl 0280r
        A731s 0585o 0578n 057Du 0570h 0581g 0566q 1D0Fo 1D04c 1D20v 1D21w 1D22z 217Cl 01C0l 2010- 2011- 2012- 2013-
        2014- 2212- FE58- 30FC- FF3F_ 02CD_
    """.split()
}
"""Code point and what it looks like: Cyrillic, Greek, Armenian, phonetic and other letters, dashes, low lines."""

_SEPARATORS = re.compile(r"[-_.]+")
_DIGITS = str.maketrans("01", "ol")
_TRAILING = re.compile(r"[-_.]?v?\d+$")


def lower(name: str) -> str:
    """As registries compare names: small letters, one kind of separator. No longer than `MAX_NAME`."""
    return name[:MAX_NAME].lower().replace("_", "-")


def ascii_twin(name: str) -> str:
    """The name with what only looks like letters of ASCII replaced by them; what can't be seen is dropped."""
    name = name[:MAX_NAME]
    if name.isascii():
        return name
    import unicodedata

    shown = "".join(_ALIKE.get(char, char) for char in name.lower())
    broken = unicodedata.normalize("NFKD", shown)
    kept = (_ALIKE.get(char, char) for char in broken if unicodedata.category(char) not in ("Mn", "Me", "Cf", "Cc"))
    return "".join(kept)


def joined(name: str) -> str:
    """Without separators."""
    return _SEPARATORS.sub("", name)


def looks(name: str) -> str:
    """What signs look like each other become one sign: `0` and `o`, `1` and `l`, `rn` and `m`, `vv` and `w`."""
    return name.translate(_DIGITS).replace("rn", "m").replace("vv", "w")


def words(name: str) -> tuple[str, ...]:
    """Between separators, in order."""
    return tuple(part for part in _SEPARATORS.split(name) if part)


def unnumbered(name: str) -> str:
    """Without the number at its end; empty for a name that is nothing else."""
    return _TRAILING.sub("", name)
