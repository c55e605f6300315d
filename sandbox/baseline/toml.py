"""A baseline as TOML and back: one fact a line, sorted, so that a change reads well in a pull request.

The writer shows no character as itself that could hide or turn round text on a screen. The reader takes nothing on
trust: the project's own store is written by whoever wrote the project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.baseline.model import SCHEMA, Baseline, BaselineError, FactEntry, UnitEntry, VersionEntry, Waiver, in_order
from sandbox.behaviour.model import CLASSES, Fact
from sandbox.cargo.files import Unreadable, parse_toml

MAX_BYTES = 16 << 20
"""Largest baseline file that is read or written, in bytes."""

_UNSAFE = re.compile(
    '["\\\\\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb'
    "\U000e0000-\U000e007f]"
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


def dumps(baseline: Baseline) -> str:
    """The text of a baseline."""
    lines = [f"schema = {SCHEMA}", f"normaliser = {baseline.normaliser}", f"package = {string(baseline.package)}"]
    for one in in_order(baseline.versions):
        lines += ["", "[[version]]", f"version = {string(one.version)}", f"checksum = {string(one.checksum)}"]
        lines += [f"runs = {one.runs}", f"accepted = {string(one.accepted)}", f"reason = {string(one.reason)}"]
        context = {"features": _strings(sorted(one.features))}
        context |= {name: string(getattr(one, name)) for name in ("target", "toolchain") if getattr(one, name)}
        lines.append(f"context = {_inline(context)}")
        if one.waivers:
            lines.append("rules = [")
            for waiver in sorted(one.waivers):
                lines.append(f"  {_inline({'id': string(waiver.rule), 'reason': string(waiver.reason)})},")
            lines.append("]")
        for unit in sorted(one.units, key=lambda unit: unit.identity):
            lines += ["", "[[version.unit]]", f"role = {string(unit.role)}", f"crate = {string(unit.crate)}"]
            lines += [f"crate_types = {_strings(unit.crate_types)}", f"macros = {_strings(sorted(unit.macros))}"]
            lines += ["facts = [", *(f"  {_fact(entry)}," for entry in sorted(unit.facts)), "]"]
    return "\n".join(lines) + "\n"


def loads(text: str, where: str = "a baseline") -> Baseline:
    """The baseline in a text; `where` names it in messages. Raises BaselineError for anything that is none."""
    try:
        table = parse_toml(text)
    except Unreadable as error:
        raise BaselineError(f"{where} can't be read: {error}", hint=_HINT) from None
    reader = _Reader(where)
    if table.get("schema") != SCHEMA:
        raise BaselineError(
            f"{where} has schema {table.get('schema')!r}, known is {SCHEMA}",
            hint="another version of cargo-sandbox wrote it: update, or accept anew",
        )
    reader.only(table, ("schema", "normaliser", "package", "version"), "the file")
    versions = tuple(map(reader.version, reader.items(table, "version")))
    identities = [(one.version, one.checksum) for one in versions]
    if len(set(identities)) != len(identities):
        raise reader.wrong("one version with one checksum stands there twice")
    return Baseline(reader.text(table, "package"), in_order(versions), reader.number(table, "normaliser"))


_HINT = "repair the file, or remove it and accept anew: cargo-sandbox baseline accept PKG --reason TEXT"


class _Reader:
    """Takes tables apart; every message names the file."""

    def __init__(self, where: str) -> None:
        self._where = where

    def wrong(self, why: str) -> BaselineError:
        return BaselineError(f"{self._where} is no baseline: {why}", hint=_HINT)

    def version(self, table: Any) -> VersionEntry:
        table = self._table(table, "version")
        known = ("version", "checksum", "runs", "accepted", "reason", "context", "rules", "unit")
        self.only(table, known, "a version")
        context = self._table(table.get("context", {}), "context")
        self.only(context, ("features", "target", "toolchain"), "a context")
        checksum = self.text(table, "checksum")
        if checksum and not _HEXADECIMAL.fullmatch(checksum):
            raise self.wrong(f"{checksum[:80]!r} is no SHA-256")
        runs = self.number(table, "runs")
        units = tuple(
            sorted((self._unit(one, runs) for one in self.items(table, "unit")), key=lambda one: one.identity)
        )
        if len({one.identity for one in units}) != len(units):
            raise self.wrong("one unit stands there twice")
        return VersionEntry(
            self.text(table, "version"), checksum, runs, self.text(table, "accepted"), self.text(table, "reason"),
            tuple(sorted(self.strings(context, "features"))), self.text(context, "target", ""),
            self.text(context, "toolchain", ""), units,
            tuple(sorted(map(self._waiver, self.items(table, "rules")))),
        )  # fmt: skip

    def _unit(self, table: Any, runs: int) -> UnitEntry:
        table = self._table(table, "unit")
        self.only(table, ("role", "crate", "crate_types", "macros", "facts"), "a unit")
        facts = tuple(sorted(self._fact(one, runs) for one in self.items(table, "facts")))
        if len({entry.fact for entry in facts}) != len(facts):
            raise self.wrong("one fact stands there twice")
        return UnitEntry(
            self.text(table, "role"), self.text(table, "crate", ""), tuple(self.strings(table, "crate_types")),
            tuple(sorted(self.strings(table, "macros"))), facts,
        )  # fmt: skip

    def _fact(self, table: Any, runs: int) -> FactEntry:
        table = self._table(table, "fact")
        self.only(table, ("class", "act", "object", "owner", "chain", "detail", "seen"), "a fact")
        kind = self.text(table, "class")
        if kind not in CLASSES:
            raise self.wrong(f"there is no class {kind[:80]!r}")
        detail = self._table(table.get("detail", {}), "detail")
        pairs = tuple(sorted((name, self.text(detail, name)) for name in detail))
        seen = self.number(table, "seen")
        if seen > runs:
            raise self.wrong(f"a fact was seen in {seen} of {runs} runs")
        fact = Fact(
            kind, self.text(table, "act"), self.text(table, "object"), self.text(table, "owner", ""),
            tuple(self.strings(table, "chain")), pairs,
        )  # fmt: skip
        return FactEntry(fact, seen)

    def _waiver(self, table: Any) -> Waiver:
        table = self._table(table, "rules")
        self.only(table, ("id", "reason"), "an entry of rules")
        waiver = Waiver(self.text(table, "id"), self.text(table, "reason"))
        if not waiver.rule or not waiver.reason.strip():
            raise self.wrong("an accepted rule needs an id and a reason")
        return waiver

    def only(self, table: Mapping[str, Any], known: Iterable[str], what: str) -> None:
        unknown = sorted(set(table) - set(known))
        if unknown:
            raise self.wrong(f"{what} has an unknown key {unknown[0][:80]!r}")

    def text(self, table: Mapping[str, Any], name: str, default: str | None = None) -> str:
        value = table.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(f"`{name[:80]}` is no text")
        return value

    def number(self, table: Mapping[str, Any], name: str) -> int:
        value = table.get(name)
        if type(value) is not int or not 1 <= value < 1 << 31:
            raise self.wrong(f"`{name}` is no number above 0")
        return value

    def items(self, table: Mapping[str, Any], name: str) -> list[Any]:
        value = table.get(name, [])
        if not isinstance(value, list):
            raise self.wrong(f"`{name}` is no list")
        return value

    def strings(self, table: Mapping[str, Any], name: str) -> list[str]:
        found = self.items(table, name)
        if not all(isinstance(one, str) for one in found):
            raise self.wrong(f"`{name}` is no list of texts")
        return found

    def _table(self, value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(f"`{name}` is no table")
        return value


def string(text: str) -> str:
    """A basic string of TOML. A lone surrogate, which TOML can't hold, is written out as `\\\\udcxx`."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return '"' + _UNSAFE.sub(_escaped, text) + '"'


def _escaped(match: re.Match[str]) -> str:
    char = match.group()
    if char in '"\\':
        return "\\" + char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _strings(values: Iterable[str]) -> str:
    return "[" + ", ".join(map(string, values)) + "]"


def _inline(pairs: Mapping[str, str]) -> str:
    words = [f"{name if _BARE.fullmatch(name) else string(name)} = {value}" for name, value in pairs.items()]
    return "{ " + ", ".join(words) + " }" if words else "{ }"


def _fact(entry: FactEntry) -> str:
    fact = entry.fact
    pairs = {"class": string(fact.kind), "act": string(fact.act), "object": string(fact.object)}
    if fact.owner:
        pairs["owner"] = string(fact.owner)
    if fact.chain:
        pairs["chain"] = _strings(fact.chain)
    if fact.detail:
        pairs["detail"] = _inline({name: string(value) for name, value in fact.detail})
    return _inline(pairs | {"seen": str(entry.seen)})
