"""What one source file reaches for: a pure function of its bytes."""

from __future__ import annotations

import re

from sandbox.preflight.reader import lexicon as words
from sandbox.preflight.reader.facts import Base, Call, FileFacts, Include, Module
from sandbox.preflight.reader.names import Path, collect, path_at
from sandbox.preflight.reader.sights import MAX_SIGHTINGS, Sights
from sandbox.preflight.reader.tokens import IDENT, PUNCT, TEXT, Token, read

MAX_CALLS = 8000
_AHEAD = 60
_SPAN = 2000
_PASTES = frozenset({("std",), ("std", "process"), ("std", "net"), ("libc",), ("std", "os", "unix", "net")})
_INCLUDES = frozenset({"include", "include_str", "include_bytes"})
_READS = frozenset({"std::fs::read", "std::fs::File::open", "std::fs::read_to_string"})


def scan(source: bytes, not_quoting: frozenset[str] = frozenset()) -> FileFacts:
    """All that is seen in a file. `not_quoting`: crates that are not what their names say, so that their `quote!` need
    not be the well-known one. Raises TooHard."""
    tokens = read(source)
    return _Scan(tokens, collect(tokens), not_quoting).facts()


class _Scan(Sights):
    def facts(self) -> FileFacts:
        at, size = 0, len(self.row)
        while at < size:
            at = max(self._step(at), at + 1)
        for line, text in self.hidden.split_texts():
            self._see("hidden-text", line, text)
        for path, line in self.names.unknown_globs():
            self._see("unknown-import", line, "::".join(path))
        if self.date and any(kind == "clock" for kind, *_ in self.found):
            self._see("date-gate", self.date, "")
        return FileFacts(
            tuple(self.found.values()), tuple(self.modules), tuple(self.includes), tuple(self.calls),
            tuple(self.functions), self.tokens.broken, self.tokens.lost, self.dropped,
        )  # fmt: skip

    def _step(self, at: int) -> int:
        """Look at one token; gives where to go on."""
        self.at = at
        for stack in (self.around, self.inline, self.types):
            while stack and at > stack[-1][0]:
                stack.pop()
        while self.emitted and at > self.emitted[-1][1]:
            self.emitted.pop()
        token = self.row[at]
        if at in self.impls:
            self.types.append((self.tokens.ends.get(at, at), self.impls[at]))
        if at in self.bodies:
            self.around.append((self.tokens.ends.get(at, at), self.bodies[at]))
        if token.kind == TEXT:
            self._text(token)
        elif token.kind == PUNCT:
            self._sign(at, token)
        elif isinstance(token.data, int):
            if 1_600_000_000 < token.data < 4_200_000_000 or 1_600_000_000_000 < token.data < 4_200_000_000_000:
                self.date = self.date or token.line
        elif token.kind == IDENT and at not in self.names.used:
            return self._word(at, token)
        return at + 1

    # Words.

    def _word(self, at: int, token: Token) -> int:
        before = self.row[at - 1].text if at else ""
        if before == ".":
            self._method(at, token)
            return at + 1
        if before == "fn":
            self._function(at, token)
            return at + 1
        if token.text == "impl":
            self._impl(at)
            return at + 1
        if token.text in ("mod", "unsafe", "extern"):
            self._item(at, token)
            return at + 1
        path, end = path_at(self.tokens, at)
        if not path:
            return at + 1
        if end + 2 < len(self.row) and self.row[end].text == ">" and self.row[end + 1].text == "::" and before == "<":
            path = (*path, self.row[end + 2].text)
            end += 3
        after = self.row[end].text if end < len(self.row) else ""
        if after == "!" and end + 1 < len(self.row) and self.row[end + 1].text in ("(", "[", "{"):
            self._macro(path, end + 1, token.line)
            return end + 1
        for meaning in self.names.meanings(path):
            self._path(meaning, end, token.line)
        last = path[-1].removeprefix("SYS_").lower()
        if last in words.UNMISTAKABLE or (last in words.FORKS and after == "("):
            self._see(words.FOREIGN[last], token.line, path[-1])
        return end

    def _path(self, path: Path, end: int, line: int) -> None:
        argument, known = self._argument(end)
        name = "::".join(path)
        if end < len(self.row) and self.row[end].text.startswith("$") and path in _PASTES:
            self._see("masked-name", line, name)
        kind = words.longest(path)
        if kind == "spawn":
            self._spawn(argument if path[0] == "std" else name, known or path[0] != "std", end, line)
        elif kind in ("write", "delete"):
            self._see(kind, line, name)
            if known and re.match(r"/|[A-Za-z]:[\\/]|~/", argument) and argument not in words.HARMLESS_FILES:
                self._see(kind + "-outside", line, argument)
        elif kind:
            self._see(kind, line, name)
        if path[-2:] == ("Ipv4Addr", "new"):
            inside = self.row[end + 1 : min(self.tokens.ends.get(end, end), end + 9)][::2]
            numbers = [one.data for one in inside if isinstance(one.data, int)]
            if len(numbers) == 4:
                self._address(numbers, line)
        if path[-1] == "syscall":
            self._by_number(end, line)
        if path[-1] in ("from_mode", "set_permissions"):
            self._mode(end, line)
        if name in _READS and known:
            self._include("read", argument, "file", line)
        if not kind and known:
            # Whatever function it is that gets these words.
            self._publishes(argument, self._following(end), line)
        self._call(path, kind, line, argument)

    def _call(self, path: Path, kind: str, line: int, argument: str) -> None:
        """Remember a function that is named, called or not: it may be passed on."""
        if kind or path[0] in ("std", "core", "alloc") or self._emitting() or not path[-1][:1].islower():
            return
        if len(self.calls) >= MAX_CALLS:
            self.dropped = True
            return
        if path[0] == "Self" and self.types:
            path = (self.types[-1][1], *path[1:])
        self.calls.setdefault(Call(self._where(), path, line, argument))

    def _spawn(self, program: str, known: bool, end: int, line: int) -> None:
        if not known:
            self._see("spawn-computed", line, "")
            return
        self._see(words.program_kind(program), line, program)
        follow = self._following(end)
        if program == "git":
            for kind, which in (
                ("download-tool", words.GIT_FETCHES),
                ("git-content", words.GIT_CONTENT),
                ("git-update", frozenset({"submodule"})),
            ):
                for word in sorted(follow & which):
                    self._see(kind, line, f"git {word}")
        self._publishes(program, follow, line)

    def _publishes(self, program: str, follow: set[str], line: int) -> None:
        if program in ("cargo", "npm") and follow & words.PUBLISHES:
            self._see("publish", line, f"{program} {min(follow & words.PUBLISHES)}")

    def _following(self, end: int) -> set[str]:
        return {one.text for one in self.row[end + 2 : end + _AHEAD] if one.kind == TEXT}

    def _method(self, at: int, token: Token) -> None:
        kind = words.METHODS.get(token.text)
        if kind == "chmod-exec":
            self._mode(at + 1, token.line)
        elif kind:
            self._see(kind, token.line, token.text)

    def _mode(self, at: int, line: int) -> None:
        inside = self.row[at : min(self.tokens.ends.get(at, at), at + _AHEAD)]
        modes = [one for one in inside if isinstance(one.data, int)]
        for one in modes:
            if isinstance(one.data, int) and one.data & 0o111 and one.text.startswith("0o"):
                self._see("chmod-exec", line, one.text)

    def _by_number(self, end: int, line: int) -> None:
        self._see("raw-call", line, "syscall")
        inside = self.row[end + 1 : min(self.tokens.ends.get(end, end), end + _AHEAD)]
        for one in inside:
            number = one.data if isinstance(one.data, int) else self.names.numbers.get(one.text)
            said = words.NUMBERS_OF_CALLS.get(number) if number is not None else None
            if said:
                kind = "memory-exec" if said.startswith(("memfd", "execveat")) else "kernel-call"
                self._see(kind, line, said)
                return

    def _argument(self, end: int) -> tuple[str, bool]:
        """The first argument where it is a literal, or a name that is bound to one."""
        if end + 1 >= len(self.row) or self.row[end].text != "(":
            return "", False
        at = end + 1
        while at < len(self.row) and self.row[at].text in ("&", "mut"):
            at += 1
        if at >= len(self.row):
            return "", False
        one = self.row[at]
        if one.kind == TEXT:
            return one.text, True
        if one.kind == IDENT and one.text in self.names.texts:
            return self.names.texts[one.text], True
        return "", False

    # Macros and items.

    def _macro(self, path: Path, opening: int, line: int) -> None:
        name, end = path[-1], self.tokens.ends.get(opening, opening)
        texts = [one.text for one in self.row[opening + 1 : min(end, opening + 400)] if one.kind == TEXT]
        if name in words.QUOTES and self._quotes(path):
            start = opening
            if "spanned" in name:
                # Before the arrow stands an expression that is evaluated.
                near = range(opening, min(end, opening + _SPAN))
                start = next((at for at in near if self.row[at].text == "=>"), end)
            self._emission(start, end)
        elif name in words.ASSEMBLER:
            self._see("asm", line, name)
        elif name in _INCLUDES:
            inside = {one.text for one in self.row[opening + 1 : min(end, opening + _AHEAD)]}
            base: Base = "file"
            if "CARGO_MANIFEST_DIR" in inside:
                base, texts = "package", [one for one in texts if one != "CARGO_MANIFEST_DIR"]
            elif "env" in inside:
                base = "generated" if "OUT_DIR" in inside else "unknown"
            elif not texts or "$" in inside:
                base = "unknown"
            self._include(name, "".join(texts), base, line)
        elif name == "concat" and len(texts) > 1:
            self._joined("".join(texts), line)
        else:
            for meaning in self.names.meanings(path):
                kind = words.longest(meaning)
                if kind in ("spawn", "obfuscation", "decode", "network", "raw-call"):
                    self._see(kind, line, "::".join(meaning) + "!")

    def _quotes(self, path: Path) -> bool:
        """Whether a `quote!` is the well-known macro, as far as this file can tell."""
        if path[-1] in self.names.macros:
            return False
        meanings = self.names.meanings(path)
        for meaning in meanings:
            if len(meaning) == 1:
                # By `#[macro_use]`, or by a glob of those crates.
                if not self.quoting >= {"quote", "syn"}:
                    return False
            elif meaning[0] not in self.quoting and not set(meaning[:-1]) & self.quoting:
                return False
        return bool(meanings)

    def _emission(self, start: int, end: int) -> None:
        if start < end and not (self.emitted and self.emitted[-1][1] >= end):
            self.emitted.append((start, end))

    def _include(self, macro: str, path: str, base: Base, line: int) -> None:
        if len(self.includes) < MAX_SIGHTINGS:
            self.includes.append(Include(macro, path[:1000], base, line, self._where(), self._emitting()))
        else:
            self.dropped = True

    def _impl(self, at: int) -> None:
        """Of `impl<T> Trait for path::Type<T> where … {` the type's name."""
        name, depth = "", 0
        for where in range(at + 1, min(at + 1 + _AHEAD * 2, len(self.row))):
            one = self.row[where]
            if one.text == "{":
                self.impls[where] = name
                return
            if one.text in ("<", ">", ">>", "<<"):
                depth += len(one.text) if one.text[0] == "<" else -len(one.text)
            elif one.text in (";", "}") or (one.text == "where" and name):
                # A bound may hold no brace, so the next one is the body's.
                if one.text != "where":
                    return
                depth += 1000
            elif one.kind == IDENT and depth == 0 and one.text not in ("for", "dyn", "mut", "const", "unsafe"):
                name = one.text

    def _function(self, at: int, token: Token) -> None:
        name = f"{self.types[-1][1]}::{token.text}" if self.types else token.text
        self.functions.setdefault(name)
        where = at + 1
        while where < len(self.row) and self.row[where].text not in ("{", ";", "}"):
            where = self.tokens.ends.get(where, where) + 1
        if where < len(self.row) and self.row[where].text == "{":
            self.bodies[where] = name

    def _item(self, at: int, token: Token) -> None:
        row, size = self.row, len(self.row)
        after = row[at + 1] if at + 1 < size else None
        if after is None:
            return
        if token.text == "unsafe":
            if after.text == "{":
                self._see("unsafe", token.line, "")
        elif token.text == "mod" and after.kind == IDENT and at + 2 < size:
            if row[at + 2].text == "{":
                self.inline.append((self.tokens.ends.get(at + 2, at + 2), after.text))
            elif row[at + 2].text == ";":
                self._module(at, after)
        elif token.text == "extern":
            body = at + 1 + (after.kind == TEXT)
            if body < size and row[body].text == "{":
                end = self.tokens.ends.get(body, body)
                self._see("extern", token.line, "")
                for where in range(body, min(end - 1, body + _SPAN * 10)):
                    if row[where].text == "fn":
                        kind = words.FOREIGN.get(row[where + 1].text)
                        if kind:
                            self._see(kind, row[where].line, row[where + 1].text)

    def _module(self, at: int, name: Token) -> None:
        start = at
        while start > 0 and at - start < _AHEAD and self.row[start - 1].text not in (";", "{", "}"):
            start -= 1
        before = self.row[start:at]
        said = {one.text for one in before if one.kind == IDENT}
        paths = [
            before[where + 2].text
            for where in range(len(before) - 2)
            if before[where].text == "path" and before[where + 1].text == "=" and before[where + 2].kind == TEXT
        ]
        inside = tuple(one for _, one in self.inline)
        optional = bool(said & {"cfg", "cfg_attr"}) or self._emitting()
        for path in paths or [""]:
            if len(self.modules) < MAX_SIGHTINGS:
                self.modules.append(Module(name.text, path, inside, optional, name.line))
            else:
                self.dropped = True
