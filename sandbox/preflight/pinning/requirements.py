"""CS0591 and CS0592: requirements that fit any later version, and path dependencies that lie outside the tree."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sandbox.cargo import semver
from sandbox.cargo.files import below
from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.model import Subject, finding
from sandbox.preflight.pinning.files import Entry, Files, Manifest

_LONG = 200


def check(subject: Subject, files: Files) -> Iterator[Finding]:
    """One finding for each such entry of a manifest of the workspace."""
    for manifest in files.manifests:
        for entry in (*manifest.dependencies(), *manifest.shared()):
            if entry.inherits:
                continue
            path = entry.table.get("path")
            if isinstance(path, str):
                yield from _outside(files, manifest, entry, path)
            elif not isinstance(entry.table.get("git"), str):
                yield from _loose(subject, manifest, entry)


def is_loose(requirement: str) -> bool:
    """Whether a requirement has no upper bound. One that is not understood is cargo's to complain about."""
    if not requirement.strip():
        return True
    if not semver.is_requirement(requirement):
        return False
    return all(part.strip().startswith((">", "*")) for part in requirement.split(","))


def _loose(subject: Subject, manifest: Manifest, entry: Entry) -> Iterator[Finding]:
    asked = entry.table.get("version", "")
    if not isinstance(asked, str) or not is_loose(asked):
        return
    number, line = manifest.line_of(entry)
    said = f'"{asked[:_LONG]}"' if asked else "no version"
    version = _locked(subject, entry.package, asked)
    yield finding(
        "CS0591", _who(manifest), f"{entry.name} has {said}: any later version fits, whoever publishes it",
        subject=f"{manifest.path}:{number}" if number else str(manifest.path),
        help=f"write: {_written(entry, line, asked, version)}",
    )  # fmt: skip


def _written(entry: Entry, line: str, asked: str, version: str) -> str:
    """The manifest's own line with the locked version in it, or a line of our own where it can't be told."""
    new = version or "MAJOR.MINOR"
    for quote in "\"'":
        if asked and f"{quote}{asked}{quote}" in line and len(line) <= _LONG:
            return line.strip().replace(f"{quote}{asked}{quote}", f"{quote}{new}{quote}", 1)
    return f'{entry.name} = "{new}"' if not isinstance(entry.item, dict) else f'version = "{new}"'


def _locked(subject: Subject, name: str, asked: str) -> str:
    """The highest locked version that the requirement fits, without build metadata; empty for none."""
    found = [one.version for one in subject.locked if one.name == name and semver.matches(asked or "*", one.version)]
    return max(found, key=semver.key).partition("+")[0] if found else ""


def _outside(files: Files, manifest: Manifest, entry: Entry, path: str) -> Iterator[Finding]:
    place = os.path.normpath(os.path.join(manifest.path.parent, path))
    # A package of a workspace that is no member may lie elsewhere in the same repository, which is one tree.
    if below(place, files.top):
        return
    number, line = manifest.line_of(entry, "path")
    inside = os.path.relpath(files.root / "vendor" / entry.package, manifest.path.parent)
    new = f'path = "{inside}"'
    for quote in "\"'":
        if f"{quote}{path}{quote}" in line and len(line) <= _LONG:
            new = line.strip().replace(f"{quote}{path}{quote}", f'"{inside}"', 1)
    yield finding(
        "CS0592", _who(manifest), f"{entry.name} is taken from {place[:_LONG]}, which no checkout brings along",
        subject=f"{manifest.path}:{number}" if number else str(manifest.path),
        help=f"copy it into the tree and write: {new}",
    )  # fmt: skip


def _who(manifest: Manifest) -> LockedPackage | None:
    name, version = manifest.package.get("name"), manifest.package.get("version")
    if not isinstance(name, str):
        return None
    return LockedPackage(name, version if isinstance(version, str) else "")
