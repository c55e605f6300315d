"""Checks `registry/cache` against the lock file (CS0510, CS0512) and `registry/src` against it (CS0511)."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.integrity.compare import Compared, compare
from sandbox.preflight.integrity.kept import Kept
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.packages.places import Place, Places, is_sound
from sandbox.preflight.packages.tree import OK_FILE, TooMuch, Tree, identity, listed, walk
from sandbox.preflight.sources.source import clip, parse

SETTLED_NS = 2_000_000_000
"""A package that was changed less than so long ago is looked at again next time: a file system's times are coarse, and
a change right after our look could leave them as they were."""

_MAX_THREADS = 4
_SHOWN = 20


@dataclass(slots=True)
class _Result:
    """What became of one package at one place."""

    findings: list[Finding] = field(default_factory=list)
    unknown: str = ""
    key: str = ""
    stamp: str = ""
    size: int = 0
    files: int = 0
    known: bool = False


def run(subject: Subject) -> Answer:
    """Compares every downloaded package of the lock file. Reads as fast as gzip is unpacked; unchanged ones are known
    the next time by their files' inodes, sizes and times."""
    if subject.cargo_home is None:
        return Answer("unpacked", "not done", why="there is no cargo home to look into", unit="files")
    places = Places(subject.cargo_home, subject.config)
    kept = Kept(subject.cache)
    jobs: list[tuple[LockedPackage, Place]] = []
    results: list[_Result] = []
    absent = 0
    for package in subject.locked:
        if parse(package.source).kind != "registry":
            continue
        if not is_sound(package):
            results.append(_Result(unknown=f"{clip(package.name)} {clip(package.version)} can be no package's name"))
            continue
        here = [place for place in places.of(package) if _exists(place.crate) or _exists(place.folder)]
        absent += not here
        jobs += [(package, place) for place in here]
    before = time.time_ns() - SETTLED_NS
    with ThreadPoolExecutor(min(_MAX_THREADS, len(os.sched_getaffinity(0)))) as pool:
        results += pool.map(lambda job: _look(job[0], job[1], kept, before), jobs)
    for result in results:
        if result.stamp:
            kept.add(result.key, result.stamp)
    kept.save()
    return _answer(results, absent)


def _answer(results: list[_Result], absent: int) -> Answer:
    unknown = [result.unknown for result in results if result.unknown]
    more = f"; and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    known = sum(result.known for result in results)
    notes = [f"{sum(result.size for result in results) / 1e6:.0f} MB read, {known} packages known from before"]
    if absent:
        notes.append(f"{absent} packages of the lock file are not downloaded")
    return Answer(
        "unpacked", "not done" if unknown else "done",
        tuple(item for result in results for item in result.findings), "; ".join(unknown[:_SHOWN]) + more,
        tuple(notes), sum(result.files for result in results), "files",
    )  # fmt: skip


def _look(package: LockedPackage, place: Place, kept: Kept, before: int) -> _Result:
    """Never fails: what can't be read is unknown."""
    name = f"{package.name} {package.version}"
    try:
        tree = walk(place.folder)
        status = os.lstat(place.crate)
    except FileNotFoundError:
        return _Result(unknown=f"{name} is unpacked, and there is no {place.crate} to compare it with")
    except TooMuch as error:
        return _Result([finding("CS0511", package, f"{place.folder}: {error}")])
    except (OSError, ValueError) as error:
        return _Result(unknown=f"{name}: {clip(str(error))}")
    if not package.checksum:
        return _Result(unknown=f"{name} has no checksum in the lock file")
    files = tree or Tree({}, ())
    # Where a package is not unpacked is another state than where its folder is empty.
    stamp = files.stamp(package.checksum.lower(), identity(status), tree is None, files.odd)
    if kept.has(place.folder, stamp):
        return _Result(files=len(files.files), known=True)
    try:
        found = compare(place.crate, place.top, place.folder, tree)
    except OSError as error:
        return _Result(unknown=f"{name}: {clip(str(error))}")
    findings = _findings(package, place, found, tree)
    settled = max(status.st_ctime_ns, files.newest()) < before
    keep = not findings and found.same and settled
    return _Result(findings, "", place.folder, stamp if keep else "", found.size, found.files)


def _findings(package: LockedPackage, place: Place, found: Compared, tree: Tree | None) -> list[Finding]:
    if found.checksum and found.checksum != str(package.checksum).lower():
        # What such an archive has inside says nothing about the sources, so they are not judged by it.
        detail = f"{place.crate} has {found.checksum}, the lock file {clip(str(package.checksum))}"
        return [finding("CS0510", package, detail, subject=place.crate)]
    if found.problem:
        return [finding("CS0512", package, f"{place.crate}: {clip(found.problem)}", subject=place.crate)]
    missing = found.missing if _is_whole(tree) else ()
    if tree is None or not (found.changed or found.added or missing):
        return []
    counts = ((found.changed, "changed"), (found.added, "added"), (missing, "missing"))
    detail = ", ".join(f"{len(paths)} files {word}" for paths, word in counts if paths)
    evidence = listed((word, map(clip, paths)) for paths, word in counts)
    return [finding("CS0511", package, f"{detail} in {place.folder}", subject=place.folder, evidence=evidence)]


def _is_whole(tree: Tree | None) -> bool:
    """Whether cargo finished unpacking; where it did not, files are missing, and it will begin anew."""
    return tree is not None and OK_FILE in tree.files


def _exists(path: str) -> bool:
    return os.path.lexists(path)
