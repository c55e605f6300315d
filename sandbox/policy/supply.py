"""The tables `[sources]`, `[names]`, `[advisories]` and `[audit]`: what the supply-chain checks are told.

How they are read, how those of several files add up, and what of an untrusted tree's counts. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sandbox.judge.model import SEVERITIES
from sandbox.policy.model import Permit, PolicyError, Supply

TABLES = ("sources", "names", "advisories", "audit")
MAX_ENTRIES = 1000
DEFAULT_AGE_DAYS = 30
"""From when on an advisory database is too old: RustSec publishes several advisories in most weeks."""

_LEVELS = ("never", *reversed(SEVERITIES))
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9_*-]{1,64}", re.ASCII)
_ID = re.compile(r"[A-Za-z]{2,16}-[A-Za-z0-9][A-Za-z0-9-]{0,60}", re.ASCII)
_SOURCE = re.compile(
    r"crates-io|path|registry:[A-Za-z0-9_-]{1,64}|(git:|sparse\+|registry\+)?[a-z+]{1,12}://\S{1,2000}"
)
_SOURCE_HINT = 'write "crates-io", "registry:NAME", "git:URL", "path", or the URL of an index'


class Tools(NamedTuple):
    """What the reader of a file lends us: `known(table, keys, where)` refuses other keys, `wrong(table, key, why,
    hint)` makes the error with its line, `strings(table, number, key, value)` reads a list of texts."""

    known: Callable[[Mapping[str, Any], tuple[str, ...], str], None]
    wrong: Callable[[str, str, str, str], PolicyError]
    strings: Callable[[str, int, str, Any], tuple[str, ...]]


def read(table: Mapping[str, Any], tools: Tools) -> tuple[Supply, str]:
    """What a file's four tables say, and the folder of its advisory database as it is written (empty: none).

    Raises PolicyError.
    """
    tables = {}
    for name in TABLES:
        tables[name] = table.get(name, {})
        if not isinstance(tables[name], dict):
            raise tools.wrong("", name, "is a table", f"write [{name}]")
    reader = _Reader(tools)
    pairs, allowed, internal = reader.sources(tables["sources"])
    tools.known(tables["names"], ("allow",), "names")
    tools.known(tables["advisories"], ("db", "max-age-days", "ignore"), "advisories")
    tools.known(tables["audit"], ("cooldown-days", "deny"), "audit")
    db = tables["advisories"].get("db", "")
    if not isinstance(db, str) or len(db) > 4096 or "\0" in db or (not db.strip() and "db" in tables["advisories"]):
        raise tools.wrong("advisories", "db", "is no folder", 'write db = "~/advisory-db"')
    deny = tables["audit"].get("deny")
    if deny is not None and deny not in _LEVELS:
        raise tools.wrong("audit", "deny", "is no severity", "write one of " + ", ".join(_LEVELS))
    return Supply(
        sources=pairs,
        allowed_sources=allowed,
        internal=internal,
        names=reader.permits(tables["names"], "names", "allow", "name", _NAME),
        advisories=reader.permits(tables["advisories"], "advisories", "ignore", "id", _ID),
        max_age_days=reader.days(tables["advisories"], "advisories", "max-age-days", 1),
        cooldown_days=reader.days(tables["audit"], "audit", "cooldown-days", 0),
        deny=deny,
    ), db


class _Reader:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def sources(self, table: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]:
        """Pairs, allowed sources, internal names."""
        wrong = self._tools.wrong
        if len(table) > MAX_ENTRIES:
            raise wrong("", "sources", f"has more than {MAX_ENTRIES} entries", "use patterns: acme-*")
        pairs = []
        for name, source in table.items():
            if name in ("allowed", "internal"):
                continue
            if not _PATTERN.fullmatch(name):
                raise wrong("sources", name, "names no package", '"acme-*" = "registry:acme"')
            if not isinstance(source, str) or not _SOURCE.fullmatch(source):
                raise wrong("sources", name, "names no source", _SOURCE_HINT)
            pairs.append((name, source))
        allowed = self._tools.strings("sources", 0, "allowed", table.get("allowed", []))
        for source in allowed:
            if not _SOURCE.fullmatch(source):
                raise wrong("sources", "allowed", f"{source!r} is no source", _SOURCE_HINT)
        internal = self._tools.strings("sources", 0, "internal", table.get("internal", []))
        for name in internal:
            if not _PATTERN.fullmatch(name):
                raise wrong("sources", "internal", f"{name!r} names no package", 'internal = ["acme-*"]')
        if len(allowed) > MAX_ENTRIES or len(internal) > MAX_ENTRIES:
            raise wrong("", "sources", f"has more than {MAX_ENTRIES} entries", "use patterns: acme-*")
        return tuple(pairs), allowed, internal

    def permits(
        self, table: Mapping[str, Any], where: str, key: str, name: str, good: re.Pattern[str]
    ) -> tuple[Permit, ...]:
        """A list of `{name, reason, expires?}`."""
        entries, wrong = table.get(key, []), self._tools.wrong
        example = f'{key} = [{{ {name} = "…", reason = "…" }}]'
        if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
            raise wrong(where, key, f"is a list of at most {MAX_ENTRIES} tables", f"write {example}")
        found = []
        for entry in entries:
            if not isinstance(entry, dict):
                raise wrong(where, key, "is a list of tables", f"write {example}")
            for other in entry:
                if other not in (name, "reason", "expires"):
                    raise wrong(where, key, f"has an entry with the unknown key {other!r}", f"write {example}")
            what, reason, expires = entry.get(name), entry.get("reason"), entry.get("expires")
            if not isinstance(what, str) or not good.fullmatch(what):
                raise wrong(where, key, f"has an entry whose {name} is {what!r}", f"write {example}")
            if not isinstance(reason, str) or not reason.strip() or len(reason) > 4096:
                raise wrong(where, key, f"must say why for {what}", f"write {example}; without a reason it is no use")
            if isinstance(expires, datetime) or not isinstance(expires, date | None):
                raise wrong(where, key, f"has no proper date for {what}", "expires = 2027-01-31, without quotes")
            found.append(Permit(what, reason, expires))
        return tuple(found)

    def days(self, table: Mapping[str, Any], where: str, key: str, least: int) -> int | None:
        """A number of days, at most a hundred years."""
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 36_500:
            raise self._tools.wrong(where, key, "is no number of days", f"write a whole number, at least {least}")
        return value


def merged(files: Sequence[Supply]) -> Supply:
    """All files in one, the strongest first: lists add up; of a pattern and of a number the first one counts."""
    pairs: dict[str, str] = {}
    for one in files:
        for pattern, source in one.sources:
            pairs.setdefault(pattern, source)
    return Supply(
        sources=tuple(pairs.items()),
        allowed_sources=_added(one.allowed_sources for one in files),
        internal=_added(one.internal for one in files),
        names=_added(one.names for one in files),
        advisories=_added(one.advisories for one in files),
        max_age_days=next((one.max_age_days for one in files if one.max_age_days is not None), None),
        cooldown_days=next((one.cooldown_days for one in files if one.cooldown_days is not None), None),
        deny=next((one.deny for one in files if one.deny is not None), None),
    )


def loosened(before: Supply, tree: Supply, deny: str) -> tuple[str, ...]:
    """What a tree's tables make weaker than they are without it, as words. `deny` is the level without `[audit]`.

    Of several rules for a name the most particular one counts, so each rule beside somebody else's may take names away
    from it. A name that is said to be the project's own is held against no well-known one.
    """
    after = merged([tree, before])
    words = []
    if before.sources and not set(tree.sources) <= set(before.sources):
        words.append("[sources]")
    if before.allowed_sources and set(after.allowed_sources) != set(before.allowed_sources):
        words.append("[sources] allowed")
    words += ["[sources] internal"] * (not set(tree.internal) <= set(before.internal))
    words += [f"{len(tree.names)} [names] allow"] * bool(tree.names)
    words += [f"{len(tree.advisories)} [advisories] ignore"] * bool(tree.advisories)
    return (*words, *_looser_numbers(before, tree, deny))


def tightened(before: Supply, tree: Supply, deny: str) -> tuple[Supply, tuple[str, ...]]:
    """Of a tree that is not trusted, what makes things tighter, and the rest as words.

    Rules for sources count only where nobody else has any: which of two rules for one name is tighter can't be told.
    A name that is said to be the project's own looks like nobody else's, so that is not the tree's to say.
    """
    ignored = ["[sources]"] * bool(tree.sources and before.sources)
    ignored += ["[sources] allowed"] * bool(tree.allowed_sources and before.allowed_sources)
    ignored += ["[sources] internal"] * bool(tree.internal)
    ignored += [f"{len(tree.names)} [names] allow"] * bool(tree.names)
    ignored += [f"{len(tree.advisories)} [advisories] ignore"] * bool(tree.advisories)
    looser = _looser_numbers(before, tree, deny)
    kept = Supply(
        sources=() if before.sources else tree.sources,
        allowed_sources=() if before.allowed_sources else tree.allowed_sources,
        max_age_days=None if any("max-age" in one for one in looser) else tree.max_age_days,
        cooldown_days=None if any("cooldown" in one for one in looser) else tree.cooldown_days,
        deny=None if any("deny" in one for one in looser) else tree.deny,
    )
    return kept, (*ignored, *looser)


def shown(files: Sequence[tuple[str, Supply]]) -> tuple[tuple[str, Any, str], ...]:
    """(key, value, origin) of each setting, for `config show`; `files` are (origin, tables), the strongest first."""
    whole = merged([one for _, one in files])

    def origin(field: str) -> str:
        value = getattr(whole, field)
        at = [name for name, one in files if getattr(one, field)] if isinstance(value, tuple) else []
        at = at or [name for name, one in files if not isinstance(value, tuple) and getattr(one, field) is not None][:1]
        return ", ".join(at) or "default"

    pairs = [
        (f"sources.{pattern}", source, next(name for name, one in files if pattern in dict(one.sources)))
        for pattern, source in whole.sources
    ]
    return (
        *pairs,
        ("sources.allowed", whole.allowed_sources, origin("allowed_sources")),
        ("sources.internal", whole.internal, origin("internal")),
        ("names.allow", tuple(one.words() for one in whole.names), origin("names")),
        ("advisories.max-age-days", _or(whole.max_age_days, DEFAULT_AGE_DAYS), origin("max_age_days")),
        ("advisories.ignore", tuple(one.words() for one in whole.advisories), origin("advisories")),
        ("audit.cooldown-days", _or(whole.cooldown_days, 0), origin("cooldown_days")),
        ("audit.deny", whole.deny, origin("deny")),
    )


def _looser_numbers(before: Supply, tree: Supply, deny: str) -> tuple[str, ...]:
    words = []
    if tree.max_age_days is not None and tree.max_age_days > _or(before.max_age_days, DEFAULT_AGE_DAYS):
        words.append(f"[advisories] max-age-days = {tree.max_age_days}")
    if tree.cooldown_days is not None and tree.cooldown_days < _or(before.cooldown_days, 0):
        words.append(f"[audit] cooldown-days = {tree.cooldown_days}")
    if tree.deny is not None and _LEVELS.index(tree.deny) < _LEVELS.index(before.deny or deny):
        words.append(f"[audit] deny = {tree.deny}")
    return tuple(words)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _added(lists: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(item for one in lists for item in one))
