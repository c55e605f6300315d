"""The built-in list of well-known crates: `profiles/names.txt`, made by `scripts/gen-names`."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sandbox.resources import profile

TARGET = 3
"""A name that so many projects of the list's making use is worth imitating; the others are only above suspicion."""


class Known(NamedTuple):
    """`projects`: how many public projects use a crate, by its exact name. `spelt`: the name as it is spelt, by the
    form in which crates.io takes names for equal."""

    projects: dict[str, int]
    spelt: dict[str, str]

    @property
    def targets(self) -> dict[str, int]:
        """The names that others are compared with."""
        return {name: count for name, count in self.projects.items() if count >= TARGET}


@cache
def known() -> Known:
    """The list. It is a part of the program: a missing one is an error of the installation and raises OSError."""
    return parse(profile("names.txt").read_text(encoding="ascii"))


def parse(text: str) -> Known:
    """Lines `NAME` or `NAME COUNT`; `#` begins a comment. A count that is left out is 1."""
    projects = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            name, _, count = line.partition(" ")
            projects[name] = int(count or 1)
    return Known(projects, {name.lower().replace("_", "-"): name for name in projects})
