"""What one source file shows by itself: no other file is looked at, so it can be kept by the file's digest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, NamedTuple

VERSION = 1
"""Raised with any change of what `scan` finds, and of the shape of `to_json`."""

Base = Literal["file", "package", "generated", "unknown"]


class Sighting(NamedTuple):
    """One thing that a line reaches for. `kind` is a key of `KINDS`; `text` is the program, variable, path or function,
    as the source has it; `function` the function it stands in; `emitted`: it stands in code that a macro makes for
    others, and does nothing here. `file` and `via` (the crate that it was reached through) are filled in later."""

    kind: str
    line: int
    text: str
    function: str = ""
    emitted: bool = False
    file: str = ""
    via: str = ""


class Module(NamedTuple):
    """`mod name;`. `path`: of `#[path]`, empty without; `inside`: the inline modules around it; `optional`: there is a
    `cfg` at it, so it may be missing."""

    name: str
    path: str
    inside: tuple[str, ...]
    optional: bool
    line: int


class Include(NamedTuple):
    """`include!`, `include_str!`, `include_bytes!` (`macro`) or a file that is read by a literal path (`read`).

    `base` is what `path` starts from; `generated` is OUT_DIR, `unknown` says that the path is computed."""

    macro: str
    path: str
    base: Base
    line: int
    function: str
    emitted: bool


class Call(NamedTuple):
    """A function is named in another. `text`: its first argument, where that is a literal."""

    function: str
    path: tuple[str, ...]
    line: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All of one file. `broken`: lines where the grammar is at a loss; `lost`: something there may not have been
    read at all; `dropped`: there was more than is kept."""

    sightings: tuple[Sighting, ...] = ()
    modules: tuple[Module, ...] = ()
    includes: tuple[Include, ...] = ()
    calls: tuple[Call, ...] = ()
    functions: tuple[str, ...] = ()
    broken: tuple[int, ...] = ()
    lost: bool = False
    dropped: bool = False

    def to_json(self) -> str:
        """Compact text for a cache file."""
        return json.dumps([VERSION, *(getattr(self, name) for name in self.__slots__)], separators=(",", ":"))

    @staticmethod
    def from_json(text: bytes) -> FileFacts | None:
        """What `to_json` wrote; None for another version or a broken file: then read the source anew."""
        try:
            version, sightings, modules, includes, calls, functions, broken, lost, dropped = json.loads(text)
            if version != VERSION:
                return None
            return FileFacts(
                tuple(Sighting(*item) for item in sightings),
                tuple(Module(name, path, tuple(inside), *rest) for name, path, inside, *rest in modules),
                tuple(Include(*item) for item in includes),
                tuple(Call(function, tuple(path), *rest) for function, path, *rest in calls),
                tuple(functions), tuple(broken), bool(lost), bool(dropped),
            )  # fmt: skip
        except (ValueError, TypeError, RecursionError):
            return None
