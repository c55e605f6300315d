"""Requirements that any version fits (CS0508), and versions as confusion attacks have them (CS0509)."""

from __future__ import annotations

import re

from sandbox.cargo import semver
from sandbox.cargo.files import Unreadable
from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.sources.manifests import Dependency, dependencies
from sandbox.preflight.sources.registries import fits, is_internal, named, sources
from sandbox.preflight.sources.requirers import Requirers
from sandbox.preflight.sources.source import clip, name_matches, parse

HIGH_MAJOR = 90
"""From this major version on, an internal name from elsewhere looks like an attack."""

_NINES = re.compile(r"99+", re.ASCII)
_COUNTS_ON = frozenset({"wast"})
"""Well-known packages that count their releases by the major version and have been at 99."""


def run(subject: Subject) -> Answer:
    """Reads the workspace's manifests and the lock file's versions."""
    found: list[Finding] = []
    unread = []
    by_name = {package.name: package for package in subject.locked}
    for path in subject.manifests:
        try:
            found += [_loose(item, by_name.get(item.name)) for item in dependencies(path) if _is_loose(subject, item)]
        except FileNotFoundError:
            unread.append(f"{path} is not there")
        except Unreadable as error:
            unread.append(f"{path} can't be read: {error}")
    found += _versions(subject)
    why = "; ".join(unread[:5])
    return Answer("requirements", "not done" if why else "done", tuple(found), clip(why), looked_at=len(subject.locked))


def is_unbounded(requirement: str) -> bool:
    """Whether versions without end fit: `*`, none at all, or `>=`/`>` alone. What is not understood is none of it."""
    parts = [part.strip() for part in requirement.split(",")]
    if any(part in ("", "*") for part in parts):
        return all(part in ("", "*") or part.startswith(">") for part in parts)
    return semver.is_requirement(requirement) and all(part.startswith(">") for part in parts)


def _is_loose(subject: Subject, item: Dependency) -> bool:
    internal = is_internal(item.name, subject.wishes) or item.registry not in ("", "crates-io")
    return internal and not item.local and is_unbounded(item.requirement)


def _loose(item: Dependency, package: LockedPackage | None) -> Finding:
    asked = f'"{clip(item.requirement)}"' if item.requirement else "no version"
    detail = f"`{clip(item.key)}` asks for {asked} in [{clip(item.section)}] of {item.manifest}"
    version = clip(package.version) if package else "1.2.3"
    registry = f', registry = "{clip(item.registry)}"' if item.registry else ""
    line = f'{clip(item.key)} = {{ version = "{version}"{registry} }}'
    return finding("CS0508", package, detail, subject=clip(item.name), help=f"write: {line}")


def _versions(subject: Subject) -> list[Finding]:
    known = (*named(subject), *sources(subject))
    accepted = {package.name for package in subject.accepted or ()}
    requirers = Requirers(subject.locked)
    found = []
    for package in subject.locked:
        source = parse(package.source)
        version = semver.parse(package.version)
        if source.kind != "registry" or version is None or version.major < HIGH_MAJOR:
            continue
        at_home = any(
            name_matches(rule.pattern, package.name) and fits(source, rule.source, known)
            for rule in subject.wishes.sources
        )
        if is_internal(package.name, subject.wishes) and not at_home:
            detail = f"an internal name, {version.major} as major version, from {source}"
        elif package.name not in accepted and _suspicious(package, version.major):
            detail = f"{version.major} as major version, of a package that nobody has accepted yet, from {source}"
        else:
            continue
        found.append(finding("CS0509", package, detail, evidence=requirers.lines(package)))
    return found


def _suspicious(package: LockedPackage, major: int) -> bool:
    """Attacks take 99 and the like to be above every real version. (Real ones that count on are at 130 or 240.)"""
    return bool(_NINES.fullmatch(str(major))) and package.name not in _COUNTS_ON
