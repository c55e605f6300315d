"""The places where baselines lie: one folder each, one file a package. Any of it may be hostile or broken."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from sandbox.baseline.model import Baseline, BaselineError, Waiver
from sandbox.baseline.places import PLAIN_FOLDER, SUFFIX, file_names, has_own, is_folder, tree_folder, user_folder
from sandbox.baseline.population import Population, shipped
from sandbox.baseline.toml import MAX_BYTES, dumps, loads
from sandbox.behaviour.patterns import VERSION
from sandbox.resources import profile
from sandbox.trace import files

StoreName = Literal["tree", "user", "pack"]
STORES: tuple[StoreName, ...] = ("tree", "user", "pack")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_MOST_LETTERS = 150


def file_name(package: str) -> str:
    """The file of a package: `NAME.toml`. What no crate's name holds is written `%XX`, and of a very long name the end
    gives way to a digest, so that each name has a file name of its own that is good everywhere."""
    raw = package.encode("utf-8", "surrogatepass")
    safe = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)
    if len(safe) > _MOST_LETTERS:
        safe = f"{safe[:_MOST_LETTERS]}%-{hashlib.sha256(raw).hexdigest()}"
    return (safe or "%") + SUFFIX


def load(folder: Path, package: str) -> Baseline | None:
    """A package's baseline in a folder, None where there is none. Raises BaselineError for a broken one."""
    if not is_folder(folder):
        return None
    return _load(folder, file_name(package), package)


def load_all(folder: Path) -> dict[str, Baseline]:
    """Every baseline of a folder, in order of package; other files are left alone. Raises BaselineError."""
    found: dict[str, Baseline] = {}
    for name in file_names(folder):
        baseline = _load(folder, name, None)
        if baseline is None:
            continue
        if file_name(baseline.package) != name:
            raise BaselineError(
                f"{folder / name} speaks of the package {baseline.package!r}",
                hint=f"its name should be {file_name(baseline.package)}",
            )
        found[baseline.package] = baseline
    return dict(sorted(found.items()))


def save(folder: Path, baseline: Baseline, mode: int = 0o644) -> Path:
    """Put a baseline in place whole, making the folder; one without versions is removed. Gives its path.

    `mode`: of a new file. Raises BaselineError, and then the old file is as it was.
    """
    name = file_name(baseline.package)
    try:
        folder.mkdir(mode=mode | (mode & 0o444) >> 2, parents=True, exist_ok=True)
        dir_fd = files.open_dir(folder)
        try:
            if not baseline.versions:
                files.remove(name, dir_fd)
                return folder / name
            data = dumps(baseline).encode()
            if len(data) > MAX_BYTES:
                raise BaselineError(f"the baseline of {baseline.package} would take {len(data)} bytes")
            files.write_atomic(name, data, dir_fd, mode)
        finally:
            os.close(dir_fd)
    except OSError as error:
        raise BaselineError(
            f"the baseline {folder / name} can't be written: {error.strerror}",
            hint="the store must be a plain folder that you may write to",
        ) from error
    return folder / name


def _load(folder: Path, name: str, package: str | None) -> Baseline | None:
    path = folder / name
    try:
        dir_fd = files.open_dir(folder)
    except OSError as error:
        raise BaselineError(f"{folder} can't be opened: {error.strerror}", hint=PLAIN_FOLDER) from error
    try:
        if not os.path.lexists(path):
            return None
        data = files.read_small(name, dir_fd, MAX_BYTES)
    finally:
        os.close(dir_fd)
    if data is None:
        raise BaselineError(
            f"{path} can't be read: it is no plain file of at most {MAX_BYTES >> 20} MiB",
            hint="remove it and accept anew: cargo-sandbox baseline accept PKG --reason TEXT",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path} is not UTF-8 at byte {error.start}", hint="restore it, or remove it") from None
    baseline = loads(text, str(path))
    if package is not None and baseline.package != package:
        raise BaselineError(f"{path} speaks of the package {baseline.package!r}", hint="restore it, or remove it")
    return baseline


def pack_folder() -> Path:
    """The pack that ships with us: in a checkout where it lies, in a wheel where the build put it."""
    return profile("baselines")


@dataclass(frozen=True)
class Stores:
    """What the three stores say of the packages in question, read once. `has_own`: the tree's or the user's store holds
    something, for whichever package: only then is anything held against a baseline. `population`: the pack's."""

    tree: Mapping[str, Baseline] = field(default_factory=dict)
    user: Mapping[str, Baseline] = field(default_factory=dict)
    pack: Mapping[str, Baseline] = field(default_factory=dict)
    has_own: bool = False
    population: Population = field(default_factory=Population)

    @cached_property
    def all(self) -> tuple[tuple[StoreName, Mapping[str, Baseline]], ...]:
        """By precedence."""
        return ("tree", self.tree), ("user", self.user), ("pack", self.pack)

    def of(self, package: str) -> list[tuple[StoreName, Baseline]]:
        """Each store's baseline of a package, by precedence."""
        return [(name, store[package]) for name, store in self.all if package in store]


def waivers(stores: Stores, package: str, version: str, checksum: str) -> tuple[Waiver, ...]:
    """The rules that were accepted for exactly this content, in the tree or by the user; none without a checksum. The
    pack's word does not count: nobody here accepted it."""
    if not checksum:
        return ()
    found: dict[str, Waiver] = {}
    for store in (stores.tree, stores.user):
        entry = store[package].find(version, checksum) if package in store else None
        for waiver in entry.waivers if entry is not None else ():
            found.setdefault(waiver.rule, waiver)
    return tuple(sorted(found.values()))


def open_stores(
    workspace: str | Path | None,
    env: Mapping[str, str],
    packages: Iterable[str],
    pack: Path | None = None,
    checksums: Mapping[tuple[str, str], str] | None = None,
) -> Stores:
    """Read what the stores hold of these packages. Without `workspace` the tree has no say (a tree that is not to be
    trusted). With `checksums` the pack is not read for packages of which all versions there are accepted already, which
    saves time and changes no answer. Raises BaselineError for a broken file of the tree or the user."""
    folders = {
        "tree": tree_folder(workspace) if workspace is not None else None,
        "user": user_folder(env),
        "pack": pack or pack_folder(),
    }
    wanted = sorted(set(packages))
    versions: dict[str, list[tuple[str, str]]] = {}
    for (package, version), checksum in (checksums or {}).items():
        versions.setdefault(package, []).append((version, checksum))
    found: dict[str, dict[str, Baseline]] = {}
    for name, folder in folders.items():
        found[name] = {}
        if folder is None:
            continue
        with contextlib.ExitStack() as stack:
            if name == "pack":
                stack.enter_context(contextlib.suppress(BaselineError))
            for package in wanted:
                if name == "pack" and _all_known(package, versions.get(package), found["tree"], found["user"]):
                    continue
                baseline = load(folder, package)
                if baseline is not None:
                    found[name][package] = baseline
    return Stores(found["tree"], found["user"], found["pack"], has_own(workspace, env), shipped(pack))


def _all_known(package: str, versions: list[tuple[str, str]] | None, *stores: Mapping[str, Baseline]) -> bool:
    """Whether stores above the pack have each of these versions with its checksum."""
    known = [store[package] for store in stores if package in store and store[package].normaliser == VERSION]
    return bool(versions) and all(any(one.find(*version) for one in known) for version in versions or ())
