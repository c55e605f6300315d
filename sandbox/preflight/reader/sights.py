"""The state of reading one file, and what its literals and signs say."""

from __future__ import annotations

import re

from sandbox.preflight.reader import lexicon as words
from sandbox.preflight.reader.facts import Call, Include, Module, Sighting
from sandbox.preflight.reader.hidden import Hidden
from sandbox.preflight.reader.names import Names
from sandbox.preflight.reader.texts import is_public, kinds_of
from sandbox.preflight.reader.tokens import TEXT, Token, Tokens

MAX_SIGHTINGS = 400
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{1,60}\Z")


class Sights:
    """What was seen so far, and where in the file we are: in which function, type, module, and code for others."""

    def __init__(self, tokens: Tokens, names: Names, not_quoting: frozenset[str]) -> None:
        self.tokens, self.names, self.row = tokens, names, tokens.row
        self.quoting = words.QUOTING - not_quoting
        self.found: dict[tuple[str, str, str, bool], Sighting] = {}
        self.modules: list[Module] = []
        self.includes: list[Include] = []
        self.calls: dict[Call, None] = {}
        self.functions: dict[str, None] = {}
        self.dropped = False
        self.bodies: dict[int, str] = {}
        self.around: list[tuple[int, str]] = []
        self.inline: list[tuple[int, str]] = []
        self.types: list[tuple[int, str]] = []
        self.impls: dict[int, str] = {}
        self.emitted: list[tuple[int, int]] = []
        self.at = self.date = 0
        self.hidden = Hidden()

    def _see(self, kind: str, line: int, text: str) -> None:
        emitted, function = self._emitting(), self._where()
        if len(self.found) < MAX_SIGHTINGS:
            key = (kind, text[:200], "" if emitted else function, emitted)
            self.found.setdefault(key, Sighting(kind, line, text[:200], function, emitted))
        else:
            self.dropped = True

    # Texts, signs and numbers.

    def _text(self, token: Token) -> None:
        for kind in sorted(kinds_of(token.text)):
            self._see(kind, token.line, token.text)
        if _VARIABLE.match(token.text):
            kind = words.variable_kind(token.text)
            if kind:
                self._see(kind, token.line, token.text)
        assert isinstance(token.data, bytes)
        for kind, text in self.hidden.look(token.text, token.data, token.line):
            self._see(kind, token.line, text)

    def _sign(self, at: int, token: Token) -> None:
        if token.text in ("^", "^="):
            near = self.row[max(0, at - 1) : at + 2]
            if any(isinstance(one.data, int) for one in near) or any(
                one.text == "%" for one in self.row[at + 1 : at + 9]
            ):
                self._see("xor", token.line, "")
        elif token.text == "[":
            self._list(at, token)

    def _list(self, at: int, token: Token) -> None:
        """`[1, 2, …]` and `["a", "b", …]`; a list that holds anything else is left at its first such token."""
        end = self.tokens.ends.get(at, at)
        numbers: list[int] = []
        texts: list[str] = []
        where = at + 1
        while where < end:
            one = self.row[where]
            if one.kind == TEXT and not numbers:
                texts.append(one.text)
            elif isinstance(one.data, int) and not texts:
                numbers.append(one.data)
            elif one.text not in ("&", ","):
                return
            where += 1
        if numbers:
            self._numbers(numbers, token.line)
        elif len(texts) > 1 and [one.text for one in self.row[end + 1 : end + 3]] in ([".", "concat"], [".", "join"]):
            self._joined("".join(texts), token.line)

    def _joined(self, text: str, line: int) -> None:
        self._text(Token(TEXT, text, line, text.encode("utf-8", "replace")))

    def _numbers(self, numbers: list[int], line: int) -> None:
        if len(numbers) == 4:
            self._address(numbers, line)
        if len(numbers) >= 6 and max(numbers) < 256:
            for kind, text in self.hidden.look_at_bytes(bytes(numbers)):
                self._see(kind, line, text)

    def _address(self, numbers: list[int], line: int) -> None:
        text = ".".join(map(str, numbers))
        if text in ("169.254.169.254", "169.254.170.2"):
            self._see("metadata-address", line, text)
        elif is_public(tuple(numbers)) and self._speaks_of_addresses():
            self._see("raw-address", line, text)

    def _speaks_of_addresses(self) -> bool:
        return any(one.text in ("SocketAddr", "SocketAddrV4", "Ipv4Addr", "IpAddr", "TcpStream") for one in self.row)

    def _emitting(self) -> bool:
        return bool(self.emitted) and self.emitted[-1][0] <= self.at

    def _where(self) -> str:
        return self.around[-1][1] if self.around else ""
