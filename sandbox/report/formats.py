"""The formats of a report, behind one small interface: a module of its own for each, imported when it is asked for.

A renderer is a pure function of a frozen RunResult and a frozen Context, the same for a live run and for a stored one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sandbox.errors import UsageError
from sandbox.record import record

if TYPE_CHECKING:
    from sandbox.judge.model import Finding, RunResult

Key = tuple[str, str, str]
"""Name, version and manifest directory of a package."""

FORMATS: Mapping[str, str] = {
    "terminal": "terminal",
    "json": "json_v1",
    "sarif": "sarif",
    "markdown": "markdown",
}
"""Name of each format -> its module in `sandbox.report`."""

ENDINGS: Mapping[str, str] = {
    ".sarif.json": "sarif",
    ".sarif": "sarif",
    ".json": "json",
    ".md": "markdown",
    ".markdown": "markdown",
}
"""File endings that tell a format; the first that fits counts."""


class Place(NamedTuple):
    """A line of a lock file, counted from 1, and its width in UTF-16 code units (SARIF's columns)."""

    line: int
    width: int


@record
class Context:
    """What a report needs beside the result.

    `header` is run.json. `anchor` is the file that findings are shown at: the lock file, or Cargo.toml where there is
    none, relative to the repository; `places` are lines in it. `home` is what a terminal shows as `~`.
    """

    header: Mapping[str, Any] = MappingProxyType({})
    chains: Mapping[Key, tuple[str, ...]] = MappingProxyType({})
    places: Mapping[Key, Place] = MappingProxyType({})
    anchor: str = "Cargo.lock"
    deny: str = "high"
    colour: bool = False
    home: str = ""

    @property
    def workspace(self) -> str:
        """Absolute path of the workspace; empty when the record does not tell."""
        return str(self.header.get("workspace") or "")

    def chain(self, finding: Finding) -> tuple[str, ...]:
        """From a workspace member to the package of a finding; empty when nobody knows."""
        return self.chains.get(key_of(finding), ())

    def place(self, finding: Finding) -> Place | None:
        """The package's line in the lock file; None when it has none there."""
        return self.places.get(key_of(finding))


class Renderer(Protocol):
    """What a format's module has to have, under the name `render`."""

    def __call__(self, result: RunResult, context: Context) -> str:
        """The whole report, without a final newline."""


class Target(NamedTuple):
    """Where a report goes to, as the user wrote it."""

    format: str
    path: str


def key_of(finding: Finding) -> Key:
    """The package that a finding is charged to."""
    return finding.package, finding.version, finding.manifest_dir


def renderer(name: str) -> Renderer:
    """The renderer of a format in FORMATS. Raises KeyError."""
    from importlib import import_module

    found: Renderer = import_module(f"sandbox.report.{FORMATS[name]}").render
    return found


def parse_target(text: str) -> Target:
    """`FILE`, whose ending tells the format, or `FORMAT:FILE`. Raises UsageError."""
    head, found, path = text.partition(":")
    if found and head in FORMATS and path:
        return Target(head, path)
    if found and head.isalnum():
        raise UsageError(
            f"there is no report format {head!r}", hint=f"{_KNOWN}; for a file of that name write ./{text}"
        )
    return Target(format_of(text), text)


def format_of(path: str) -> str:
    """The format that a file's ending tells. Raises UsageError."""
    for ending, name in ENDINGS.items():
        name_only = path.rpartition("/")[2]
        if name_only.endswith(ending) and name_only != ending:
            return name
    raise UsageError(f"the ending of {path!r} tells no report format", hint=f"write FORMAT:FILE; {_KNOWN}")


_KNOWN = "formats: " + ", ".join(FORMATS)
