"""Which files of a package are code that runs at build time: the build script with its modules, a macro's library.

Modules are found by the look of the text (the book's and the reference's rules for where they lie), not by parsing it:
what is found is compared and shown, and a file too many does no harm. Whether the code does harm is for others to say.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from sandbox.preflight.packages.card import Card
from sandbox.preflight.packages.contents import Contents

MAX_FILES = 200
"""Files of one package that are followed."""

_MODULE = re.compile(r"\bmod\s+(?:r#)?(\w+)\s*;")
_PATH = re.compile(r'#!?\[\s*path\s*=\s*"([^"\n]{1,300})"\s*\]')
_INCLUDE = re.compile(r'\binclude(?:_str|_bytes)?!\s*[({\[]\s*"([^"\n]{1,300})"')
_MANIFEST_DIR = re.compile(r'CARGO_MANIFEST_DIR"?\s*\)?\s*,\s*"/?([^"\n]{1,300})"')
_ASIDE = ("tests/", "benches/", "examples/")


def build_files(contents: Contents, card: Card) -> tuple[str, ...]:
    """Paths of the code that runs while the package is built, sorted; empty for a package that brings none."""
    found = set(script_files(contents, card.script)) if card.script else set()
    if card.proc_macro:
        found |= {path for path in contents.files if path.endswith(".rs") and not path.startswith(_ASIDE)}
    return tuple(sorted(found))


def script_files(contents: Contents, script: str) -> tuple[str, ...]:
    """The build script and what it takes in by `mod` and `include!`, sorted. Empty when the package lacks the file."""
    start = _normal(script)
    waiting = [start] if start in contents.files else []
    seen: set[str] = set()
    while waiting and len(seen) < MAX_FILES:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.endswith(".rs"):
            text = contents.text(path) or ""
            waiting += [one for one in _taken(path, text, path == start) if one in contents.files and one not in seen]
    return tuple(sorted(seen))


def _taken(path: str, text: str, root: bool) -> Iterator[str]:
    here = posixpath.dirname(path)
    stem = posixpath.splitext(posixpath.basename(path))[0]
    below = here if root or stem == "mod" else posixpath.join(here, stem)
    for name in _MODULE.findall(text):
        yield _normal(posixpath.join(below, f"{name}.rs"))
        yield _normal(posixpath.join(below, name, "mod.rs"))
    for name in (*_PATH.findall(text), *_INCLUDE.findall(text)):
        yield _normal(posixpath.join(here, name))
    for name in _MANIFEST_DIR.findall(text):
        yield _normal(name)


def _normal(path: str) -> str:
    return posixpath.normpath(path.replace("\\", "/")).lstrip("/")
