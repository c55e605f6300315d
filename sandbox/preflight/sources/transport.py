"""How sources are fetched: git dependencies without a fixed revision (CS0505), addresses in the clear (CS0506)."""

from __future__ import annotations

import re
from collections import defaultdict

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.sources.registries import named, sources
from sandbox.preflight.sources.requirers import Requirers
from sandbox.preflight.sources.source import Source, clip, is_loopback, parse, scheme

_REVISION = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_OPEN = ("http", "git")
"""Schemes whose answers anybody on the way can replace. (For `git` that is git's own protocol, without ssh.)"""

_LISTED = 20


def run(subject: Subject) -> Answer:
    """Looks at the lock file's sources and at the configuration's registries."""
    requirers = Requirers(subject.locked)
    by_source: dict[Source, list[LockedPackage]] = defaultdict(list)
    for package in subject.locked:
        source = parse(package.source)
        if source.url:
            by_source[source].append(package)
    found = [
        _loose(source, packages, requirers)
        for source, packages in by_source.items()
        if source.kind == "git" and not _REVISION.fullmatch(source.asked("rev"))
    ]
    places: dict[str, str] = {}
    for source, packages in by_source.items():
        places.setdefault(source.url, f"{len(packages)} packages of the lock file")
    for registry in (*named(subject), *sources(subject)):
        places.setdefault(registry.url, f"{registry.name} in {registry.where}")
    for url, where in sorted(places.items()):
        # What goes to this machine's own address passes no network on which it could be replaced.
        if scheme(url) in _OPEN and not is_loopback(url):
            detail = f"{clip(url)} ({clip(where)}): whoever is on the way can answer in its place"
            found.append(finding("CS0506", None, detail, subject=clip(url)))
    return Answer("transport", "done", tuple(found), looked_at=len(subject.locked))


def _loose(source: Source, packages: list[LockedPackage], requirers: Requirers) -> Finding:
    """One finding for all packages of one repository, since one line of a manifest is to be written for each."""
    loose = next((f"{word} {value}" for word, value in source.query if word in ("branch", "tag", "rev")), "no revision")
    detail = clip(f"{source} names {loose}: the next cargo update takes what is there then")
    line = f'{{ git = "{clip(source.url)}", rev = "{clip(source.commit)}" }}'
    listed = [f"{clip(item.name)} {clip(item.version)}" for item in packages[:_LISTED]]
    more = [f"… and {len(packages) - _LISTED} more"] if len(packages) > _LISTED else []
    evidence = requirers.lines(packages[0]) if len(packages) == 1 else (*listed, *more)
    return finding("CS0505", packages[0], detail, evidence=evidence, help=f"write in Cargo.toml: {line}")
