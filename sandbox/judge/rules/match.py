"""Whether a condition holds for a unit, and by which facts. Pure; the order of facts does not matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.behaviour.model import Behaviour, Fact
from sandbox.judge.rules.globs import Globs
from sandbox.judge.rules.model import Across, All, Any_, Condition, Leaf, Macros, Not, Ordered, Role, leaves

_PLACES = ("real", "to", "name", "path")
# Tokens of folders that are another one in each unit.
_OWN = ("$OUT_DIR", "$OUT/", "$SRC", "$SCRIPT", "$SCRATCH/")
_END = 1 << 62
_PACKAGES_OF_HOME = (".config", ".local", ".cache", "share", "Library")


@dataclass(frozen=True, slots=True)
class Hit:
    """A condition that holds: in words, with the facts that it rests on, and of its parts."""

    words: str
    facts: tuple[Fact, ...] = ()
    parts: tuple[Hit, ...] = ()

    def all_facts(self) -> tuple[Fact, ...]:
        """Own and parts' facts, in the order of the rule."""
        return (*self.facts, *(fact for part in self.parts for fact in part.all_facts()))

    def leaves(self) -> int:
        """How many conditions on facts hold."""
        return (1 if self.facts else 0) + sum(part.leaves() for part in self.parts)


@dataclass(slots=True)
class UnitFacts:
    """A unit with its facts by the condition that they fit (`index.Found`). `holds`: whether its accepted baseline has
    a fact; `others`: what all units did."""

    unit: Behaviour
    found: Mapping[int, list[Fact]]
    holds: Callable[[Fact], bool]
    others: Elsewhere


@dataclass(slots=True)
class Elsewhere:
    """What all units of a run did to places that all of them name alike."""

    units: Sequence[Behaviour]
    _kept: dict[Leaf, dict[str, list[tuple[int, Fact]]]] = field(default_factory=dict)

    def at(self, leaf: Leaf) -> dict[str, list[tuple[int, Fact]]]:
        """Place -> (number of the unit, fact) of all facts for which a condition holds, whoever's they are."""
        found = self._kept.get(leaf)
        if found is None:
            found = defaultdict(list)
            for number, unit in enumerate(self.units):
                for fact in unit.facts:
                    if fact.kind in leaf.kinds and fits(leaf, fact):
                        for place in shared_places(fact):
                            found[place].append((number, fact))
            self._kept[leaf] = found
        return found


def evaluate(condition: Condition, unit: UnitFacts) -> Hit | None:
    """The evidence that a condition holds, or None."""
    match condition:
        case Leaf():
            return _leaf(condition, unit)
        case Role(roles):
            role = unit.unit.key.role
            return Hit(f"role {role}") if role in roles else None
        case Macros(loaded):
            return (
                Hit("loaded proc macros" if loaded else "no proc macros") if bool(unit.unit.macros) == loaded else None
            )
        case Not(part):
            return None if evaluate(part, unit) else Hit(f"not: {words(part)}")
        case All(parts):
            found = []
            for part in parts:
                hit = evaluate(part, unit)
                if hit is None:
                    return None
                found.append(hit)
            return Hit("all of", (), tuple(found))
        case Any_(parts):
            some = tuple(hit for part in parts if (hit := evaluate(part, unit)) is not None)
            return Hit("any of", (), some) if some else None
        case Ordered():
            return _sequence(condition, unit)
        case Across():
            return _across(condition, unit)


def fits(leaf: Leaf, fact: Fact, chosen: bool = False) -> bool:
    """Whether one fact is of the kind that a condition asks for; baseline, counts and the unit are not looked at.
    `chosen`: its object, or where none is asked for its program, was looked at already."""
    if leaf.act and fact.act not in leaf.act:
        return False
    if leaf.changes and fact.act == "read":
        return False
    if leaf.owner and fact.owner not in leaf.owner:
        return False
    if leaf.object is not None and not chosen and not any(leaf.object.matches(place) for place in places(fact)):
        return False
    looked = chosen and leaf.object is None
    if leaf.program is not None and not looked and not any(_named(leaf.program, one) for one in programs(fact)):
        return False
    if leaf.parent is not None and not (fact.chain and _named(leaf.parent, fact.chain[-1])):
        return False
    if leaf.chain is not None and not any(_named(leaf.chain, one) for one in fact.chain):
        return False
    if leaf.chain_not is not None and any(_named(leaf.chain_not, one) for one in fact.chain):
        return False
    if leaf.object_not is not None and any(leaf.object_not.matches(place) for place in places(fact)):
        return False
    if leaf.detail:
        have = dict(fact.detail)
        for name, wanted in leaf.detail:
            value = have.get(name, "")
            if (value != "") if wanted is None else not wanted.matches(value):
                return False
    if leaf.label and max(map(len, fact.object.split("."))) < leaf.label:
        return False
    if leaf.ports_not:
        port = fact.object.rpartition(":")[2]
        return port.isascii() and port.isdigit() and int(port) not in leaf.ports_not
    return True


def places(fact: Fact) -> tuple[str, ...]:
    """The places that a fact is about: its object, where links lead, the second place of a rename or link. A DNS name
    in small letters and without its last dot, since name servers see no difference."""
    if fact.kind == "dns":
        return (fact.object.rstrip(".").lower(),)
    if not fact.detail:
        return (fact.object,)
    return (fact.object, *(value for name, value in fact.detail if name in _PLACES))


def shared_places(fact: Fact) -> tuple[str, ...]:
    """Places that another unit names alike: no folders of the unit's own, no names that are random."""
    return tuple(place for place in places(fact) if not place.startswith(_OWN) and "<" not in place and "/" in place)


