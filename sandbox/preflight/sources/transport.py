"""How sources are fetched: git dependencies without a fixed revision (CS0505), addresses in the clear (CS0506)."""

from __future__ import annotations

import re
from collections import Counter

from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.sources.registries import named, sources
from sandbox.preflight.sources.requirers import Requirers
from sandbox.preflight.sources.source import clip, is_loopback, parse, scheme

_REVISION = re.compile(r"[0-9a-f]{7,64}", re.ASCII)
_OPEN = ("http", "git")
"""Schemes whose answers anybody on the way can replace. (For `git` that is git's own protocol, without ssh.)"""


def run(subject: Subject) -> Answer:
    """Looks at the lock file's sources and at the configuration's registries."""
    requirers = Requirers(subject.locked)
    found: list[Finding] = []
    used: Counter[str] = Counter()
    for package in subject.locked:
        source = parse(package.source)
        if source.url:
            used[source.url] += 1
        if source.kind == "git" and not _REVISION.fullmatch(source.asked("rev")):
            loose = next((f"{word} {value}" for word, value in source.query if word in ("branch", "tag", "rev")), "")
            detail = clip(f"{source} names {loose or 'no revision'}: the next cargo update takes what is there then")
            line = f'{{ git = "{clip(source.url)}", rev = "{clip(source.commit)}" }}'
            found.append(
                finding(
                    "CS0505", package, detail, evidence=requirers.lines(package), help=f"write in Cargo.toml: {line}"
                )
            )
    places = {url: f"{count} packages of the lock file" for url, count in used.items()}
    for registry in (*named(subject), *sources(subject)):
        places.setdefault(registry.url, f"{registry.name} in {registry.where}")
    for url, where in sorted(places.items()):
        # What goes to this machine's own address passes no network on which it could be replaced.
        if scheme(url) in _OPEN and not is_loopback(url):
            detail = f"{clip(url)} ({clip(where)}): whoever is on the way can answer in its place"
            found.append(finding("CS0506", None, detail, subject=clip(url)))
    return Answer("transport", "done", tuple(found), looked_at=len(subject.locked))
