"""Paths and words of a record in a form that does not change from build to build.

A root becomes its token, a name that is random by nature the name of its class; nothing is dropped. What stood there
already and looks like a token is escaped: `$`, `<` and `\\` of the build's own get a backslash before them, so a file
that is called `$OUT_DIR` reads `\\$OUT_DIR`. Bytes that are not UTF-8 read `\\xNN`.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sandbox.behaviour.patterns import PATTERNS, Scope
from sandbox.behaviour.roots import Root, Roots
from sandbox.plan.mounts import SCRATCH
from sandbox.trace.texts import text

_SPECIAL = re.compile("[\\\\$<\ud800-\udfff]")
_END = r"\s:;,\"'()\[\]{}|"
# An absolute path within text: at its start, behind a separator, or behind a flag such as -L or -I.
_BEFORE = rf"(?:^|(?<=[{_END}=@])|(?<=^-[A-Za-z])|(?<=\s-[A-Za-z]))"
_NOWHERE = Root("", "other")
# Names and paths that are kept with what they became, and the longest of them: a build may choose both.
_MOST_NAMES = 20_000
_MOST_PATHS = 1_000
_LONGEST_KEPT = 255


class Normal(str):
    """Text that is normalised already; normalising it again gives it back."""

    __slots__ = ()


def escape(raw: str) -> Normal:
    """Text of the build's own, which can't be taken for a token."""
    return Normal(_SPECIAL.sub(_escaped, raw))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code >= 0xD800 else "\\" + match.group()


def classed(raw: str, scope: Scope, before: str = "") -> Normal:
    """One component of a path (or, in scope `any`, other text) with its random parts as classes."""
    wanted = ("any",) if scope == "any" else ("any", "component", scope)
    spans: list[tuple[int, int, str]] = []
    for pattern in PATTERNS:
        if pattern.scope in wanted and pattern.after in ("", before):
            for match in pattern.compiled.finditer(raw):
                start, end = match.span("x")
                if all(end <= other[0] or start >= other[1] for other in spans):
                    spans.append((start, end, pattern.name))
    if not spans:
        return escape(raw)
    out, at = "", 0
    for start, end, name in sorted(spans):
        out += escape(raw[at:start]) + f"<{name}>"
        at = end
    return Normal(out + escape(raw[at:]))


# The units of a run use the same names: all of them share what was found out.
_classed_once = lru_cache(_MOST_NAMES)(classed)


@dataclass(slots=True)
class Normaliser:
    """The normaliser of one unit. `own`: the unit's own roots, before which the run's give way; `pid`: its first
    process, by which its scratch folder is known."""

    roots: Roots
    own: Mapping[str, Root] = field(default_factory=dict)
    pid: int = 0
    _tops: dict[str, tuple[str, Root]] = field(default_factory=dict)
    _paths: dict[str, Normal] = field(default_factory=dict)
    _words: re.Pattern[str] | None = None

    def root(self, path: str) -> tuple[str, Root]:
        """The innermost root that holds an absolute path, with its own path; empty and a nameless one if none does."""
        found = self._tops.get(path)
        if found is None:
            found = self._root(path)
            if len(path) <= _LONGEST_KEPT and len(self._tops) < _MOST_PATHS:
                self._tops[path] = found
        return found

    def _root(self, path: str) -> tuple[str, Root]:
        # Deeper than the deepest root there is none, and names may be 4,096 characters of folders.
        longest = max(self.roots.longest, max(map(len, self.own), default=0))
        top = path if len(path) <= longest else path[: path.rfind("/", 0, longest + 1)]
        while len(top) > 1:
            found = self.own.get(top) or self.roots.table.get(top)
            if found is not None:
                return self._own_scratch(path) if top == SCRATCH else (top, found)
            cut = top.rfind("/")
            top = top[:cut] if cut > 0 else ""
        return "", _NOWHERE

    def _own_scratch(self, path: str) -> tuple[str, Root]:
        name = path[len(SCRATCH) + 1 :].partition("/")[0]
        if self.pid and name.startswith(f"cs-{self.pid}-"):
            return f"{SCRATCH}/{name}", Root("$SCRATCH", "scratch", "scratch")
        return SCRATCH, self.roots.table[SCRATCH]

    def forget(self) -> None:
        """Let go of what was found out: the unit is over, and there may be thousands."""
        self._tops.clear()
        self._paths.clear()

    def owner(self, path: str) -> str:
        """Whose a path is, in words."""
        return self.root(path)[1].owner if path.startswith("/") else "other"

    def below(self, path: str) -> str:
        """What of a path lies below its root, with a slash before it."""
        return path[len(self.root(path)[0]) :]

    def path(self, raw: str, pid: int = 0) -> Normal:
        """The normal form of a path. `pid` is who uses it: its own folder in /proc is `<self>`.

        What is not absolute can't begin with a root: its components only are normalised.
        """
        if isinstance(raw, Normal):
            return raw
        kept = self._paths.get(raw)
        if kept is not None:
            return kept
        top, root = self.root(raw) if raw.startswith("/") else ("", _NOWHERE)
        # A root's own name is never made a class: two roots would become one.
        head = _literal(root.token) if root.token else escape(top)
        before = os.path.basename(top)
        out = [head] if top else []
        rest = raw[len(top) :]
        parts = rest.split("/")
        for number, part in enumerate(parts):
            if number == 0 and top:
                continue
            mine = top == "/proc" and number == 1 and pid and part == str(pid)
            out.append("<self>" if mine else _class(part, root.scope, before))
            before = part
        normal = Normal("/".join(out))
        # Below /proc it depends on who asks.
        if top != "/proc" and len(raw) <= _LONGEST_KEPT and len(self._paths) < _MOST_PATHS:
            self._paths[raw] = normal
        return normal

    def leads(self, place: str, raw: str) -> Normal:
        """The normal form of what the symlink at `place` leads to: a relative way is made of names of its folder."""
        if raw.startswith("/"):
            return self.words(raw)
        _, root = self.root(place)
        return Normal("/".join(_class(part, root.scope, "") for part in raw.split("/")))

    def words(self, raw: str) -> Normal:
        """The normal form of text that may hold absolute paths: a directive, an argument."""
        if isinstance(raw, Normal):
            return raw
        out, at = "", 0
        for match in self._pattern().finditer(raw):
            out += classed(raw[at : match.start()], "any") + self.path(match.group())
            at = match.end()
        return Normal(out + classed(raw[at:], "any"))

    def _pattern(self) -> re.Pattern[str]:
        if self._words is None:
            # A root with a separator in its name would be cut in two; such roots are looked for as they are.
            odd = {top for table in (self.own, self.roots.table) for top in table if re.search(f"[{_END}]", top)}
            named = "".join(re.escape(top) + f"(?=/|$|[{_END}])|" for top in sorted(odd, key=len, reverse=True))
            self._words = re.compile(f"{_BEFORE}(?:{named}/)[^{_END}]*")
        return self._words


def _class(part: str, scope: Scope, before: str) -> Normal:
    if len(part) > _LONGEST_KEPT or len(before) > _LONGEST_KEPT:
        return classed(part, scope, before)
    return _classed_once(part, scope, before)


def _literal(token: str) -> str:
    """A token whose words come from manifests: only its first dollar sign is ours."""
    return "$" + escape(token[1:])


def stored_text(value: object) -> str:
    """A field of a record as text; what is no string is empty."""
    return text(value) if isinstance(value, (str, dict)) else ""
