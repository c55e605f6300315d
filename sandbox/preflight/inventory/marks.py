"""The marks behind a package in a tree, and what each of them means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from sandbox.preflight.inventory.model import Code, Item
from sandbox.preflight.inventory.properties import checksum_state, plain

Level = Literal["plain", "note", "warning", "error"]


class Mark(NamedTuple):
    """`kind` is a key of `LEGEND`; `text` is safe to print."""

    kind: str
    text: str
    level: Level = "plain"


LEGEND: Mapping[str, str] = {
    "(unmarked)": "without a mark of its source: from crates.io, with a checksum in Cargo.lock",
    "path": "from a folder (without a checksum); seen from the workspace's root",
    "git": "from a git repository at this commit (without a checksum)",
    "registry": "from a registry that is not crates.io",
    "no checksum": "from a registry, and Cargo.lock has no checksum to check it by",
    "bad checksum": "Cargo.lock's checksum is no SHA-256",
    "build-time": "reached only by build dependencies or proc macros: not part of what is built",
    "dev": "reached only by dev dependencies",
    "script": "has a build script. Last run: it ran, failed, is fresh (it ran in an earlier one), or was not seen",
    "macro": "is a proc macro. Last run: it was loaded, or not seen",
    "links": "links a native library of this name",
    "native": "its build script uses these packages to compile, find or bind native code",
    "baseline known": "this version's behaviour is accepted, and nothing new was seen; (pack): it ships with us",
    "baseline other version": "another version's behaviour is accepted",
    "baseline changed": "the last run saw what is not accepted, or the checksum is another one",
    "baseline none": "nobody accepted its behaviour",
    "baseline unread": "the baselines can't be read",
    "new": "not in the accepted graph",
    "CSnnnn": "a finding with its severity: of the last run (report last), or of a check before it (audit)",
    "(*)": "shown above with what it needs",
    "(cycle)": "leads back to a package above it",
    "(deeper)": "needs more, which is too deep to be drawn: begin there with -p",
    "(build)": "needed by a build script",
    "(dev)": "needed by tests, examples and benchmarks",
}
"""Every mark, in the order of the legend."""

_LEVELS: Mapping[str, Level] = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}


def of_item(item: Item) -> Iterator[Mark]:
    """The marks of a package, in order."""
    kind, url, revision = item.origin
    if kind == "path":
        yield Mark("path", plain(f"path {url}" if url else "path", 200))
    elif kind == "git":
        yield Mark("git", plain(f"git {url}" + (f"#{revision[:8]}" if revision else ""), 200))
    elif kind == "registry":
        yield Mark("registry", plain(f"registry {url}", 200), "note")
    if kind in ("crates.io", "registry") and (state := checksum_state(item)) != "locked":
        yield Mark("no checksum" if state == "none" else "bad checksum", f"{state} checksum", "warning")
    if item.use == "build":
        yield Mark("build-time", "build-time")
    elif item.use == "dev":
        yield Mark("dev", "dev")
    if item.has_script:
        yield Mark("script", _seen("script", item.script), "error" if item.script == "failed" else "plain")
    if item.proc_macro:
        yield Mark("macro", _seen("macro", item.macro))
    if item.links:
        yield Mark("links", f"links {plain(item.links, 80)}")
    if item.native:
        yield Mark("native", f"native by {plain(' '.join(item.native), 120)}")
    if item.baseline:
        words = f"baseline {item.baseline}"
        level: Level = "warning" if item.baseline in ("changed", "unread") else "plain"
        yield Mark(words, words + (" (pack)" if item.store == "pack" else ""), level)
    if item.new:
        yield Mark("new", "new", "note")
    yield from _codes((*item.findings, *item.warnings))


def _seen(word: str, state: str) -> str:
    """Without any run that is told once, below the tree, and not with each package."""
    return word if state == "no run recorded" else f"{word} {state}".rstrip()


def _codes(codes: Iterable[Code]) -> Iterator[Mark]:
    for one in dict.fromkeys((code.code, code.severity) for code in codes):
        yield Mark("CSnnnn", plain(f"{one[0]} {one[1]}", 80), _LEVELS.get(one[1], "note"))
