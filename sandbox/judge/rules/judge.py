"""From a run's behaviours to the findings of the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from sandbox.behaviour.model import Behaviour, Fact, Profile
from sandbox.judge.first import text
from sandbox.judge.model import Finding, Severity
from sandbox.judge.rules.index import Index
from sandbox.judge.rules.known import Known, NothingKnown
from sandbox.judge.rules.load import COMPILED, compiled
from sandbox.judge.rules.match import Elsewhere, Hit, UnitFacts, evaluate
from sandbox.judge.rules.model import Leaf, Rule
from sandbox.resources import profile as shipped

MOST_OF_A_RULE = 20
"""Findings of one rule for one unit; the last one says how many more there were."""

BONUS = 0.25
MOST_BONUS = 2.0
LOWER = 2.0
"""A medium finding that scores less becomes low."""
DROP = 0.5
"""A low finding that scores less is not made."""

_MOST_EVENTS = 12
_MOST_LINES = 40
_MOST_WORDS = 400


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules that ship with us. Raises RuleError."""
    return compiled(shipped(f"rules/{COMPILED}"))


def judge(
    profile: Profile,
    units: Mapping[str, Mapping[str, Any]],
    known: Known | None = None,
    rules: Sequence[Rule] | None = None,
) -> tuple[Finding, ...]:
    """The findings of all rules (default: those shipped) over a run, in order of unit and rule. Pure.

    `units`: name in the run (`Behaviour.unit`) -> its start record. A unit without one is charged by its key. Raises
    RuleError if the shipped rules can't be read.
    """
    asked = known or NothingKnown()
    index = Index(shipped_rules() if rules is None else rules)
    others = Elsewhere(profile.behaviours)
    found: list[Finding] = []
    for unit in profile.behaviours:
        fitting = index.found(unit)
        if fitting:
            facts = UnitFacts(unit, fitting, partial(asked.holds, unit.key), others)
            for rule in index.triggered(fitting):
                found += _of_rule(rule, facts, units.get(unit.unit, {}), asked)
    return tuple(found)


def score(rule: Rule, hit: Hit, known: Known) -> float:
    """Class weight by rarity in the population by chain bonus: 0 to 20. The rarest fact counts."""
    rarity = max((known.rarity(fact) for fact in hit.all_facts()), default=1.0)
    bonus = min(1 + BONUS * max(0, hit.leaves() - 1), MOST_BONUS)
    return round(rule.weight * min(max(rarity, 0.0), 1.0) * bonus, 2)


def graded(rule: Rule, value: float, role: str) -> Severity | None:
    """The severity that a score leaves of a rule's, None for no finding. High and critical never depend on the score:
    what is common does not excuse them. Programs that the user asked to run are judged one step milder."""
    severity = rule.severity
    if severity == "medium" and value < LOWER:
        severity = "low"
    elif severity == "low" and value < DROP:
        return None
    return "medium" if severity == "high" and role == "program" else severity


def _of_rule(rule: Rule, facts: UnitFacts, record: Mapping[str, Any], known: Known) -> Iterator[Finding]:
    hit = evaluate(rule.when, facts)
    if hit is None or (rule.unless is not None and evaluate(rule.unless, facts) is not None):
        return
    if rule.scope == "event" and isinstance(rule.when, Leaf) and len(hit.facts) > 1:
        subjects: dict[str, list[Fact]] = {}
        for fact in hit.facts:
            subjects.setdefault(fact.object, []).append(fact)
        hits = [Hit(hit.words, tuple(same)) for same in subjects.values()]
        more = len(hits) - MOST_OF_A_RULE
        for number, one in enumerate(hits[:MOST_OF_A_RULE], 1):
            left = f"; {more} more like it" if more > 0 and number == MOST_OF_A_RULE else ""
            yield from _finding(rule, one, facts.unit, record, known, left)
        return
    yield from _finding(rule, hit, facts.unit, record, known, "")


def _finding(
    rule: Rule, hit: Hit, unit: Behaviour, record: Mapping[str, Any], known: Known, left: str
) -> Iterator[Finding]:
    value = score(rule, hit, known)
    severity = graded(rule, value, unit.key.role)
    if severity is None:
        return
    facts = hit.all_facts()
    main = facts[0] if facts else None
    rung = known.rung(unit.key)
    macros = record.get("macros")
    yield Finding(
        code=rule.id,
        severity=severity,
        title=rule.title,
        unit=unit.unit,
        role=unit.key.role,
        package=text(record.get("package")) or unit.key.package,
        version=text(record.get("version")) or unit.key.version,
        manifest_dir=text(record.get("manifest_dir")),
        subject=_cut(main.object) if main else "",
        detail=_cut("; ".join(dict.fromkeys(f"{fact.kind} {fact.act} {fact.object}" for fact in facts[:5]))) + left,
        help=rule.help,
        events=tuple(dict.fromkeys(seq for fact in facts for seq in fact.seqs))[:_MOST_EVENTS],
        count=max(1, sum(fact.count for fact in facts)),
        macros=tuple(text(macro) for macro in macros) if isinstance(macros, list) else (),
        techniques=rule.techniques,
        rung=rung,
        tree=(*_tree(hit, 0), f"score {value:g}, compared by: {rung}")[-_MOST_LINES:],
        score=value,
    )


def _tree(hit: Hit, level: int) -> list[str]:
    lines = [f"{'  ' * level}{hit.words}"]
    for fact in hit.facts[:5]:
        lines.append(f"{'  ' * (level + 1)}{_fact_words(fact)}")
    if len(hit.facts) > 5:
        lines.append(f"{'  ' * (level + 1)}and {len(hit.facts) - 5} more")
    for part in hit.parts:
        lines += _tree(part, level + 1)
    return lines[: _MOST_LINES - 1]


def _fact_words(fact: Fact) -> str:
    events = f" (event {', '.join(map(str, fact.seqs))})" if fact.seqs else ""
    more = "".join(f" {name}={_cut(value)}" for name, value in fact.detail)
    chain = f" by {' → '.join(fact.chain)}" if fact.chain else ""
    return f"{fact.kind} {fact.act} {_cut(fact.object)}{more}{_cut(chain)}{events}"


def _cut(words: str) -> str:
    half = _MOST_WORDS // 2
    return words if len(words) <= _MOST_WORDS else f"{words[:half]}…{words[-half:]}"
