"""A project's policy as data: settings that know their origin, allowances, and which build scripts may run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from sandbox.errors import SandboxError
from sandbox.record import record


class PolicyError(SandboxError):
    """A file of policy can't be used. `file` is its path."""

    exit_code = 2

    def __init__(self, message: str, *, file: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file


@record
class Allowance:
    """What one package may do, and why.

    `version` is a requirement as in Cargo.toml, `checksum` pins the package's content: the SHA-256 of a registry's
    package, the commit of a git one. Of `paths`, `programs`, `env`, `directives` a finding has to match one (none are
    given: any finding does), and its code has to be in `rules` when these are given. With `write` the package may also
    write below `paths`. Paths are absolute, or begin with a token of behaviours (`$OUT_DIR/…`).
    `origin` says where it stands; `local` that it came from the tree.
    """

    package: str
    reason: str
    version: str = ""
    checksum: str = ""
    paths: tuple[str, ...] = ()
    write: bool = False
    programs: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    directives: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    expires: date | None = None
    origin: str = ""
    local: bool = False

    def expired(self, today: date) -> bool:
        """True from the day after `expires` on."""
        return self.expires is not None and today > self.expires

    def words(self) -> str:
        """What is allowed, for people: `ring: path /usr/share (why)`."""
        named = (
            ("path", self.paths), ("program", self.programs), ("env", self.env),
            ("directive", self.directives), ("rule", self.rules),
        )  # fmt: skip
        parts = [f"{name} {' '.join(values)}" for name, values in named if values]
        return f"{self.package} {self.version}".strip() + ": " + ", ".join(parts) + f" ({self.reason})"


class Permit(NamedTuple):
    """An entry of `[names] allow` or `[advisories] ignore`: a package's name or an advisory's id, and why it passes.
    Without a reason it lets nothing pass."""

    what: str
    reason: str
    expires: date | None = None

    def holds(self, today: date) -> bool:
        """False from the day after `expires` on."""
        return self.expires is None or today <= self.expires

    def words(self) -> str:
        """For people: `serde-ree: ours (until 2027-01-31)`."""
        return f"{self.what}: {self.reason}" + (f" (until {self.expires})" if self.expires else "")


class Supply(NamedTuple):
    """`[sources]`, `[names]`, `[advisories]` and `[audit]`, of one file or of all together; None: not said.

    `sources` are pairs of a name (with `*` for any text) and where it has to come from. `deny` is the audit's own.
    """

    sources: tuple[tuple[str, str], ...] = ()
    allowed_sources: tuple[str, ...] = ()
    internal: tuple[str, ...] = ()
    names: tuple[Permit, ...] = ()
    advisories: tuple[Permit, ...] = ()
    max_age_days: int | None = None
    cooldown_days: int | None = None
    deny: str | None = None


@record
class Shown:
    """One setting with its effective value and where it comes from. `key` is spelt as in a file."""

    key: str
    value: Any
    origin: str


@record
class ProjectPolicy:
    """Everything that files of policy decided beside `Settings`.

    `loosened`: settings of the tree that make a wall or the judgement weaker than it would be without, as words;
    `ignored`: those that were left out since the tree is not trusted. `files` were read, strongest first.
    """

    name: str = "default"
    allowances: tuple[Allowance, ...] = ()
    deny_build_scripts: bool = False
    allowed_scripts: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    loosened: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    supply: Supply = Supply()

    def header(self) -> dict[str, Any]:
        """What a run's header says of it."""
        return {
            "name": self.name,
            "files": list(self.files),
            "allowances": [one.words() for one in self.allowances],
            "loosened": list(self.loosened),
            "ignored": list(self.ignored),
        }


@record
class Layer:
    """One file of policy, or a built-in one, as read: option fields with their values, allowances and the list of
    scripts (None: the file has no such table). `origin` names it for people."""

    kind: str
    origin: str
    values: Mapping[str, Any] = MappingProxyType({})
    allowances: tuple[Allowance, ...] = ()
    deny_build_scripts: bool | None = None
    allowed_scripts: tuple[str, ...] = ()
    supply: Supply = Supply()
