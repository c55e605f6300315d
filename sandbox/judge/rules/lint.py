"""What a set of rules must hold beyond being readable. Each mistake is a line of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.behaviour.model import CLASSES, Behaviour, Fact, Key, Profile
from sandbox.errors import SandboxError
from sandbox.judge.rules.judge import judge
from sandbox.judge.rules.known import NothingKnown
from sandbox.judge.rules.match import fits
from sandbox.judge.rules.model import Any_, Condition, Example, Leaf, Not, Rule, leaves
from sandbox.judge.rules.sources import files, read_rule, techniques

# Acts that facts of a class can have, where the list is closed (sandbox/behaviour/collect.py).
_FILE_ACTS = frozenset(
    "read write times unlink rmdir rename link symlink mkdir chmod chown truncate mknod xattr".split()
)
_ACTS: Mapping[str, frozenset[str]] = {
    "exec": frozenset({"exec", "absent"}),
    "read": frozenset({"read"}),
    "write": _FILE_ACTS - {"read"},
    "decoy": _FILE_ACTS,
    "denied": _FILE_ACTS | {"exec", "kill"},
    "network": frozenset({"connect", "bind", "send"}),
    "dns": frozenset({"ask"}),
    "survivor": frozenset({"survive"}),
    "used": frozenset({"executed", "linked"}),
}
# What the guard counts and does not list for any unit (`quiet_prefixes`, `is_own_proc`).
_NEVER_LISTED = ("/proc/self/", "/proc/<self>/", "/proc/thread-self/", "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/")


def lint_folder(folder: Path, techniques_file: Path) -> list[str]:
    """The mistakes of all rule files of a folder; none means that they may ship."""
    known = techniques(techniques_file)
    problems: list[str] = []
    rules: list[Rule] = []
    for path in files(folder):
        try:
            rule = read_rule(path, known)
        except SandboxError as error:
            problems.append(str(error))
            continue
        if not path.name.startswith(f"{rule.id}-"):
            problems.append(f"{path.name}: the name must begin with {rule.id}-")
        rules.append(rule)
    return problems + lint(rules)


def lint(rules: list[Rule]) -> list[str]:
    """The mistakes of rules that were read."""
    problems = []
    ids: dict[str, str] = {}
    titles: dict[str, str] = {}
    for rule in rules:
        if rule.id in ids:
            problems.append(f"{rule.id}: stands twice")
        ids[rule.id] = rule.id
        title = rule.title.casefold()
        if title in titles:
            problems.append(f"{rule.id}: has the title of {titles[title]}")
        titles.setdefault(title, rule.id)
        problems += [f"{rule.id}: {words}" for words in _problems(rule)]
    return problems


def profile_of(example: Example) -> Profile:
    """The run that an example describes. The first unit is `u1`, the package `evil`; the others `good`."""
    units = []
    for number, unit in enumerate(example.units, 1):
        name = "evil" if number == 1 else f"good{number}"
        key = Key(name, "1.0.0", str(unit["role"]))
        facts = tuple(sorted(_fact(entry) for entry in unit["facts"]))
        units.append(Behaviour(key, 1, facts, tuple(unit.get("macros", ())), unit=f"u{number}"))
    return Profile("example", 1, tuple(units))


class _Accepted(NothingKnown):
    """The baseline that an example's first unit says it has: `baseline: all`."""

    def __init__(self, example: Example) -> None:
        self.everything = example.units[0].get("baseline") == "all"

    def holds(self, key: Key, fact: Fact) -> bool:
        return self.everything and key.package == "evil"


def matches(rule: Rule, example: Example) -> bool:
    """Whether a rule has a finding for the first unit of an example."""
    found = judge(profile_of(example), {}, _Accepted(example), (rule,))
    return any(one.unit == "u1" for one in found)


def _problems(rule: Rule) -> Iterator[str]:
    if not rule.match:
        yield "lacks an example that matches"
    if not rule.no_match:
        yield "lacks an example that does not match"
    for example in rule.match:
        if not matches(rule, example):
            yield f"does not match its example {example.name!r}"
    for example in rule.no_match:
        if matches(rule, example):
            yield f"matches the example that it should not: {example.name!r}"
    if rule.severity in ("high", "critical") and not rule.techniques:
        yield "is high and names no technique"
    if rule.severity in ("high", "critical") and any(leaf.baseline for leaf in leaves(rule.when)):
        yield "is high and asks the baseline: what was accepted once would let it off in silence"
    if len(rule.title) > 90:
        yield "the title is longer than 90 characters"
    # A benign twin that no example shows may hide anything.
    if rule.unless is not None and not any(matches(replace(rule, unless=None), one) for one in rule.no_match):
        yield "no example of `not` is let off by its `not` condition"
    facts = [fact for example in (*rule.match, *rule.no_match) for fact in _facts(example)]
    for leaf in leaves(rule.when):
        yield from _leaf(leaf, facts)
    if isinstance(rule.when, Not) or (isinstance(rule.when, Any_) and any(isinstance(p, Not) for p in rule.when.parts)):
        yield "could match a unit that did nothing"


def _leaf(leaf: Leaf, facts: list[Fact]) -> Iterator[str]:
    for act in sorted(leaf.act):
        if all(act not in _ACTS.get(kind, {act}) for kind in leaf.kinds):
            yield f"no fact of class {'|'.join(leaf.kinds)} has the act {act!r}"
    if leaf.act == {"read"} and leaf.changes:
        yield "asks for reads that change something"
    if leaf.distinct > 1 and leaf.object is not None and leaf.of == "object":
        exact = leaf.object.exact
        if set(leaf.object.words) == set(exact) and len(exact) < leaf.distinct:
            yield "asks for more different objects than it names"
    if leaf.kinds == ("read",) and leaf.object and all(one.startswith(_NEVER_LISTED) for one in leaf.object.words):
        yield f"can never fire: such reads are counted and not listed ({_short(leaf)})"
    # Each condition must be reached by a fact of the examples; a typing error in a path is found so.
    if not any(fact.kind in leaf.kinds and fits(leaf, fact) for fact in facts):
        yield f"no fact of its examples reaches the condition on {'|'.join(leaf.kinds)} ({_short(leaf)})"


def _short(condition: Condition) -> str:
    from sandbox.judge.rules.match import words

    return words(condition)


def _facts(example: Example) -> Iterator[Fact]:
    for unit in profile_of(example).behaviours:
        yield from unit.facts


def _fact(entry: Mapping[str, Any]) -> Fact:
    kind = next(one for one in CLASSES if one == entry["class"])
    detail = tuple(sorted((str(name), str(value)) for name, value in dict(entry.get("detail", {})).items()))
    return Fact(
        kind, str(entry["act"]), str(entry["object"]), str(entry.get("owner", "")),
        tuple(map(str, entry.get("chain", ()))), detail, tuple(entry.get("seqs", ())), int(entry.get("count", 1)),
    )  # fmt: skip
