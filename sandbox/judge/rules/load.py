"""Rules from YAML or from the compiled JSON: one strict reader for both. Mistakes name file and place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

from sandbox.behaviour.model import CLASSES, Class
from sandbox.errors import SandboxError
from sandbox.judge.model import SEVERITIES, Severity
from sandbox.judge.rules.globs import Globs, PatternError, globs
from sandbox.judge.rules.model import (
    OFS,
    SCOPES,
    Across,
    All,
    Any_,
    Condition,
    Example,
    Leaf,
    Macros,
    Not,
    Of,
    Ordered,
    Role,
    Rule,
    Scope,
)

SCHEMA = "cargo-sandbox/rules-v1"
COMPILED = "rules.json"
_ID = re.compile(r"CS02[0-9]{2}")
_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")
_ROLES = ("rustc", "script", "rustdoc", "program", "probe")
_MOST_DEPTH = 8
_RULE_KEYS = frozenset("id title severity techniques scope when not weight help examples".split())
_LEAF_KEYS = frozenset(
    "class act changes object object_not owner program chain chain_not parent detail baseline count distinct of label "
    "ports_not".split()
)


class RuleError(SandboxError):
    """A rule file can't be used; the message names file and place."""

    exit_code = 2


def compiled(path: Path) -> tuple[Rule, ...]:
    """The rules of a `rules.json`, without their examples. Raises RuleError."""
    import json

    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise RuleError(f"{path.name} can't be read: {error}", hint="install cargo-sandbox anew") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("rules"), list):
        raise RuleError(f"{path.name} is not of the form {SCHEMA}", hint="install cargo-sandbox anew")
    return tuple(rule_of(entry, path.name) for entry in data["rules"])


def rule_of(data: object, where: str, techniques: Iterable[str] | None = None) -> Rule:
    """One rule. `where` names its file; `techniques`, if given, are the ids that exist. Raises RuleError."""
    top = _map(data, where, _RULE_KEYS, _RULE_KEYS - {"not", "examples"})
    name = _text(top["id"], f"{where}: id")
    if not _ID.fullmatch(name):
        _bad(f"{where}: id", "is not of the form CS02NN")
    severity = _one_of(top["severity"], SEVERITIES, f"{where}: severity")
    found = tuple(_text(one, f"{where}: techniques") for one in _list(top["techniques"], f"{where}: techniques"))
    known = None if techniques is None else set(techniques)
    for technique in found:
        if not _TECHNIQUE.fullmatch(technique) or (known is not None and technique not in known):
            _bad(f"{where}: techniques", f"{technique} is not in attack-techniques.yaml")
    weight = _number(top["weight"], 1, 10, f"{where}: weight")
    scope = cast(Scope, _one_of(top["scope"], SCOPES, f"{where}: scope"))
    when = condition_of(top["when"], f"{where}: when")
    if scope == "event" and not isinstance(when, Leaf):
        _bad(f"{where}: scope", "event needs one condition on facts in `when`")
    unless = condition_of(top["not"], f"{where}: not") if "not" in top else None
    examples = _map(top.get("examples", {"match": [], "not": []}), f"{where}: examples", {"match", "not"})
    match, other = (
        tuple(_example(entry, f"{where}: examples.{key}[{number}]") for number, entry in enumerate(
            _list(examples.get(key, []), f"{where}: examples.{key}")))
        for key in ("match", "not")
    )  # fmt: skip
    return Rule(
        name, _text(top["title"], f"{where}: title"), cast(Severity, severity), found, scope, when, unless, weight,
        " ".join(_text(top["help"], f"{where}: help").split()), match, other,
    )  # fmt: skip


def condition_of(data: object, where: str, depth: int = 0) -> Condition:
    """One condition. Raises RuleError."""
    if depth > _MOST_DEPTH:
        _bad(where, f"conditions are nested more than {_MOST_DEPTH} deep")
    if not isinstance(data, Mapping) or not data:
        _bad(where, "must be a mapping that is a condition")
    if "class" in data:
        return leaf_of(data, where)
    if "sequence" in data:
        _map(data, where, {"sequence", "same"})
        steps = _list(data["sequence"], f"{where}.sequence")
        if len(steps) < 2:
            _bad(f"{where}.sequence", "needs at least two steps")
        same = _one_of(data.get("same", ""), ("", "object", "chain"), f"{where}.same")
        found = tuple(leaf_of(step, f"{where}.sequence[{number}]") for number, step in enumerate(steps))
        return Ordered(found, cast(Any, same))
    if "across" in data:
        _map(data, where, {"across"})
        pair = _map(data["across"], f"{where}.across", {"there", "here"}, {"there", "here"})
        return Across(leaf_of(pair["there"], f"{where}.across.there"), leaf_of(pair["here"], f"{where}.across.here"))
    if len(data) != 1:
        _bad(where, f"must have one of class, sequence, across, all, any, not, role, macros, not {_names(data)}")
    ((key, value),) = data.items()
    if key in ("all", "any"):
        entries = _list(value, f"{where}.{key}")
        if not entries:
            _bad(f"{where}.{key}", "is empty")
        parts = tuple(condition_of(one, f"{where}.{key}[{at}]", depth + 1) for at, one in enumerate(entries))
        return All(parts) if key == "all" else Any_(parts)
    if key == "not":
        return Not(condition_of(value, f"{where}.not", depth + 1))
    if key == "role":
        return Role(frozenset(_one_of(role, _ROLES, f"{where}.role") for role in _texts(value, f"{where}.role")))
    if key != "macros":
        _bad(where, f"unknown condition {_names([key])}")
    return Macros(_one_of(value, ("any", "none"), f"{where}.macros") == "any")


