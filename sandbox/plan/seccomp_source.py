"""Reads profiles/seccomp/calls.yaml and syscalls.json, for scripts/gen-seccomp."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from sandbox.plan import bpf

LEVELS = ("standard", "strict")

_GROUP_KEYS = {"action", "strict", "why", "calls", "cases", "guard"}
_CASE_KEYS = {"then", "strict", "when"}
_TOP_KEYS = {"version", "unknown", "foreign", "x32", "groups"}


class SourceError(ValueError):
    """The source or the tables say something that has no meaning; the message names the place."""


class _StrictLoader(yaml.SafeLoader):
    """YAML lets a later key replace an equal earlier one, which would drop a group unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise SourceError(f"{key} is there twice{node.start_mark}")
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class Action:
    """What becomes of a call. `word`: allow, ask, refuse or errno; `error` is the errno of the last two. `otherwise`
    is the errno of a call that would be asked about, where nobody can be asked; 0: it is let through there."""

    word: str
    error: int = 0
    otherwise: int = 0

    def verdict(self, alone: bool = False) -> int:
        """The SECCOMP_RET_* word of the inner filter. A refusal is the guard's, so that it is recorded; the filter that
        is `alone` decides by itself."""
        if self.word == "allow" or (alone and self.word == "ask" and not self.otherwise):
            return bpf.RET_ALLOW
        if self.word == "errno" or alone:
            return bpf.RET_ERRNO | (self.error or self.otherwise)
        return bpf.RET_NOTIFY


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one call by its arguments: the first of `cases` that holds, else `action`.

    `guard`: the guard itself makes this call.
    """

    action: Action
    cases: tuple[tuple[tuple[bpf.Test, ...], Action], ...] = ()
    guard: bool = False

    @property
    def actions(self) -> tuple[Action, ...]:
        """Every action that is possible."""
        return (self.action, *(action for _, action in self.cases))

    @property
    def refusal(self) -> int:
        """The errno with which the guard refuses whatever it is asked of this call; 0 when it has to look itself."""
        asked = {action for action in self.actions if action.word in ("ask", "refuse")}
        return next(iter(asked)).error if len(asked) == 1 else 0

    def rule(self, alone: bool = False) -> bpf.Rule:
        """The inner filter's rule, of the one that asks the guard or of the one that is `alone`."""
        base = self.action.verdict(alone)
        cases = tuple(bpf.Case(tests, action.verdict(alone)) for tests, action in self.cases)
        return bpf.Rule(base, tuple(case for case in cases if _matters(case, cases, base)))


@dataclass(frozen=True, slots=True)
class Source:
    """The checked content of calls.yaml for one level. `calls` has every name of the tables."""

    level: str
    unknown: Action
    foreign: Action
    x32: Action
    calls: Mapping[str, Decision]


def read_tables(text: str) -> dict[str, dict[str, int]]:
    """The tables name -> number by architecture, from the text of syscalls.json."""
    data = json.loads(text)
    tables: dict[str, dict[str, int]] = {}
    for arch in bpf.AUDIT_ARCH:
        table = data.get(arch)
        if not isinstance(table, dict) or not all(type(nr) is int and 0 <= nr < bpf.X32_BIT for nr in table.values()):
            raise SourceError(f"syscalls.json: no table of numbers for {arch}")
        if len(set(table.values())) != len(table):
            raise SourceError(f"syscalls.json: {arch}: two names for one number")
        tables[arch] = table
    return tables


