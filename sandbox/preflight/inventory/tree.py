"""The dependency tree as text: lines, a legend of the marks in it, a summary and notes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.preflight.inventory.marks import LEGEND, Level, of_item
from sandbox.preflight.inventory.model import Edge, Inventory, Item
from sandbox.preflight.inventory.properties import checksum_state, plain
from sandbox.preflight.inventory.view import View

MAX_LINES = 100_000
"""Most lines of a tree: without the marks of repetition it may grow beyond all measure."""

MAX_DEPTH = 200
"""Most levels of a tree: a line is as long as its level is deep. Real graphs have some thirty."""

_COLOURS: dict[Level, str] = {"plain": "2", "note": "1;36", "warning": "1;33", "error": "1;31"}
_KINDS = ("normal", "other", "build", "dev")


@dataclass(frozen=True, slots=True)
class Look:
    """How it is drawn. `depth` counts the levels below the starting packages, None for all."""

    colour: bool = False
    drawn: bool = True
    depth: int | None = None
    dedupe: bool = True


@dataclass(frozen=True, slots=True)
class _Step:
    """A package that is to be printed: `above` are the ancestors' indexes, `last` whether nothing follows at each
    level."""

    at: int
    kind: str
    above: tuple[int, ...]
    last: tuple[bool, ...]


def can_draw(encoding: str | None) -> bool:
    """Whether a terminal of this encoding has the lines of a tree."""
    try:
        "├─└│".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def text(inventory: Inventory, view: View, look: Look) -> str:
    """The whole output, without a final newline."""
    used: set[str] = set()
    lines = list(_lines(inventory, view, look, used))
    if not lines:
        lines = ["nothing fits"]
    legend = [name for name in LEGEND if name in used]
    if legend:
        width = max(map(len, legend))
        lines += ["", *(_paint(f"{name:<{width}}  {LEGEND[name]}", "plain", look) for name in legend)]
    lines += ["", summary(inventory, view)]
    lines += [f"note: {plain(note)}" for note in inventory.notes]
    return "\n".join(lines)


def summary(inventory: Inventory, view: View) -> str:
    """One line: how many packages there are, and of what kinds."""
    items = [inventory.items[at] for at in view.inside]
    shown = "" if view.wanted is None else f", {len(view.wanted)} of them fit"
    words = [f"{len(items)} packages{shown}"]
    if inventory.resolved:
        counts = {
            "build-time": sum(item.use == "build" for item in items),
            "dev": sum(item.use == "dev" for item in items),
            "with a build script": sum(bool(item.has_script) for item in items),
            "proc macros": sum(bool(item.proc_macro) for item in items),
            "linking native libraries": sum(bool(item.links) for item in items),
        }
        words += [f"{count} {name}" for name, count in counts.items() if count]
    found = sum(bool(item.findings or item.warnings) for item in items)
    words += [f"{found} with findings"] if found else []
    elsewhere = sum(item.use == "other" for item in inventory.items)
    words += [f"{elsewhere} more in Cargo.lock for other platforms or unused"] if elsewhere else []
    run = f"; last run {plain(inventory.ran.id)}: {plain(inventory.ran.verdict)}" if inventory.ran else ""
    return ", ".join(words) + run


def _lines(inventory: Inventory, view: View, look: Look, used: set[str]) -> Iterator[str]:
    starts = [at for at in view.starts if at in view.kept]
    shown: set[int] = set()
    count = 0
    for start in starts:
        waiting = [_Step(start, "", (), ())]
        while waiting:
            step = waiting.pop()
            count += 1
            if count > MAX_LINES:
                yield f"the tree was cut after {MAX_LINES} lines"
                return
            below = _below(step, view)
            again = ""
            if step.at in step.above:
                again = "(cycle)"
            elif look.dedupe and step.at in shown and below:
                again = "(*)"
            elif len(step.above) >= MAX_DEPTH and below:
                again = "(deeper)"
            shown.add(step.at)
            yield _line(inventory.items[step.at], step, again, view, look, used)
            if again or (look.depth is not None and len(step.above) >= look.depth):
                continue
            above = (*step.above, step.at)
            steps = [
                _Step(edge.item, _kind(edge), above, (*step.last, number == len(below) - 1))
                for number, edge in enumerate(below)
            ]
            waiting += reversed(steps)


def _below(step: _Step, view: View) -> list[Edge]:
    edges = [edge for edge in view.edges[step.at] if edge.item in view.kept]
    return sorted(edges, key=lambda edge: (_KINDS.index(_kind(edge)), edge.item))


def _kind(edge: Edge) -> str:
    return next((kind for kind in _KINDS if kind in edge.kinds), "other")


def _line(item: Item, step: _Step, again: str, view: View, look: Look, used: set[str]) -> str:
    branch, corner, bar = ("├── ", "└── ", "│   ") if look.drawn else ("|-- ", "`-- ", "|   ")
    lead = "".join("    " if last else bar for last in step.last[:-1])
    if step.last:
        lead += corner if step.last[-1] else branch
    name = f"{plain(item.name, 200)} {plain(item.version, 100)}".rstrip()
    wanted = view.wanted is None or step.at in view.wanted
    if look.colour:
        name = f"\x1b[1m{name}\x1b[0m" if wanted else f"\x1b[2m{name}\x1b[0m"
    words = [lead + name]
    for word in (f"({step.kind})" if step.kind in ("build", "dev") else "", again):
        if word:
            used.add(word)
            words.append(_paint(word, "plain", look))
    # A repetition has its marks above, and a package that is only on the way has none to tell.
    marks = [] if again or not wanted else list(of_item(item))
    used.update(mark.kind for mark in marks)
    if wanted and not again and item.origin.kind == "crates.io" and checksum_state(item) == "locked":
        used.add("(unmarked)")
    if marks:
        words.append("[" + ", ".join(_paint(mark.text, mark.level, look) for mark in marks) + "]")
    return " ".join(words)


def _paint(words: str, level: Level, look: Look) -> str:
    return f"\x1b[{_COLOURS[level]}m{words}\x1b[0m" if look.colour else words
