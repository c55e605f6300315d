"""Checks vendored sources (`cargo vendor`, directory sources) against their `.cargo-checksum.json` (CS0510, CS0511).

Those checksums lie beside the sources, so they show accidents and careless changes; only the package's own checksum is
compared with the lock file. Source of the format: the Cargo Book, "Directory Sources".
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.cargo.files import Unreadable, load_toml, read_bytes
from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.packages.tree import TooMuch, Tree, listed, walk
from sandbox.preflight.sources.replaced import StandIn, stand_in
from sandbox.preflight.sources.source import Source, clip, parse

SUMS = ".cargo-checksum.json"
_MAX_BYTES = 64 << 20
_MAX_FOLDERS = 20_000
_MAX_THREADS = 4
_CHUNK = 1 << 16
_SHOWN = 20


class _Result(NamedTuple):
    findings: tuple[Finding, ...] = ()
    unknown: str = ""
    files: int = 0


def run(subject: Subject) -> Answer:
    """Looks at every package of the lock file whose source is replaced by a folder."""
    folders: dict[str, dict[tuple[str, str], list[str]]] = {}
    replacements: dict[Source, StandIn | None] = {}
    jobs: list[tuple[LockedPackage, str]] = []
    unknown: list[str] = []
    for package in subject.locked:
        source = parse(package.source)
        if source not in replacements:
            replacements[source] = stand_in(subject.config, source)
        replacement = replacements[source]
        if replacement is None or replacement.kind != "directory":
            continue
        if replacement.value not in folders:
            folders[replacement.value], failed = _packages(replacement.value)
            unknown += failed
        found = folders[replacement.value].get((package.name, package.version), [])
        jobs += [(package, folder) for folder in found]
        if not found:
            unknown.append(f"{clip(package.name)} {clip(package.version)} is not in {clip(replacement.value)}")
    with ThreadPoolExecutor(min(_MAX_THREADS, len(os.sched_getaffinity(0)))) as pool:
        results = list(pool.map(lambda job: _look(*job), jobs))
    unknown += [result.unknown for result in results if result.unknown]
    more = f"; and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    notes = ("vendored packages are checked by checksums that lie beside them in the tree",) if jobs else ()
    return Answer(
        "vendored", "not done" if unknown else "done",
        tuple(item for result in results for item in result.findings), "; ".join(unknown[:_SHOWN]) + more,
        notes, sum(result.files for result in results), "files",
    )  # fmt: skip


def _packages(top: str) -> tuple[dict[tuple[str, str], list[str]], list[str]]:
    """Folders by name and version of the package in them, and what could not be read."""
    found: dict[tuple[str, str], list[str]] = {}
    failed: list[str] = []
    try:
        names = sorted(os.listdir(top))
    except (OSError, ValueError) as error:
        return {}, [f"{clip(top)}: {clip(str(error))}"]
    if len(names) > _MAX_FOLDERS:
        return {}, [f"{clip(top)} has more than {_MAX_FOLDERS} folders"]
    for name in names:
        folder = os.path.join(top, name)
        # As for cargo: a folder that begins with a dot, or has no manifest, is no package.
        if name.startswith(".") or not os.path.isdir(folder):
            continue
        try:
            package = load_toml(Path(folder, "Cargo.toml")).get("package")
        except FileNotFoundError:
            continue
        except Unreadable as error:
            failed.append(f"{clip(folder)}/Cargo.toml: {clip(str(error))}")
            continue
        table = package if isinstance(package, dict) else {}
        found.setdefault((str(table.get("name")), str(table.get("version"))), []).append(folder)
    return found, failed


def _look(package: LockedPackage, folder: str) -> _Result:
    """Never fails: what can't be read is unknown."""
    name = f"{clip(package.name)} {clip(package.version)}"
    try:
        tree = walk(folder)
        data = json.loads(read_bytes(os.path.join(folder, SUMS), _MAX_BYTES))
        sums = data["files"]
        if tree is None or not isinstance(sums, dict):
            raise Unreadable("`files` is no table")
        changed = [path for path in sums if path in tree.files and not _is(folder, path, sums[path])]
    except FileNotFoundError:
        return _Result(unknown=f"{name} has no {SUMS} in {clip(folder)}")
    except TooMuch as error:
        return _Result((finding("CS0511", package, f"{folder}: {error}"),))
    except (OSError, Unreadable, ValueError, RecursionError, KeyError, TypeError) as error:
        return _Result(unknown=f"{name}: {clip(folder)}/{SUMS} can't be used: {clip(str(error))}")
    found = [*_package(package, folder, data), *_files(package, folder, tree, sums, changed)]
    return _Result(tuple(found), files=len(tree.files))


def _package(package: LockedPackage, folder: str, data: dict[str, Any]) -> list[Finding]:
    said = data.get("package")
    # A package from git has none in either place.
    if package.checksum == said or (isinstance(said, str) and said.lower() == str(package.checksum).lower()):
        return []
    detail = f"{folder} says that it is {clip(str(said))}, the lock file {clip(str(package.checksum))}"
    return [finding("CS0510", package, detail, subject=folder)]


def _files(package: LockedPackage, folder: str, tree: Tree, sums: dict[str, Any], changed: list[str]) -> list[Finding]:
    added = [*(path for path in tree.files if path not in sums and path != SUMS), *tree.odd]
    missing = [path for path in sums if path not in tree.files]
    counts = ((changed, "changed"), (added, "added"), (missing, "missing"))
    detail = ", ".join(f"{len(paths)} files {word}" for paths, word in counts if paths)
    if not detail:
        return []
    evidence = listed((word, map(clip, paths)) for paths, word in counts)
    return [finding("CS0511", package, f"{detail} in {folder}", subject=folder, evidence=evidence)]


def _is(folder: str, path: str, wanted: object) -> bool:
    """Whether a file, which `walk` found, has that SHA-256."""
    fd = os.open(os.path.join(folder, path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        digest = hashlib.sha256()
        while stat.S_ISREG(os.fstat(fd).st_mode) and (chunk := os.read(fd, _CHUNK)):
            digest.update(chunk)
    finally:
        os.close(fd)
    return isinstance(wanted, str) and digest.hexdigest() == wanted.lower()