def read_source(text: str, tables: Mapping[str, Mapping[str, int]], level: str) -> Source:
    """The source at a level. Raises SourceError, also when the calls are not exactly those of the tables."""
    try:
        data = yaml.load(text, _StrictLoader)
    except yaml.YAMLError as error:
        raise SourceError(f"calls.yaml: {error}") from error
    if not isinstance(data, dict) or set(data) != _TOP_KEYS or data["version"] != 2:
        raise SourceError(f"calls.yaml: version 2 with the keys {sorted(_TOP_KEYS)} expected")
    known = {name for table in tables.values() for name in table}
    calls: dict[str, Decision] = {}
    for title, group in data["groups"].items():
        if not isinstance(group, dict) or not {"action", "why", "calls"} <= set(group) <= _GROUP_KEYS:
            raise SourceError(f"{title}: action, why, calls and perhaps strict, cases, guard expected")
        cases = tuple(_case(case, f"{title}: case", level) for case in group.get("cases", ()))
        decision = Decision(_action(group, "action", title, level), cases, group.get("guard") is True)
        if len({action for action in decision.actions if action.word == "refuse"}) > 1:
            raise SourceError(f"{title}: the guard can't tell which error was meant")
        for name in (name for line in group["calls"] for name in (line if isinstance(line, list) else [line])):
            if name not in known:
                raise SourceError(f"{title}: no syscall is named {name!r}")
            if name in calls:
                raise SourceError(f"{title}: {name} stands in another group too")
            calls[name] = decision
    if missing := known - set(calls):
        raise SourceError(f"calls.yaml: no group has {', '.join(sorted(missing))}")
    unknown, foreign, x32 = (_parse(data[key], key) for key in ("unknown", "foreign", "x32"))
    return Source(level, unknown, foreign, x32, calls)


def _matters(case: bpf.Case, cases: tuple[bpf.Case, ...], base: int) -> bool:
    """Whether the inner filter has to look: not where the guard is asked in any case."""
    return any(other.verdict != base for other in cases[cases.index(case) :])


def _action(data: Mapping[str, Any], key: str, where: str, level: str) -> Action:
    return _parse(data.get("strict", data[key]) if level == "strict" else data[key], where)


def _parse(text: object, where: str) -> Action:
    """`allow`, `ask`, `ask else NAME`, `refuse NAME` or `errno NAME`."""
    if isinstance(text, str):
        word, _, name = text.partition(" ")
        if word in ("allow", "ask") and not name:
            return Action(word)
        number = getattr(errno, name.removeprefix("else "), None)
        if word == "ask" and name.startswith("else ") and isinstance(number, int):
            return Action(word, otherwise=number)
        number = getattr(errno, name, None)
        if word in ("refuse", "errno") and isinstance(number, int):
            return Action(word, number)
    raise SourceError(f"{where}: {text!r} is not an action")


def _case(data: Any, where: str, level: str) -> tuple[tuple[bpf.Test, ...], Action]:
    if not isinstance(data, dict) or not {"then", "when"} <= set(data) <= _CASE_KEYS or not data["when"]:
        raise SourceError(f"{where}: then, when and perhaps strict expected")
    return tuple(_test(test, where) for test in data["when"]), _action(data, "then", where, level)


def _test(data: Any, where: str) -> bpf.Test:
    if not isinstance(data, dict) or set(data) not in ({"arg", "any-of"}, {"arg", "mask", "any-of"}, {"arg", "bits"}):
        raise SourceError(f"{where}: a test needs arg and any-of, arg, mask and any-of, or arg and bits")
    named = data.get("any-of", data.get("bits"))
    if data["arg"] not in range(6) or not isinstance(named, dict) or not named:
        raise SourceError(f"{where}: arg is 0 to 5, the values are named numbers")
    values, mask = (
        tuple(_number(value, where) for value in named.values()),
        _number(data.get("mask", 0xFFFF_FFFF), where),
    )
    if "bits" in data:
        return bpf.Test(data["arg"], (0,), mask=sum(set(values)), negated=True)
    if any(value & ~mask for value in values):
        raise SourceError(f"{where}: a value has bits outside of its mask")
    return bpf.Test(data["arg"], values, mask)


def _number(value: object, where: str) -> int:
    """A number of 32 bits. YAML 1.1, which is what is read here, takes 0o17 for a text."""
    if isinstance(value, str) and value.startswith("0o"):
        value = int(value, 8)
    if type(value) is not int or not 0 <= value < 1 << 32:
        raise SourceError(f"{where}: {value!r} does not fit into 32 bits")
    return value
