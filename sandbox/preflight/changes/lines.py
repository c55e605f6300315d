"""How much of a package's code changed, in lines, and the change itself. Bounded, for both sides are hostile. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

from sandbox.preflight.packages.contents import Contents

MAX_LINES = 3000
"""Lines of a file that are compared in order: the comparison takes quadratic time on texts made for it."""

MAX_ALL = 20_000
"""Lines of all files of one package that are compared in order."""

MAX_LETTERS = 400
MAX_DIFF = 400
"""Lines of one file's diff that are shown."""

_NOTHING = Contents("crate", {})
_ASIDE = ("tests/", "benches/", "examples/")


def changed_files(old: Contents, new: Contents, paths: Iterable[str]) -> tuple[str, ...]:
    """Which of some files differ, by their digests: also where nothing of that can be shown. Sorted."""
    return tuple(path for path in sorted(set(paths)) if _digest(old, path) != _digest(new, path))


def changed_code(old: Contents, new: Contents) -> int:
    """How many lines of Rust differ, added and removed ones, without tests, benches and examples. Counted as sets of
    lines, so that moved ones don't count, and in linear time. At least 1 where a file differs in what was not read."""
    total, unseen = 0, False
    for path in old.files.keys() | new.files.keys():
        if not path.endswith(".rs") or path.startswith(_ASIDE):
            continue
        before, after = old.files.get(path), new.files.get(path)
        if before and after and before.digest == after.digest:
            continue
        texts = old.text(path), new.text(path)
        one, two = (Counter(_code(text)) for text in texts)
        total += (one - two).total() + (two - one).total()
        # Once for all of them, for many lines would explain a new dependency.
        unseen |= texts[0] == texts[1] or any(file and file.size > len(file.data) for file in (before, after))
    return total or int(unseen)


def diff(old: Contents | None, new: Contents, paths: Iterable[str]) -> tuple[str, ...]:
    """A unified diff of some files, without line ends, for people to look at. Files that are too long to compare, or
    that differ in what can't be shown, are only named."""
    shown: list[str] = []
    left = MAX_ALL
    for path in sorted(set(paths)):
        before = (old.text(path) if old else None) or ""
        after = new.text(path) or ""
        if not changed_files(old or _NOTHING, new, (path,)):
            continue
        one, two = _cut(before), _cut(after)
        left -= len(one or ()) + len(two or ())
        if one is None or two is None or left < 0:
            shown.append(f"{path}: changed, and too long to be shown")
            continue
        names = (f"a/{path}" if before else "/dev/null"), (f"b/{path}" if after else "/dev/null")
        lines = list(difflib.unified_diff(one, two, *names, lineterm="", n=2))
        shown += lines[:MAX_DIFF] or [f"{path}: changed, in what is not shown"]
        if len(lines) > MAX_DIFF:
            shown.append(f"… {len(lines) - MAX_DIFF} more lines of {path}")
    return tuple(shown)


def _digest(contents: Contents, path: str) -> str:
    file = contents.files.get(path)
    return file.digest if file else ""


def _code(text: str | None) -> Iterable[str]:
    stripped = (line.strip() for line in (text or "").splitlines())
    return (line for line in stripped if line and not line.startswith("//"))


def _cut(text: str) -> list[str] | None:
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        return None
    return [line if len(line) <= MAX_LETTERS else line[:MAX_LETTERS] + "…" for line in lines]
