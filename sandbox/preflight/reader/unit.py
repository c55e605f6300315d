"""Reads all source files that a build script or macro reaches by `mod`, `#[path]` and `include!`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.cargo.files import Unreadable, read_bytes, stays_below
from sandbox.preflight.reader.cache import Cache
from sandbox.preflight.reader.facts import Call, FileFacts, Include, Module, Sighting
from sandbox.preflight.reader.payload import form_of
from sandbox.preflight.reader.scan import scan
from sandbox.preflight.reader.tokens import MAX_BYTES, TooHard

MAX_FILES = 800
"""Most files of one script or macro."""
MAX_TOTAL = 24 << 20
"""Most bytes of all its files together."""


MAX_TOO_HARD = 2
"""After so many files that the parser gives up, the rest of the unit is left."""


@dataclass(frozen=True, slots=True)
class Unit:
    """All that a build script or macro shows. `unread` are (file, reason) of what a compiler would take and we can't
    read; `doubts` of what was read, though the grammar does not know all of it; `undone` of what was left out for its
    size or number."""

    sightings: tuple[Sighting, ...] = ()
    calls: tuple[tuple[str, Call], ...] = ()
    functions: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    doubts: tuple[tuple[str, str], ...] = ()
    undone: tuple[tuple[str, str], ...] = ()


def read_unit(top: Path, root: Path, not_quoting: frozenset[str] = frozenset(), cache: Cache | None = None) -> Unit:
    """The unit whose root source file is `root`, in the package at `top`. Files outside `top` are not read, whatever
    leads there. Raises nothing for what a package may hold."""
    return _Reading(top, not_quoting, cache or Cache(None)).all(root)


class _Reading:
    def __init__(self, top: Path, not_quoting: frozenset[str], cache: Cache) -> None:
        self.top, self.not_quoting, self.cache = top, not_quoting, cache
        self.sightings: list[Sighting] = []
        self.calls: list[tuple[str, Call]] = []
        self.functions: set[str] = set()
        self.unread: dict[str, str] = {}
        self.doubts: dict[str, str] = {}
        self.undone: dict[str, str] = {}
        self.seen: set[Path] = set()
        self.files: list[str] = []
        self.total = self.too_hard = 0
        # (file, folder that its modules are in, whether a missing one is a fault)
        self.waiting: deque[tuple[Path, Path]] = deque()

    def all(self, root: Path) -> Unit:
        root = Path(os.path.normpath(root))
        self.waiting.append((root, root.parent))
        self.seen.add(root)
        while self.waiting:
            path, folder = self.waiting.popleft()
            if len(self.files) >= MAX_FILES or self.too_hard >= MAX_TOO_HARD:
                hard = "the parser found no end in other files"
                self.undone[self._name(path)] = hard if self.too_hard else f"more than {MAX_FILES} files"
                continue
            facts = self._read(path)
            if facts is not None:
                self._take(path, folder, facts)
        return Unit(
            tuple(self.sightings), tuple(self.calls), frozenset(self.functions), tuple(self.files),
            tuple(self.unread.items()), tuple(self.doubts.items()), tuple(self.undone.items()),
        )  # fmt: skip

    def _read(self, path: Path) -> FileFacts | None:
        name = self._name(path)
        if not stays_below(path, self.top):
            self.sightings.append(Sighting("outside", 1, "a link leads out of the package", file=name))
            self.unread[name] = "it lies outside of the package"
            return None
        try:
            data = read_bytes(path, MAX_BYTES)
        except FileNotFoundError:
            self.unread[name] = "no such file"
            return None
        except Unreadable as error:
            too_large = str(error).startswith("larger than")
            (self.undone if too_large else self.unread)[name] = str(error)
            return None
        self.total += len(data)
        if self.total > MAX_TOTAL:
            self.undone[name] = f"all files together have more than {MAX_TOTAL} bytes"
            return None
        self.files.append(name)
        data = data.removeprefix(b"\xef\xbb\xbf")
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.unread[name] = f"not UTF-8 at byte {error.start}"
        key = hashlib.sha256(" ".join(sorted(self.not_quoting)).encode() + b"\0" + data).hexdigest()
        try:
            return self.cache.facts(key, lambda: scan(data, self.not_quoting))
        except TooHard:
            self.undone[name] = "the parser found no end"
            self.too_hard += 1
            return None

    def _take(self, path: Path, folder: Path, facts: FileFacts) -> None:
        name = self._name(path)
        self.sightings.extend(one._replace(file=name) for one in facts.sightings)
        self.calls.extend((name, one) for one in facts.calls)
        self.functions.update(facts.functions)
        if facts.broken:
            lines = ", ".join(map(str, facts.broken))
            if facts.lost:
                self.unread.setdefault(name, f"no Rust that the reader knows, at line {lines}")
            else:
                self.doubts.setdefault(name, f"read word by word, as the grammar does not know line {lines}")
        if facts.dropped:
            self.undone.setdefault(name, "too much in one file")
        for module in facts.modules:
            self._module(path, folder, module)
        for include in facts.includes:
            self._include(path, folder, include)

    def _module(self, path: Path, folder: Path, module: Module) -> None:
        places = list(_places(path, folder, module))
        for file, inner in places:
            if not os.path.lexists(file):
                continue
            self._wait(file, inner)
            if not module.path:
                return
        if not any(os.path.lexists(file) for file, _ in places) and not module.optional:
            self.unread.setdefault(
                self._name(places[0][0]), f"no such file, for `mod {module.name}` in {self._name(path)}"
            )

    def _include(self, path: Path, folder: Path, include: Include) -> None:
        name = self._name(path)

        def see(kind: str, text: str) -> None:
            seen = Sighting(kind, include.line, text, include.function, include.emitted, name)
            self.sightings.append(seen)

        if include.base in ("generated", "unknown"):
            if include.macro == "include":
                see("generated", include.path)
            return
        # What is read by a plain path is looked for in the package's folder, where cargo starts scripts.
        base = self.top if include.base == "package" or include.macro == "read" else path.parent
        target = Path(os.path.normpath(f"{base}/{include.path.lstrip('/')}" if include.base == "package"
                                       else os.path.join(base, include.path)))  # fmt: skip
        if not stays_below(target, self.top):
            if include.macro != "read":
                see("outside", include.path)
            return
        if include.macro == "include":
            if not include.emitted:
                self._wait(target, folder)
            return
        try:
            status = os.stat(target)
            if not stat.S_ISREG(status.st_mode):
                return
            with open(target, "rb") as stream:
                form, what = form_of(stream.read(4096), status.st_size)
        except (OSError, ValueError):
            return
        if form == "executable":
            see("includes-executable", f"{include.path} ({what})")
        elif form not in ("text", "script"):
            see("reads-binary" if include.macro == "read" else "includes-binary", f"{include.path} ({what})")

    def _wait(self, path: Path, folder: Path) -> None:
        if path not in self.seen:
            self.seen.add(path)
            self.waiting.append((path, folder))

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self.top)


def _places(path: Path, folder: Path, module: Module) -> Iterator[tuple[Path, Path]]:
    """Where a module's file may be, and where its own modules are. Source: the Rust reference, "Modules"."""
    within = folder.joinpath(*module.inside)
    if module.path:
        # In an inline module the path starts from that module's folder, else from the file's own.
        file = Path(os.path.normpath((within if module.inside else path.parent) / module.path))
        yield file, file.parent
        return
    name = module.name
    yield Path(os.path.normpath(within / f"{name}.rs")), within / name
    yield Path(os.path.normpath(within / name / "mod.rs")), within / name
