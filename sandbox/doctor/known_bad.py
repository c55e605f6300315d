"""The list of versions known to be bad: `profiles/doctor/known-bad.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox.doctor.version import Version, is_fixed, parse
from sandbox.errors import InternalError
from sandbox.resources import profile

SCHEMA = "cargo-sandbox/known-bad-v1"
COMPONENTS = ("docker", "runc", "crun", "libseccomp", "linux", "cargo", "python")

Answer = Literal["fixed", "bad", "unknown", "elsewhere"]


@dataclass(frozen=True, slots=True)
class KnownBad:
    """One entry; the file's head says what its fields mean."""

    id: str
    component: str
    cve: tuple[str, ...]
    fixed_in: tuple[str, ...]
    allows: str
    here: str
    fix: str
    weakens: bool
    only: tuple[str, ...] = ()

    def answer(self, text: str) -> Answer:
        """What a version means: `unknown` when there is nothing to compare, `elsewhere` for another series."""
        version = parse(text)
        if version is None:
            return "unknown"
        if self.only and f"{version[0]}.{version[1]}" not in self.only:
            return "elsewhere"
        if not self.fixed_in:
            return "unknown"
        return "fixed" if is_fixed(version, [_version(fixed) for fixed in self.fixed_in]) else "bad"


def load(path: Path | None = None) -> tuple[KnownBad, ...]:
    """The entries that ship with us. Raises InternalError for a file that breaks its own rules."""
    import yaml

    path = path or profile("doctor/known-bad.yaml")
    data = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise InternalError(f"{path}: not {SCHEMA}")
    entries = tuple(_entry(entry, path) for entry in data["entries"])
    names = [entry.id for entry in entries]
    if len(set(names)) != len(names):
        raise InternalError(f"{path}: an id occurs twice")
    return entries


def of(entries: Sequence[KnownBad], component: str) -> tuple[KnownBad, ...]:
    """The entries of one component, in the file's order."""
    return tuple(entry for entry in entries if entry.component == component)


def _entry(data: dict[str, Any], path: Path) -> KnownBad:
    lists = {name: tuple(map(str, data.get(name) or ())) for name in ("cve", "fixed_in", "only")}
    try:
        entry = KnownBad(**(data | lists))
    except TypeError as error:
        raise InternalError(f"{path}: {data.get('id')}: {error}") from error
    if entry.component not in COMPONENTS:
        raise InternalError(f"{path}: {entry.id}: no component {entry.component!r}")
    for text in entry.fixed_in:
        _version(text)
    return entry


def _version(text: str) -> Version:
    version = parse(text)
    if version is None:
        raise InternalError(f"{text!r} is not a version")
    return version
