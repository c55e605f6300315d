"""Which of a set of names another one resembles, how much, and why, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sandbox.judge.model import Severity
from sandbox.preflight.names.distance import Edit, deletions, one_edit
from sandbox.preflight.names.shape import ascii_twin, joined, looks, lower, unnumbered, words

SHORTEST = 4
"""Letters that a name must have to be imitated: among shorter ones everything is one letter away."""

# Words that say nothing, so that the name without them is what people read.
_ENDS = frozenset(
    "rs rust rustlang lib crate crates official latest new main real fixed org dev next check checks".split()
)
_BRANDS = "google microsoft amazon aws apple meta facebook github gitlab mozilla rustlang dtolnay"
_STARTS = frozenset(f"rs rust rustlang lib crate official the new real my {_BRANDS}".split())
# Words with which honest crates extend others: enough only for a name that everybody knows.
_PARTS = frozenset("sys core macros macro derive utils util api client sdk".split())


class Resemblance(NamedTuple):
    """`name` looks like `target`. `why` is a sentence's end that begins with a verb: `is one letter away (…)`."""

    target: str
    kind: str
    severity: Severity
    why: str

    def sentence(self, name: str) -> str:
        """For people. Both names are as hostile as they came."""
        return f"`{name}` {self.why} `{self.target}`"


class Index:
    """Names that may be imitated, with keys made once. `weights`: in how many projects each is used; what is used in
    more than `everywhere` of them is known to everybody."""

    def __init__(self, weights: Mapping[str, int], everywhere: int = 20, many: int = 8) -> None:
        self._weights = {name: weight for name, weight in weights.items() if len(name) >= SHORTEST}
        self._everywhere, self._many = everywhere, many
        self._lower: dict[str, str] = {}
        self._joined: dict[str, str] = {}
        self._looks: dict[str, str] = {}
        self._ordered: dict[tuple[str, ...], str] = {}
        self._plain: dict[str, str] = {}
        self._near: dict[str, list[str]] = {}
        # The most used name wins where two have a form in common.
        for name in sorted(self._weights, key=lambda one: (self._weights[one], one)):
            self._add(name)

    def _add(self, name: str) -> None:
        form = lower(name)
        self._lower[form] = self._joined[joined(form)] = self._looks[looks(joined(form))] = name
        parts = words(form)
        if len(parts) > 1:
            self._ordered[tuple(sorted(parts))] = name
        plain = unnumbered(form)
        if plain != form and len(plain) >= SHORTEST:
            self._plain[plain] = name
        # Without separators, so that one moved and one letter changed are found together.
        for key in deletions(joined(form)):
            self._near.setdefault(key, []).append(name)

    def find(self, name: str) -> Resemblance | None:
        """The strongest resemblance; None when there is none, or the name is one of the set itself."""
        if name in self._weights:
            return None
        twin = ascii_twin(name)
        form = lower(twin)
        if not name.isascii():
            return self._alike(name, form)
        if form in self._lower:
            return self._as(self._lower[form], "separators", "high", "has other separators than")
        for search in (self._separators, self._signs, self._order, self._letter, self._number, self._affix):
            found = search(form)
            if found is not None:
                return found
        return None

    def _alike(self, name: str, form: str) -> Resemblance | None:
        target = self._lower.get(form) or self._looks.get(looks(joined(form)))
        if target is None:
            return None
        odd = ", ".join(dict.fromkeys(f"U+{ord(char):04X}" for char in name if not char.isascii()))
        return self._as(target, "homoglyphs", "high", f"is made to look (with {odd}) like")

    def _separators(self, form: str) -> Resemblance | None:
        target = self._joined.get(joined(form))
        return None if target is None else self._as(target, "separators", "high", "has other separators than")

    def _signs(self, form: str) -> Resemblance | None:
        target = self._looks.get(looks(joined(form)))
        if target is None:
            return None
        why = "has signs that look alike (0 and o, 1 and l, rn and m) in place of those of"
        return self._as(target, "homoglyphs", "high", why)

    def _order(self, form: str) -> Resemblance | None:
        parts = words(form)
        target = self._ordered.get(tuple(sorted(parts))) if len(parts) > 1 else None
        return None if target is None else self._as(target, "order", "high", "has the words, in another order, of")

    def _letter(self, form: str) -> Resemblance | None:
        best: tuple[int, str, Edit] | None = None
        for key in deletions(joined(form)):
            for target in self._near.get(key, ()):
                edit = one_edit(joined(lower(target)), joined(form))
                if edit and not _numbers(edit) and (best is None or (self._weights[target], target) > best[:2]):
                    best = self._weights[target], target, edit
        if best is None:
            return None
        _, target, edit = best
        severity = self._letter_severity(form, target, edit)
        return severity and self._as(target, "letter", severity, f"is one letter away ({_said(edit)}) from")

    def _letter_severity(self, form: str, target: str, edit: Edit) -> Severity | None:
        weight, length = self._weights[target], min(len(form), len(target))
        # Another first letter is seen at once, and honest names differ in it.
        first = edit.kind != "swapped" and not edit.at
        if weight >= self._everywhere and (length >= 5 or (edit.kind == "added" and edit.new == "s")):
            return "high" if (length >= 7 and not first) or edit.kind == "swapped" else "medium"
        if weight >= self._many and length >= 7 and not first and one_edit(lower(target), form):
            return "high"
        return "medium" if length >= 7 and (weight >= self._many or not first) else None

    def _number(self, form: str) -> Resemblance | None:
        plain = unnumbered(form)
        if plain == form:
            target = self._plain.get(form)
            return (target and self._as(target, "number", "medium", "lacks the number of")) or None
        target = self._lower.get(plain)
        if target is not None and (len(plain) > SHORTEST or self._weights[target] >= self._everywhere):
            return self._as(target, "number", "medium", "has a number more than")
        if (target := self._plain.get(plain)) is not None:
            everywhere = self._weights[target] >= self._everywhere and len(plain) >= 6
            return self._as(target, "number", "high" if everywhere else "medium", "has another number than")
        return None

    def _affix(self, form: str) -> Resemblance | None:
        parts = words(form)
        if len(parts) < 2:
            return None
        for rest, word, empty in ((parts[:-1], parts[-1], _ENDS), (parts[1:], parts[0], _STARTS)):
            way = "ends" if empty is _ENDS else "begins"
            target = self._lower.get("-".join(rest))
            if target is not None and word in empty:
                return self._as(target, "affix", "medium", f"{way} in `{word}` and is otherwise")
            if target is not None and word in _PARTS and self._weights[target] >= self._everywhere:
                return self._as(target, "affix", "low", f"{way} in `{word}` and is otherwise")
            target = self._plain.get("-".join(rest))
            if target is not None and len(word) < 3 and self._weights[target] >= self._everywhere:
                return self._as(target, "affix", "medium", f"{way} in `{word}`, where a number should be, of")
        return None

    def _as(self, target: str, kind: str, severity: Severity, why: str) -> Resemblance:
        if severity == "high" and self._weights[target] < self._many:
            severity = "medium"
        return Resemblance(target, kind, severity, why)


def _numbers(edit: Edit) -> bool:
    """Numbers are told apart by reading: `sha1` and `sha2` are brothers."""
    return edit.kind != "swapped" and all(part.isdigit() or not part for part in (edit.old, edit.new))


def _said(edit: Edit) -> str:
    if edit.kind == "replaced":
        return f"`{edit.new}` for `{edit.old}`"
    if edit.kind == "swapped":
        return f"`{edit.new}` for `{edit.old}`, swapped"
    return f"`{edit.new or edit.old}` {edit.kind}"
