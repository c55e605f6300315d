"""CS0590: no lock file, one that is not committed, or one that does not fit the manifests any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.cargo import semver
from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.model import Subject, finding
from sandbox.preflight.pinning.files import Entry, Files, Manifest


def check(subject: Subject, files: Files) -> Iterator[Finding]:
    """At most one finding on the state of the lock file, and one for each line that keeps it out of the repository."""
    path = subject.lock_file
    if not os.path.lexists(path):
        words = "there is none, so each machine builds what is newest on the day"
        yield _finding(path, words, "write it and commit it: cargo generate-lockfile && git add Cargo.lock")
    elif subject.lock_current is False:
        yield _finding(path, "cargo would have to change it, by its own word", _UPDATE)
    elif subject.lock_current is None and (why := outdated(subject.locked, files)):
        yield _finding(path, why, _UPDATE)
    for folder in files.up():
        yield from _ignored(files, folder / ".gitignore")


_UPDATE = "bring it up to date and commit it: cargo update --workspace && git add Cargo.lock"


def outdated(locked: tuple[LockedPackage, ...], files: Files) -> str:
    """Why a lock file does not fit the manifests, empty where nothing was seen that does not.

    It looks at versions and requirements; that a package is not needed any more only cargo sees.
    """
    versions: dict[str, list[LockedPackage]] = {}
    for one in locked:
        versions.setdefault(one.name, []).append(one)
    shared = {entry.name: entry for manifest in files.manifests for entry in manifest.shared()}
    for manifest in files.manifests:
        name = manifest.package.get("name")
        version = _version(manifest, files)
        if isinstance(name, str) and not any(
            one.source is None and version in (None, one.version) for one in versions.get(name, ())
        ):
            return f"it lacks the workspace's own {name} {version or ''}".rstrip()
        for entry in manifest.dependencies():
            meant = shared.get(entry.name, entry) if entry.inherits else entry
            if not _fits(meant, versions):
                asked = meant.table.get("version")
                return f"it has no {meant.package} {asked if isinstance(asked, str) else ''}".rstrip() + (
                    f", which {manifest.path} needs"
                )
    return ""


def _fits(entry: Entry, versions: dict[str, list[LockedPackage]]) -> bool:
    found = versions.get(entry.package, ())
    asked = entry.table.get("version")
    if not found or not isinstance(asked, str) or not semver.is_requirement(asked):
        return bool(found)
    return any(semver.matches(asked, one.version) for one in found)


def _version(manifest: Manifest, files: Files) -> str | None:
    """The version of a member, which may be the workspace's; None where nobody says, which cargo takes for 0.0.0."""
    version: Any = manifest.package.get("version", "0.0.0")
    if isinstance(version, dict):
        tables = [one.data.get("workspace") for one in files.manifests]
        shared = next((table.get("package") for table in tables if isinstance(table, dict)), None)
        version = shared.get("version") if isinstance(shared, dict) else None
    return version if isinstance(version, str) else None


def _ignored(files: Files, path: Path) -> Iterator[Finding]:
    text = files.text(path, top=files.top)
    for number, line in enumerate((text or "").split("\n"), 1):
        if line.strip() in ("Cargo.lock", "/Cargo.lock", "**/Cargo.lock", "*.lock"):
            words = f"git is told to leave it out: {line.strip()}"
            yield _finding(Path(f"{path}:{number}"), words, "remove this line, then: git add -f Cargo.lock")


def _finding(path: Path, detail: str, help: str) -> Finding:
    return finding("CS0590", None, detail, subject=str(path), help=help)
