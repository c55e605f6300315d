"""The digest of a build script's whole own source, for packages whose content no checksum and no commit pins.

rustc alone knows for certain which files a script is made of, once it has compiled it; this is asked before anything
runs, in each build. So the text is looked through for what can take in a file (`mod`, `path =`, `include!` and its
kin), and whatever bears such a name anywhere in the package counts: too many files rather than one too few. Where the
text hides the name (a macro that writes `mod $name`, an `include!` of something computed) all Rust files of the package
count. What can't be told at all is UNREADABLE, which equals nothing.

Not covered: what a macro of *another* package takes in, which that package's own pin vouches for, and files that the
script reads when it runs, which are data to it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sandbox.cargo.files import Unreadable, read_bytes, stays_below
from sandbox.policy.graph import UNREADABLE as UNREADABLE

MAX_BYTES = 16 << 20
"""Bytes of all files of one script."""

MAX_TEXT = 2 << 20
"""Bytes of one file that is looked through for others."""

MAX_ENTRIES = 20_000
"""Files and folders of a package that are looked through for a script's."""

_ASIDE = frozenset((".git", "target"))
# Possessive, so that no text makes them slow. What is left of a longer gap begins a comment, and counts as hidden.
_GAP = r"\s*+(?:(?://[^\n]{0,200}+\n|/\*(?:[^*]|\*(?!/)){0,200}+\*/)\s*+){0,8}+"
_TEXT = r'r?#{0,9}"([^"\n]{0,1000})"'
_INCLUDES = r"\binclude(?:_str|_bytes)?\b"
_MODULE = re.compile(rf"\bmod\b{_GAP}(?:r#)?(\w+)({_GAP}\{{)?")
_PATH = re.compile(rf"(?<!let )(?<!mut )(?<!\.)\bpath\b{_GAP}={_GAP}{_TEXT}")
_INCLUDE = re.compile(rf"{_INCLUDES}{_GAP}!{_GAP}[(\[{{]{_GAP}")
_PLAIN = re.compile(_TEXT)
_IN_PACKAGE = re.compile(
    rf'concat\b{_GAP}!{_GAP}\({_GAP}env\b{_GAP}!{_GAP}\({_GAP}"CARGO_MANIFEST_DIR"{_GAP}\){_GAP},{_GAP}{_TEXT}{_GAP},?'
    rf"{_GAP}\)"
)
# A name, a keyword or a macro that a macro is given, and comments that are longer than a gap.
_HIDDEN = re.compile(
    rf"\bmod\b{_GAP}[$,)\]}}/]|(?<!\.){_INCLUDES}{_GAP}[,)\]}}]|\bpath\b{_GAP}={_GAP}\$|#!?{_GAP}\[{_GAP}\$"
    rf"|(?:\bpath\b|{_INCLUDES}){_GAP}(?:[=!]{_GAP})?/[/*]"
)
_USE = re.compile(r"\buse\b")
_NAMED = re.compile(_INCLUDES)


def digest(script: str, package: str, workspace: str) -> str:
    """SHA-256 over the files that the script at `script` is made of, with their names; for a script of one file that
    file's alone. Files outside both `package` and `workspace` are not read. UNREADABLE where it can't be told."""
    try:
        return _Source(script, package, workspace).digest()
    except (FileNotFoundError, Unreadable, _CannotTell):
        return UNREADABLE


class _CannotTell(Exception):
    """The files can't be found out."""


