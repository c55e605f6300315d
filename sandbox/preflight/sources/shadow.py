"""Registries that answer for the same packages (CS0507)."""

from __future__ import annotations

from collections import defaultdict

from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.sources.registries import Registry, named
from sandbox.preflight.sources.source import clip, parse


def run(subject: Subject) -> Answer:
    """Looks for one name in two registries of the lock file, and for two names of one index in the configuration."""
    found = [*_names(subject), *_indexes(named(subject))]
    return Answer("registries", "done", tuple(found), looked_at=len(subject.locked))


def _names(subject: Subject) -> list[Finding]:
    places: dict[str, dict[str, str]] = defaultdict(dict)
    packages = {}
    for package in subject.locked:
        source = parse(package.source)
        if source.kind == "registry":
            places[package.name].setdefault(source.key, f"{clip(package.version)} from {source}")
            packages[package.name] = package
    return [
        finding("CS0507", packages[name], "two registries have it: " + ", ".join(sorted(by_source.values())))
        for name, by_source in places.items()
        if len(by_source) > 1
    ]


def _indexes(known: tuple[Registry, ...]) -> list[Finding]:
    by_index: dict[str, list[Registry]] = defaultdict(list)
    for registry in known:
        by_index[registry.key].append(registry)
    found = []
    for group in by_index.values():
        names = ", ".join(sorted(f"{clip(registry.name)} ({clip(registry.where)})" for registry in group))
        if any(registry.public and registry.name != "crates-io" for registry in group):
            detail = f"{names}: it is crates.io itself, so a rule that names it holds nothing off"
        elif len(group) > 1:
            detail = f"{names}: one index, {clip(group[0].url)}, under two names"
        else:
            continue
        found.append(finding("CS0507", None, detail, subject=clip(group[0].url)))
    return found
