"""Findings of drift: what a run did beyond its baseline. Never above medium: hard rules are others' work.

CS0301 new behaviour of an accepted version · CS0302 an accepted version with another checksum · CS0303 a new version
does what the earlier one did not · CS0304 a unit without any baseline, where others have one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sandbox.baseline.convert import Checksums
from sandbox.baseline.convert import has_baseline as speaks_of
from sandbox.baseline.novelty import Novelty, by_package, novelties
from sandbox.baseline.population import ALL, archetypes
from sandbox.baseline.store import Stores
from sandbox.behaviour.canonical import fact_text
from sandbox.behaviour.model import Behaviour, Class, Fact, Profile
from sandbox.judge.model import Finding, Severity
from sandbox.judge.score import score, severity

TITLES = {
    "CS0301": "new behaviour, not in the baseline",
    "CS0302": "an accepted version has another checksum",
    "CS0303": "a new version does what the accepted one did not",
    "CS0304": "no baseline for this unit",
}
_MOST_FACTS = 12
_MOST_EVENTS = 10
_MOST_NOTES = 20


@dataclass(frozen=True, slots=True)
class Drift:
    """`no_baseline` counts the units of which nothing is known; `notes` are said and hold nothing against the run."""

    findings: tuple[Finding, ...] = ()
    no_baseline: int = 0
    notes: tuple[str, ...] = ()


def drift(profile: Profile, packages: Checksums, stores: Stores) -> Drift:
    """Compare a run with its baselines; the same for a stored one. `packages`: Cargo.lock's checksums, empty for path
    and git packages.

    Without a baseline of one's own (`Stores.has_own`) nothing is held against the run and all its units are counted.
    Facts that are missing are no finding.
    """
    if not stores.has_own:
        unknown = len({one.key for one in profile.behaviours if speaks_of(one)})
        # Of other units a finding tells (CS0117), and of a record with a hole the verdict.
        programs = [one for one in profile.behaviours if one.key.role == "program" and not profile.holes]
        return Drift(no_baseline=unknown, notes=_most(_not_whole(programs)))
    findings: list[Finding] = []
    notes: list[str] = []
    nothing_known = 0
    for (package, version), units in by_package(novelties(profile, packages, stores)).items():
        step = units[0].step
        if step.outdated:
            notes.append(
                f"the baseline of {package} is of another normaliser and was passed over: accept it anew "
                f"({_command('accept', package)} --reason TEXT)"
            )
        if step.rung == "same version, other checksum":
            findings.append(_checksum(units))
        nothing_new = all(not one.new for one in units)
        if step.rung == "earlier version" and step.entry is not None and nothing_new:
            notes.append(
                f"{package} {version} is not in the baseline; it did nothing that {step.entry.version} did not"
            )
        for one in units:
            if step.entry is None:
                nothing_known += 1
                # A compile that only loaded macros did nothing that could be told.
                if one.new or one.key.role == "script":
                    findings.append(_unknown(one, stores))
            else:
                findings += _new(one, stores)
    return Drift(tuple(findings), nothing_known, _most([*notes, *_not_whole(profile.behaviours)]))


def _not_whole(behaviours: Iterable[Behaviour]) -> list[str]:
    """Of which packages a class lacks something: what nobody saw was held neither against rules nor a baseline."""
    cut: dict[tuple[str, str], set[Class]] = {}
    for one in behaviours:
        if one.cut:
            cut.setdefault((one.key.package, one.key.version), set()).update(one.cut)
    return [
        f"{package} {version}: not all was seen of {', '.join(sorted(kinds))}"
        for (package, version), kinds in cut.items()
    ]


def _most(notes: list[str]) -> tuple[str, ...]:
    if len(notes) > _MOST_NOTES:
        return (*notes[:_MOST_NOTES], f"{len(notes) - _MOST_NOTES} more notes: see cargo-sandbox baseline status")
    return tuple(notes)


def kinds_of(one: Novelty) -> tuple[str, ...]:
    """The archetypes of what was accepted of a unit: what it does beyond that has no say in what is usual for it."""
    if one.step.entry is None:
        return (ALL,)
    new = set(one.new)
    return archetypes((*(fact for fact in one.facts if fact not in new), *one.unseen))


def scores(one: Novelty, stores: Stores) -> dict[Fact, float]:
    """How unusual each new fact of a unit is, among build scripts of its kind."""
    kinds = kinds_of(one)
    classes = {fact.kind for fact in one.new}
    return {fact: score(fact, stores.population.share(fact, kinds), classes) for fact in one.new}


def _new(one: Novelty, stores: Stores) -> Iterator[Finding]:
    values = scores(one, stores)
    code = "CS0303" if one.step.rung == "earlier version" else "CS0301"
    for kind, facts in one.by_class():
        ranked = sorted(facts, key=lambda fact: (-values[fact], fact))
        top = values[ranked[0]]
        yield _finding(
            code, one, ranked, severity(top), top, f"{_words(kind, ranked)}, which {_against(one)} did not",
            _tree(one, ranked, values, stores),
        )  # fmt: skip


def _unknown(one: Novelty, stores: Stores) -> Finding:
    values = scores(one, stores)
    ranked = sorted(one.new, key=lambda fact: (-values[fact], fact))
    told = "nothing is known of it; it is compared with what build scripts do in general"
    if one.step.rung == "default rules":
        told = "nothing is known of it, and there is no population to compare it with"
    top = values[ranked[0]] if ranked else 0.0
    return _finding("CS0304", one, ranked, "low", top, told, _tree(one, ranked, values, stores))


def _checksum(units: tuple[Novelty, ...]) -> Finding:
    one = units[0]
    was = one.step.entry.checksum if one.step.entry is not None else ""
    detail = (
        f"accepted with {was or 'no checksum (path or git)'}, now {one.checksum or 'none (path or git)'}: "
        "somebody replaced its content"
    )
    tree = (f"{one.key.package} {one.key.version}", f"  accepted  {was or '-'}", f"  now       {one.checksum or '-'}")
    return _finding("CS0302", one, [], "medium", 0.0, detail, tree)


def _finding(
    code: str, one: Novelty, facts: list[Fact], level: Severity, value: float, detail: str, tree: tuple[str, ...]
) -> Finding:
    events = sorted({seq for fact in facts for seq in fact.seqs})[:_MOST_EVENTS]
    package = one.key.package
    look = _command("diff", package)
    return Finding(
        code=code,
        severity=level,
        title=TITLES[code],
        unit=one.units[0] if one.units else "",
        role=one.key.role,
        package=package,
        version=one.key.version,
        manifest_dir="",
        subject=facts[0].object if facts else package,
        detail=detail,
        help=f"look: {look}; accept: {_command('accept', package)} --reason TEXT",
        events=tuple(events),
        count=max(1, len(facts)),
        macros=one.macros,
        rung=one.step.rung,
        tree=tree,
        fact=fact_text(facts[0]) if facts else "",
        score=value,
    )


def _command(verb: str, package: str) -> str:
    return f"cargo-sandbox baseline {verb} {shlex.quote(package)}"


def _against(one: Novelty) -> str:
    entry = one.step.entry
    return f"the accepted {one.key.package} {entry.version if entry else ''}".strip()


def _words(kind: Class, facts: list[Fact]) -> str:
    more = f" and {len(facts) - 1} more" if len(facts) > 1 else ""
    return f"{kind}: {facts[0].act} {facts[0].object}{more}"


def _tree(one: Novelty, facts: list[Fact], values: dict[Fact, float], stores: Stores) -> tuple[str, ...]:
    """The evidence, a line a node: unit, fact, then its chain and how usual it is."""
    key, step = one.key, one.step
    crate = f" ({key.crate})" if key.crate else ""
    lines = [f"{key.role} {key.package} {key.version}{crate}"]
    if step.entry is not None:
        lines.append(f"  compared with {step.entry.version} in the {step.store}'s baseline ({step.rung})")
    else:
        lines.append(f"  compared with the {step.rung}")
    kinds = kinds_of(one)
    for fact in facts[:_MOST_FACTS]:
        notes = [fact.owner] if fact.owner else []
        notes += [f"{name}: {value}" for name, value in fact.detail]
        lines.append(f"  {fact.kind} {fact.act} {fact.object}" + (f" [{'; '.join(notes)}]" if notes else ""))
        if fact.chain:
            lines.append(f"    started by {' > '.join(fact.chain)}")
        share = stores.population.share(fact, kinds)
        if share is not None:
            lines.append(f"    {share:.0%} of {', '.join(kinds)} build scripts do the like; score {values[fact]:g}")
    if len(facts) > _MOST_FACTS:
        lines.append(f"  and {len(facts) - _MOST_FACTS} more")
    for macro in one.macros[:_MOST_FACTS]:
        lines.append(f"  loaded {macro}")
    return tuple(lines)
