"""The project's rules about sources (CS0501, CS0503), and internal names taken from the public registry (CS0502)."""

from __future__ import annotations

from collections import defaultdict

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, SourceRule, Subject, finding
from sandbox.preflight.sources.registries import Registry, fits, is_internal, named, sources
from sandbox.preflight.sources.requirers import Requirers
from sandbox.preflight.sources.source import Source, clip, name_matches, parse

_LISTED = 50
_OWN = "name its registry in Cargo.toml (registry = …), or say in [sources] that it is public"


def run(subject: Subject) -> Answer:
    """Compares where each package of the lock file comes from with what the rules say."""
    known = (*named(subject), *sources(subject))
    wishes = subject.wishes
    requirers = Requirers(subject.locked)
    found: list[Finding] = []
    unknown: set[str] = set()
    strangers: dict[Source, list[LockedPackage]] = defaultdict(list)
    for package in subject.locked:
        source = parse(package.source)
        if source.kind == "path":
            # The tree's own. That a path stands in for a package of a registry is told by `replacements`.
            continue
        rules = _rules_for(package.name, wishes.sources)
        verdict = _any(source, tuple(rule.source for rule in rules), known)
        if verdict is None:
            unknown.update(rule.source for rule in rules)
        elif not verdict and rules:
            found.append(_elsewhere(package, source, rules, requirers))
        elif not rules and source.public and is_internal(package.name, wishes):
            detail = "crates.io, where anybody can publish such a name; [sources] has no rule for it"
            found.append(finding("CS0502", package, detail, help=_OWN, evidence=requirers.lines(package)))
        if wishes.allowed_sources:
            allowed = _any(source, wishes.allowed_sources, known)
            if allowed is None:
                unknown.update(wish for wish in wishes.allowed_sources if wish.startswith("registry:"))
            elif not allowed:
                strangers[source._replace(query=(), commit="")].append(package)
    found += [_not_allowed(source, packages) for source, packages in strangers.items()]
    looked_at = len(subject.locked)
    if unknown:
        names = ", ".join(sorted(unknown))
        why = f"cargo's configuration, as far as it is known here, has none of these sources of the rules: {names}"
        return Answer("sources", "not done", tuple(found), clip(why), looked_at=looked_at)
    notes = () if wishes.sources or wishes.allowed_sources or wishes.internal else ("no rules: [sources] is empty",)
    return Answer("sources", "done", tuple(found), notes=notes, looked_at=looked_at)


def _rules_for(name: str, rules: tuple[SourceRule, ...]) -> tuple[SourceRule, ...]:
    """The rules with the most particular of all patterns that match: the one with most text besides `*`."""
    met = [rule for rule in rules if name_matches(rule.pattern, name)]
    most = max((_weight(rule) for rule in met), default=(0, 0))
    return tuple(rule for rule in met if _weight(rule) == most)


def _weight(rule: SourceRule) -> tuple[int, int]:
    stars = rule.pattern.count("*")
    return len(rule.pattern) - stars, -stars


def _any(source: Source, wishes: tuple[str, ...], known: tuple[Registry, ...]) -> bool | None:
    """Whether the source is one of those; None when it could be one that nobody knows."""
    answers = [fits(source, wish, known) for wish in wishes]
    return True if True in answers else None if None in answers else False


def _elsewhere(package: LockedPackage, source: Source, rules: tuple[SourceRule, ...], requirers: Requirers) -> Finding:
    wanted = " or ".join(rule.source for rule in rules)
    detail = f"it comes from {source}; the rule for `{rules[0].pattern}` names {wanted}"
    return finding("CS0501", package, clip(detail), evidence=requirers.lines(package))


def _not_allowed(source: Source, packages: list[LockedPackage]) -> Finding:
    evidence = tuple(f"{clip(package.name)} {clip(package.version)}" for package in packages[:_LISTED])
    if len(packages) > _LISTED:
        evidence += (f"… and {len(packages) - _LISTED} more",)
    only = packages[0] if len(packages) == 1 else None
    detail = f"{len(packages)} packages come from {source}" if only is None else f"it comes from {source}"
    return finding("CS0503", only, detail, subject=str(source), evidence=evidence)