def leaf_of(data: object, where: str) -> Leaf:
    """A condition on facts. Raises RuleError."""
    top = _map(data, where, _LEAF_KEYS, {"class"})
    named = [_one_of(kind, CLASSES, f"{where}.class") for kind in _texts(top["class"], f"{where}.class")]
    kinds = cast(tuple[Class, ...], tuple(dict.fromkeys(named)))

    def words(key: str) -> frozenset[str]:
        return frozenset(_texts(top[key], f"{where}.{key}")) if key in top else frozenset()

    def patterns(key: str) -> Globs | None:
        return _globs(top[key], f"{where}.{key}") if key in top else None

    detail = []
    for name, value in _map(top.get("detail", {}), f"{where}.detail").items():
        place = f"{where}.detail.{name}"
        detail.append((_text(name, place), None if value == "" else _globs(value, place)))
    ports = frozenset(_number(one, 0, 65535, f"{where}.ports_not") for one in _list(top.get("ports_not", []), where))
    of = cast(Of, _one_of(top.get("of", "object"), OFS, f"{where}.of"))
    distinct = _number(top.get("distinct", 1), 1, 1000, f"{where}.distinct")
    if "of" in top and distinct < 2:
        _bad(f"{where}.of", "needs `distinct` of at least 2")
    if kinds != ("exec",) and any(key in top for key in ("program", "chain", "chain_not", "parent")):
        _bad(where, "programs and chains are known of class exec only")
    if kinds != ("dns",) and ("label" in top or of == "zone"):
        _bad(where, "labels and zones are those of class dns only")
    if kinds != ("network",) and ports:
        _bad(f"{where}.ports_not", "only class network has ports")
    return Leaf(
        kinds, words("act"), patterns("object"), patterns("object_not"), words("owner"), patterns("program"),
        patterns("chain"), patterns("chain_not"), patterns("parent"), tuple(sorted(detail, key=lambda pair: pair[0])),
        cast(Any, _one_of(top.get("baseline", ""), ("", "absent", "present"), f"{where}.baseline")),
        _number(top.get("count", 1), 1, 100_000, f"{where}.count"), distinct, of,
        _number(top.get("label", 0), 0, 63, f"{where}.label"), ports,
        _one_of(str(top.get("changes", False)), ("True", "False"), f"{where}.changes") == "True",
    )  # fmt: skip


def _example(data: object, where: str) -> Example:
    top = _map(data, where, {"name", "units"}, {"name", "units"})
    units = []
    for number, unit in enumerate(_list(top["units"], f"{where}.units")):
        place = f"{where}.units[{number}]"
        found = _map(unit, place, {"role", "macros", "baseline", "facts"}, {"role", "facts"})
        for at, fact in enumerate(_list(found["facts"], f"{place}.facts")):
            keys = {"class", "act", "object", "owner", "chain", "detail", "seqs", "count"}
            entry = _map(fact, f"{place}.facts[{at}]", keys, {"class", "act", "object"})
            _one_of(entry["class"], CLASSES, f"{place}.facts[{at}].class")
            for key in ("act", "object"):
                _text(entry[key], f"{place}.facts[{at}].{key}")
        units.append(found)
    if not units:
        _bad(f"{where}.units", "is empty")
    return Example(_text(top["name"], f"{where}.name"), tuple(units))


def _globs(value: object, where: str) -> Globs:
    # `{any: [...]}` reads better where a list is long; a bare list means the same.
    if isinstance(value, Mapping):
        value = _map(value, where, {"any"}, {"any"})["any"]
    try:
        return globs(_texts(value, where))
    except PatternError as error:
        _bad(where, str(error))


def _map(value: object, where: str, allowed: Iterable[str] | None = None, needed: Iterable[str] = ()) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _bad(where, "must be a mapping")
    if allowed is not None and (unknown := [key for key in value if key not in set(allowed)]):
        _bad(where, f"unknown key {_names(unknown)}")
    if missing := [key for key in sorted(needed) if key not in value]:
        _bad(where, f"lacks {_names(missing)}")
    return dict(value)


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        _bad(where, "must be a list")
    return value


def _texts(value: object, where: str) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    if not entries:
        _bad(where, "is empty")
    return [_text(entry, where) for entry in entries]


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        _bad(where, "must be text")
    return value


def _number(value: object, least: int, most: int, where: str) -> int:
    if type(value) is not int or not least <= value <= most:
        _bad(where, f"must be a number from {least} to {most}")
    return value


def _one_of(value: object, allowed: Iterable[str], where: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        _bad(where, f"must be one of {', '.join(name or '(empty)' for name in allowed)}")
    return value


def _names(keys: Iterable[object]) -> str:
    return ", ".join(ascii(key)[:60] for key in keys)


def _bad(where: str, why: str) -> NoReturn:
    raise RuleError(f"{where} {why}", hint="docs/rules.md describes the language of rules")
