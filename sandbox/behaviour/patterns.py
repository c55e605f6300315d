"""The normaliser's data: names that differ from build to build, each replaced by the name of its class.

A table in Python and not a YAML file: it is compiled once, is typed, and no tree or policy may change it, since a
baseline is only comparable under the very table that made it. `VERSION` stands in every behaviour; a test holds the
digest of the table for each version, so a change without a new number fails.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

VERSION = 2

Scope = Literal["any", "component", "output", "scratch", "system", "proc", "dev", "git"]
"""Where a pattern counts: in paths and other text; in every path; below the own output, scratch space, the system's
directories, /proc, /dev, or cargo's git checkouts."""


@dataclass(frozen=True)
class Pattern:
    """The group `x` of `regex` becomes `<name>`; the rest of the match stays. `after`: the component before, if any."""

    name: str
    scope: Scope
    regex: str
    after: str = ""

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.regex, re.ASCII)


_ALONE = r"(?<![0-9A-Za-z])(?P<x>{})(?![0-9A-Za-z])"

PATTERNS: tuple[Pattern, ...] = (
    # Before all others: rustc prints such a number without leading zeros, so that only most look like a hash.
    Pattern("cgu", "component", r"\.(?P<x>[0-9a-z]{10,30})(?=(?:-cgu\.[0-9]+)?\.rcgu\.)"),
    Pattern("uuid", "any", _ALONE.format("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    Pattern("sha256", "any", _ALONE.format("[0-9a-f]{64}")),
    Pattern("sha1", "any", _ALONE.format("[0-9a-f]{40}")),
    Pattern("md5", "any", _ALONE.format("[0-9a-f]{32}")),
    # Cargo's and rustc's metadata hashes, and what cc puts before an object's name.
    Pattern("hash", "any", _ALONE.format("[0-9a-f]{16}")),
    Pattern(
        "time", "any", _ALONE.format(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?")
    ),
    # rustc: temporary folders, incremental sessions.
    Pattern("random", "component", r"^(?:rmeta|rustc|rustdoctest)(?P<x>[0-9A-Za-z]{6})$"),
    Pattern(
        "session",
        "component",
        r"^s-(?P<x>[0-9a-z]{8,14}-[0-9a-z]{5,10}(?:-[0-9a-z]{10,30})?)(?:-working|\.lock)?$",
    ),
    # The crate tempfile; cc's probes (a decimal number before the name); CMake's trials and half-written files.
    Pattern("random", "component", r"^\.tmp(?P<x>[0-9A-Za-z]{6})(?![0-9A-Za-z])"),
    Pattern("number", "component", r"^(?P<x>[0-9]{10,20})(?![0-9])"),
    Pattern("random", "component", r"^TryCompile-(?P<x>[0-9A-Za-z]{6})$"),
    Pattern("random", "component", r"cmTC_(?P<x>[0-9a-f]{5})(?![0-9a-f])"),
    Pattern("random", "component", r"\.tmp(?P<x>[0-9a-f]{5})$"),
    Pattern("version", "component", r"^(?P<x>[0-9]+\.[0-9]+\.[0-9]+)$", after="CMakeFiles"),
    # ar writes its archive under such a name beside it.
    Pattern("random", "output", r"^st(?P<x>[0-9A-Za-z]{6})$"),
    # Autoconf: names with configure's pid, the folder of config.status (not a name that begins with `config`), and
    # config.guess's.
    Pattern("number", "output", r"^conf(?P<x>[0-9]+)(?=$|\.|subs)"),
    Pattern("random", "output", r"^conf(?!ig)(?P<x>[0-9A-Za-z]{6})$"),
    Pattern("random", "scratch", r"^cg(?P<x>[0-9A-Za-z]{6})$"),
    Pattern("unit", "scratch", r"^cs-(?P<x>[0-9]+-[0-9A-Za-z]{6})$"),
    Pattern("random", "scratch", r"^cc(?P<x>[0-9A-Za-z]{6})(?=\.|$)"),
    Pattern("random", "scratch", r"^tmp(?P<x>[0-9a-z_]{8})$"),
    Pattern("random", "scratch", r"^tmp\.(?P<x>[0-9A-Za-z]{10})$"),
    # The crate tempfile with a prefix. Any six letters at an end would be too many names, so the prefixes are listed.
    Pattern("random", "scratch", r"^prost-build(?P<x>[0-9A-Za-z]{6})$"),
    Pattern("number", "scratch", _ALONE.format("[0-9]{5,}")),
    Pattern("version", "system", r"^(?P<x>[0-9]+(?:\.[0-9]+)*)$"),
    Pattern("version", "system", r"-(?P<x>[0-9]+(?:\.[0-9]+)*)$"),
    Pattern("version", "system", r"\.so\.(?P<x>[0-9]+(?:\.[0-9]+)*)$"),
    Pattern("version", "system", r"^[a-z]+(?P<x>[0-9]+(?:\.[0-9]+)+)(?![0-9A-Za-z])"),
    Pattern("nix", "system", r"^(?P<x>[0-9a-df-np-sv-z]{32})(?=-)"),
    Pattern("fd", "proc", r"^(?P<x>[0-9]+)$", after="fd"),
    Pattern("fd", "proc", r"^(?P<x>[0-9]+)$", after="fdinfo"),
    Pattern("tid", "proc", r"^(?P<x>[0-9]+)$", after="task"),
    Pattern("pid", "proc", r"^(?P<x>[0-9]+)$", after="proc"),
    Pattern("number", "dev", r"^(?P<x>[0-9]+)$", after="pts"),
    Pattern("rev", "git", r"^(?P<x>[0-9a-f]{7})$"),
)


def digest() -> str:
    """SHA-256 of the table, which belongs to one `VERSION`."""
    rows = "\n".join("\t".join((row.name, row.scope, row.after, row.regex)) for row in PATTERNS)
    return hashlib.sha256(rows.encode()).hexdigest()