class _Source:
    def __init__(self, script: str, package: str, workspace: str) -> None:
        self._script, self._package, self._workspace = os.path.normpath(script), package, workspace
        self._names: dict[str, list[str]] | None = None
        self._left = MAX_BYTES

    def digest(self) -> str:
        first = read_bytes(self._script, MAX_BYTES)
        found = {self._script: first}
        waiting = [self._script]
        while waiting:
            path = waiting.pop()
            if len(found[path]) > MAX_TEXT:
                raise _CannotTell
            for taken in self._taken(path, found[path].decode("utf-8", "replace")):
                if taken not in found:
                    found[taken] = self._read(taken)
                    waiting += [taken] if taken.endswith(".rs") else []
        if len(found) == 1:
            return hashlib.sha256(first).hexdigest()
        whole = hashlib.sha256()
        for path, data in sorted(found.items()):
            name = os.path.relpath(path, self._package).encode("utf-8", "surrogateescape")
            whole.update(b"%s\0%s\n" % (name, hashlib.sha256(data).hexdigest().encode()))
        return whole.hexdigest()

    def _read(self, path: str) -> bytes:
        if not (stays_below(path, self._package) or stays_below(path, self._workspace)):
            raise _CannotTell
        data = read_bytes(path, MAX_BYTES)
        self._left -= len(data)
        if self._left < 0:
            raise _CannotTell
        return data

    def _taken(self, path: str, text: str) -> Iterator[str]:
        """The files that a file's text may take in."""
        asked = _asked(text)
        if not (asked.names or asked.anchored or asked.hidden):
            return
        names = self._listed()
        if asked.hidden:
            yield from (one for name in names if name.endswith(".rs") for one in names[name])
        for wanted in (*asked.names, *asked.anchored):
            parts = Path(wanted).parts
            if _ASIDE.intersection(parts):
                # What builds leave there changes each time.
                raise _CannotTell
            yield from names.get(os.path.basename(wanted), ())
            if ".." in parts or wanted.startswith("/"):
                sure = wanted in asked.anchored or not asked.nested
                start = self._package if wanted in asked.anchored else os.path.dirname(path)
                beside = os.path.normpath(os.path.join(start, wanted))
                if not sure or not os.path.isfile(beside):
                    raise _CannotTell
                yield beside

    def _listed(self) -> dict[str, list[str]]:
        """The package's files by their last name, and `NAME.rs` for `NAME/mod.rs` too."""
        if self._names is None:
            self._names = {}
            count = 0
            for folder, inner, names in os.walk(self._package):
                count += len(inner) + len(names)
                # What lies behind a link to a folder is not seen.
                if count > MAX_ENTRIES or any(os.path.islink(os.path.join(folder, name)) for name in inner):
                    raise _CannotTell
                inner[:] = sorted(name for name in inner if name not in _ASIDE)
                for name in names:
                    known = os.path.basename(folder) + ".rs" if name == "mod.rs" else name
                    self._names.setdefault(known, []).append(os.path.join(folder, name))
                    if known != name:
                        self._names.setdefault(name, []).append(os.path.join(folder, name))
        return self._names


class _Asked(NamedTuple):
    """`names` of files that a text takes in, `anchored` those that are given from the package's folder on; `hidden`: it
    takes in some that it does not name, `nested`: it has modules in braces, so that the folder which paths start from
    is not known."""

    names: tuple[str, ...]
    anchored: tuple[str, ...]
    hidden: bool
    nested: bool


def _asked(text: str) -> _Asked:
    modules = list(_MODULE.finditer(text))
    # `use std::include as x;`
    hidden = any(_USE.search(part) and _NAMED.search(part) for part in text.split(";")) or bool(_HIDDEN.search(text))
    literals = [found[1] for found in _PATH.finditer(text)]
    anchored = []
    for found in _INCLUDE.finditer(text):
        plain, in_package = _PLAIN.match(text, found.end()), _IN_PACKAGE.match(text, found.end())
        hidden |= plain is None and in_package is None
        literals += [plain[1]] if plain else []
        anchored += [in_package[1].lstrip("/")] if in_package else []
    # An escape may hide a name.
    hidden |= any("\\" in one for one in (*literals, *anchored))
    names = [f"{found[1]}/mod.rs" if found[1] in _ASIDE else f"{found[1]}.rs" for found in modules]
    nested = any(found[2] for found in modules)
    return _Asked((*names, *filter(None, literals)), tuple(filter(None, anchored)), hidden, nested)