def programs(fact: Fact) -> tuple[str, ...]:
    """Names under which a program ran: its file, the name it was given, and where links lead."""
    return (fact.object, *(value for name, value in fact.detail if name in ("called", "real")))


def _named(patterns: Globs, program: str) -> bool:
    return patterns.matches(program) or patterns.matches(program.rpartition("/")[2])


def first(fact: Fact) -> int:
    """Number of the first event; facts of a unit's end come last."""
    return fact.seqs[0] if fact.seqs else _END


def last(fact: Fact) -> int:
    """Number of the last event that may be; where there were more than are listed nobody knows it."""
    return _END if not fact.seqs or fact.count > len(fact.seqs) else fact.seqs[-1]


def _matching(leaf: Leaf, unit: UnitFacts) -> list[Fact]:
    found = unit.found.get(id(leaf), [])
    if leaf.baseline and found:
        wanted = leaf.baseline == "present"
        found = [fact for fact in found if unit.holds(fact) is wanted]
    return sorted(found, key=lambda fact: (first(fact), fact)) if len(found) > 1 else found


def _leaf(leaf: Leaf, unit: UnitFacts) -> Hit | None:
    found = _matching(leaf, unit)
    if not found or sum(fact.count for fact in found) < leaf.count:
        return None
    if leaf.distinct > 1:
        groups: dict[str, dict[str, Fact]] = defaultdict(dict)
        for fact in found:
            group, member = _counted(leaf, fact)
            groups[group].setdefault(member, fact)
        best = max(groups.values(), key=len)
        if len(best) < leaf.distinct:
            return None
        found = list(best.values())
    return Hit(words(leaf), tuple(found))


def _counted(leaf: Leaf, fact: Fact) -> tuple[str, str]:
    """What is counted together, and the name under which it counts once."""
    if leaf.of == "zone":
        labels = fact.object.rstrip(".").lower().split(".")
        return ".".join(labels[-2:]), ".".join(labels[:-2])
    if leaf.of == "host":
        return "", fact.object.rpartition(":")[0] or fact.object
    return "", place_of(fact.object) if leaf.of == "place" else fact.object


def place_of(path: str) -> str:
    """The folder (or file) directly below a root, below `.config` and its like one more: `$HOME/.config/gh`."""
    parts = path.split("/")
    depth = 2
    while len(parts) > depth and parts[depth - 1] in _PACKAGES_OF_HOME:
        depth += 1
    return "/".join(parts[:depth])


def _sequence(condition: Ordered, unit: UnitFacts) -> Hit | None:
    sets = []
    for step in condition.steps:
        found = _matching(step, unit)
        if not found or sum(fact.count for fact in found) < step.count:
            return None
        sets.append(found)
    if not condition.same:
        return _ordered(condition, sets)
    bind: Callable[[Fact], tuple[object, ...]] = places if condition.same == "object" else lambda fact: (fact.chain,)
    for key in dict.fromkeys(one for fact in sets[0] for one in bind(fact)):
        bound = [[fact for fact in found if key in bind(fact)] for found in sets]
        if all(bound) and (hit := _ordered(condition, bound)) is not None:
            return hit
    return None


def _ordered(condition: Ordered, sets: list[list[Fact]]) -> Hit | None:
    """Each step by the fact whose event comes soonest after the one before: if that way leads to no end none does."""
    at = -1
    chosen: list[Fact] = []
    for found in sets:
        best: tuple[int, Fact] | None = None
        for fact in found:
            later = [seq for seq in fact.seqs if seq > at]
            moment = later[0] if later else last(fact)
            if (later or moment == _END) and fact not in chosen and (best is None or moment < best[0]):
                best = (moment, fact)
        if best is None:
            return None
        at = best[0] if best[0] != _END else at
        chosen.append(best[1])
    same = f", of one {condition.same}" if condition.same else ""
    parts = tuple(Hit(words(step), (fact,)) for step, fact in zip(condition.steps, chosen, strict=True))
    return Hit(f"in this order{same}", (), parts)


def _across(condition: Across, unit: UnitFacts) -> Hit | None:
    here = _matching(condition.here, unit)
    if not here:
        return None
    there = unit.others.at(condition.there)
    for fact in here:
        for place in shared_places(fact):
            for number, other in there.get(place, ()):
                who = unit.others.units[number]
                if who is not unit.unit:
                    name = f"{who.key.role} of {who.key.package or 'nobody known'}"
                    parts = (Hit(f"{name}: {words(condition.there)}", (other,)), Hit(words(condition.here), (fact,)))
                    return Hit("across units", (), parts)
    return None


def words(condition: Condition) -> str:
    """A condition in a few words."""
    if isinstance(condition, Leaf):
        out = ["|".join(condition.kinds), *(["|".join(sorted(condition.act))] if condition.act else [])]
        for label, patterns in (("", condition.object), ("program ", condition.program), ("by ", condition.parent),
                                ("under ", condition.chain)):  # fmt: skip
            if patterns is not None:
                shown = " ".join(patterns.words[:3]) + (" …" if len(patterns.words) > 3 else "")
                out.append(f"{label}{shown}")
        if condition.changes:
            out.append("changed")
        if condition.distinct > 1:
            out.append(f"({condition.distinct} or more)")
        if condition.baseline:
            out.append("not in the baseline" if condition.baseline == "absent" else "in the baseline")
        return " ".join(out)
    return " / ".join(words(leaf) for leaf in leaves(condition)[:3])
