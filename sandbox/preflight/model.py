"""What the checks look at, what they are told by policy, and what each of them answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from sandbox.cargo.config import CargoConfig
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Facts, Package
from sandbox.judge.model import Finding, Severity
from sandbox.policy.model import Permit
from sandbox.preflight.codes import CODES


@dataclass(frozen=True, slots=True)
class SourceRule:
    """`pattern` (a name, `*` stands for any text) may come from `source` only: `crates-io`, `registry:NAME` (as in
    cargo's configuration), `git:URL`, `path`, or an index URL."""

    pattern: str
    source: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """`[sources]`, `[names]`, `[advisories]` and `[audit]` of cargo-sandbox.toml, with their defaults.

    `allowed_sources`: the only sources there may be, empty for any. `internal`: names that are the project's own.
    `advisory_db`: a folder, empty for none. `max_age_days`: from when on a database is too old. `cooldown_days`: how
    long a version must have been published, 0 for no matter.
    """

    sources: tuple[SourceRule, ...] = ()
    allowed_sources: tuple[str, ...] = ()
    internal: tuple[str, ...] = ()
    names: tuple[Permit, ...] = ()
    advisories: tuple[Permit, ...] = ()
    advisory_db: str = ""
    max_age_days: int = 30
    cooldown_days: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """A workspace, or a lock file alone (`root` and `facts` are None then).

    `lock_current`: whether the lock file fits the manifests by cargo's word, None where it was not asked. `toolchain`
    is the version of the rustc that builds here (`1.97.0`), empty where it is not known. In `accepted` a git source has
    its commit and not what was asked for, and nobody has dependencies.

    `facts` is the resolved graph, None where nobody resolved it: a check that needs it answers "not done". `accepted`
    is the lock file's state that was last accepted. `manifests` are those of the workspace's own packages. `cache` is
    a folder of ours for what is dear to find out again, None for none: its content is believed only for the same
    inode, size and times. `today` is given so that answers can be repeated. `fetch` gives what an index has at a URL,
    None for nothing, and raises SandboxError; without it nobody asks the network.
    """

    lock_file: Path
    locked: tuple[LockedPackage, ...]
    today: date
    wishes: Wishes = field(default_factory=Wishes)
    root: Path | None = None
    facts: Facts | None = None
    lock_current: bool | None = None
    toolchain: str = ""
    config: CargoConfig | None = None
    cargo_home: Path | None = None
    manifests: tuple[Path, ...] = ()
    accepted: tuple[LockedPackage, ...] | None = None
    cache: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    fetch: Callable[[str], bytes | None] | None = None


State = Literal["done", "not done"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check says. "not done" is neither clean nor a finding: `why` says what was missing. `notes` are for
    people and hold nothing against anybody. `looked_at` counts what was examined, in `unit`s (`packages`, `files`)."""

    check: str
    state: State
    findings: tuple[Finding, ...] = ()
    why: str = ""
    notes: tuple[str, ...] = ()
    looked_at: int = 0
    unit: str = "packages"


@dataclass(frozen=True, slots=True)
class Check:
    """A check by name. `fast`: it reads no sources, so builds make it first; the others are for `audit`."""

    name: str
    title: str
    run: Callable[[Subject], Answer]
    fast: bool


def finding(
    code: str,
    package: LockedPackage | Package | None,
    detail: str,
    *,
    subject: str = "",
    severity: Severity | None = None,
    evidence: tuple[str, ...] = (),
    help: str = "",
) -> Finding:
    """A finding of `CODES`. `evidence`: lines for people; `severity`, `help` replace the code's."""
    entry = CODES[code]
    directory = package.directory if isinstance(package, Package) else ""
    return Finding(
        code=code, severity=severity or entry.severity, title=entry.title, unit="graph",
        role="graph" if package else "project",
        package=package.name if package else "", version=package.version if package else "", manifest_dir=directory,
        subject=subject or (package.name if package else ""), detail=detail, help=help or entry.help, tree=evidence,
    )  # fmt: skip
