"""docs/walls.md: the table of tries, walls and engines, from what the tests of this folder came to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.walls.removals import ENGINES, rows
from tests.walls.rows import NOT_REMOVABLE, WALLS

Results = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Engine, row, column."""

_HEAD = """\
# The walls, tried

Made by `scripts/gen-walls` from the tests' own results; don't edit. Each line is one try of the probe
(`tests/walls/crates/csbench-probe`). It is made on the bare host, where it has to get through; as a build script in a
container, where it must not, and where the record has to show what its column says; and in containers with walls taken
away (`sandbox/run/test_hooks.py`), where it has to get through when the walls of the last column are away, and not when
one of them stands: `a+b` means that each of the two stops it alone. `a or b+c` are two ways: without a, and without
both b and c.

An error's name is what the kernel or the guard answered; `signal` that the kernel ended the process; `no` means that
the call went well and what it was to bring was not there. "Not tried here" is no proof either way: it needs another
kernel, machine or user.

| wall | what it is | engines |
|---|---|---|
"""
_COLUMNS = {
    "tried": "what it tries",
    "host": "bare host",
    "inside": "in the container",
    "record": "in the record",
    "opens": "gets through without",
}


def read(folder: Path) -> Results:
    """What a run of the tests left for each engine."""
    return {engine: json.loads((folder / f"{engine}.json").read_text()) for engine in ENGINES}


def render(results: Results) -> str:
    """The whole page."""
    lines = [f"| {name} | {words} | {_engines(name)} |" for name, words in WALLS.items()]
    lines += [
        f"| {name} | can't be taken away by a test: {why} | {_engines(name)} |" for name, why in NOT_REMOVABLE.items()
    ]
    text = _HEAD + "\n".join(lines) + "\n"
    for engine, tries in results.items():
        text += f"\n## {engine}\n\nMade on Linux {os.uname().release.split('-')[0]}, {os.uname().machine}"
        text += f", as {'root' if os.geteuid() == 0 else 'an ordinary user'}.\n\n"
        text += f"| try | {' | '.join(_COLUMNS.values())} |\n|---|{'---|' * len(_COLUMNS)}\n"
        for name, row in tries.items():
            text += f"| {name} | {' | '.join(_cell(row[column]) for column in _COLUMNS)} |\n"
    return text


def _engines(wall: str) -> str:
    """Those that have a wall, by their tables of what root's tests come to."""
    used = {engine: {*_walls(engine)} for engine in ENGINES}
    return ", ".join(engine for engine, walls in used.items() if wall in walls)


def _walls(engine: str) -> Iterator[str]:
    for row in rows(engine, by_root=True):
        yield from (wall for walls in row.opened_by for wall in walls)
        yield row.fixed


def parse(text: str) -> Results:
    """The page, back as results."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for section in text.split("\n## ")[1:]:
        engine, _, rest = section.partition("\n")
        table = [line for line in rest.splitlines() if line.startswith("| ")][1:]
        found[engine] = {}
        for line in table:
            name, *cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[engine][name] = dict(zip(_COLUMNS, cells, strict=True))
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
