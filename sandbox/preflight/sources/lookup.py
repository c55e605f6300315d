"""Whether a private index has a name that was taken from the public one (CS0502).

Only private indexes are asked, and only for names that the lock file took from crates.io: no name of the project's own
is ever told to anybody. What cargo keeps of an index is read without network, but shows only what cargo asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sandbox.cargo import semver
from sandbox.cargo.files import Unreadable, read_bytes
from sandbox.cargo.lockfile import LockedPackage
from sandbox.errors import SandboxError
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.sources import folders, index
from sandbox.preflight.sources.registries import Registry, private
from sandbox.preflight.sources.requirers import Requirers
from sandbox.preflight.sources.source import bare, clip, is_loopback, parse, scheme

MAX_LOOK_UPS = 5_000
MAX_REGISTRIES = 50
MAX_SECONDS = 60.0
"""For all questions to one registry. What was not answered by then is not done."""

_AT_ONCE = 8
_FEW = 3


class _Known(NamedTuple):
    """What is known of names in one registry: versions with checksums, by name (empty for a name that it has not), and
    why the rest is not known."""

    versions: dict[str, dict[str, str]]
    why: str = ""


def run(subject: Subject) -> Answer:
    """Looks up every package from crates.io in every private registry."""
    packages = [item for item in subject.locked if parse(item.source).public and semver.is_package(item.name)]
    names = tuple(dict.fromkeys(package.name for package in packages))
    requirers = Requirers(subject.locked)
    found: list[Finding] = []
    missing: list[str] = []
    registries = private(subject)
    if len(names) > MAX_LOOK_UPS or len(registries) > MAX_REGISTRIES:
        missing.append(f"{len(names)} names in {len(registries)} registries are too many: the rest was not looked up")
    names = names[:MAX_LOOK_UPS]
    for registry in registries[:MAX_REGISTRIES]:
        known = _look_up(subject, registry, names)
        if known.why:
            missing.append(f"{clip(registry.name)}: {known.why}")
        for package in packages:
            versions = known.versions.get(package.name)
            # A mirror of crates.io has the same package, which then is no other one.
            if versions and package.checksum != versions.get(package.version):
                found.append(_taken(package, registry, versions, requirers))
    if subject.config is None:
        missing.append("cargo's configuration is not known, which names the private registries")
    why = "; ".join(missing)
    return Answer("private-index", "not done" if why else "done", tuple(found), why, looked_at=len(packages))


def _taken(package: LockedPackage, registry: Registry, versions: dict[str, str], requirers: Requirers) -> Finding:
    latest = sorted(versions, key=semver.key)[-_FEW:]
    same = "with another checksum" if package.version in versions else "which this one is not among"
    detail = f"{clip(registry.name)} ({clip(registry.url)}) has {clip(', '.join(latest))} of it, {same}"
    return finding("CS0502", package, detail, evidence=requirers.lines(package))


def _look_up(subject: Subject, registry: Registry, names: tuple[str, ...]) -> _Known:
    if scheme(registry.url) == "file":
        return _in_folder(registry, names)
    cached = dict(_cached(subject, registry, names))
    if not registry.url.startswith("sparse+"):
        return _Known(cached, "a git index, which is not asked; only what cargo keeps of it was looked at")
    if subject.fetch is None:
        return _Known(
            cached, "the network was not asked (audit --online does); only what cargo keeps of the index was looked at"
        )
    # A project must not make this machine ask its own services.
    if scheme(registry.url) != "https" and not (registry.trusted and is_loopback(registry.url)):
        return _Known(cached, f"not asked, as {clip(registry.url)} is no https address that the user named")
    asked, why = _ask(subject.fetch, bare(registry.url), names)
    return _Known({**cached, **asked}, why)


def _in_folder(registry: Registry, names: tuple[str, ...]) -> _Known:
    """An index that is a folder of this machine. (A bare repository has no files to read.)"""
    top = bare(registry.url).removeprefix("file://")
    found: dict[str, dict[str, str]] = {}
    try:
        read_bytes(f"{top}/config.json", index.MAX_BYTES)
    except (FileNotFoundError, Unreadable):
        return _Known(found, f"{clip(top)} is no folder of index files")
    for name in names:
        try:
            found[name] = index.parse(read_bytes(f"{top}/{index.place(name)}", index.MAX_BYTES), name)
        except FileNotFoundError:
            found[name] = {}
        except Unreadable as error:
            return _Known(found, f"its file for {name} can't be read: {error}")
    return _Known(found)


def _cached(subject: Subject, registry: Registry, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    if subject.cargo_home is None:
        return
    for folder in folders.of_registry(registry.url):
        top = subject.cargo_home / "registry" / "index" / folder / ".cache"
        for name in names if os.path.isdir(top) else ():
            try:
                yield name, index.parse_cached(read_bytes(top / index.place(name), index.MAX_BYTES), name)
            except (FileNotFoundError, Unreadable):
                continue  # it is a cache: cargo too takes no notice of what it can't read


def _ask(
    fetch: Callable[[str], bytes | None], base: str, names: tuple[str, ...]
) -> tuple[dict[str, dict[str, str]], str]:
    """Versions by name, and why not all of them were found out."""
    from concurrent.futures import ThreadPoolExecutor  # dear to import, and builds don't come here

    end = time.monotonic() + MAX_SECONDS
    base = base if base.endswith("/") else f"{base}/"

    def one(name: str) -> tuple[str, dict[str, str], str]:
        if time.monotonic() > end:
            return name, {}, f"it took more than {MAX_SECONDS:.0f} seconds"
        try:
            data = fetch(base + index.place(name))
            return name, index.parse(data, name) if data is not None else {}, ""
        except (SandboxError, Unreadable) as error:
            return name, {}, f"{name}: {error}"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(one, names))
    failed = [why for _, _, why in answers if why]
    return {name: versions for name, versions, why in answers if not why}, clip(
        f"{len(failed)} of {len(names)} look-ups failed: {failed[0]}" if failed else ""
    )
