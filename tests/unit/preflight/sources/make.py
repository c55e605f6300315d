"""Makes what the checks look at: lock files, configurations and workspaces, small and by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from sandbox.cargo import config
from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.model import Answer, SourceRule, Subject, Wishes

PUBLIC = "registry+https://github.com/rust-lang/crates.io-index"
ACME = "sparse+https://index.acme.invalid/"
OTHER = "sparse+https://index.other.invalid/"
SUM = "ab" * 32
NAMES_ACME = f'[registries.acme]\nindex = "{ACME}"\n'


def locked(
    name: str, version: str = "1.2.0", source: str | None = PUBLIC, *dependencies: str, checksum: str | None = SUM
) -> LockedPackage:
    return LockedPackage(name, version, source, checksum if source else None, dependencies)


def wishes(*rules: tuple[str, str], allowed: tuple[str, ...] = (), internal: tuple[str, ...] = ()) -> Wishes:
    return Wishes(sources=tuple(SourceRule(*rule) for rule in rules), allowed_sources=allowed, internal=internal)


def subject(
    tmp_path: Path,
    *packages: LockedPackage,
    rules: Wishes | None = None,
    tree: str | None = "",
    home: str = "",
    manifest: str = '[package]\nname = "csbench-app"\nversion = "0.1.0"\n',
    accepted: tuple[LockedPackage, ...] | None = None,
    env: Mapping[str, str] | None = None,
    fetch: Callable[[str], bytes | None] | None = None,
) -> Subject:
    """A workspace with one manifest. `tree` and `home` are cargo's configuration in the tree and in the cargo home;
    without `tree` (None) nobody read a configuration."""
    root, cargo_home = tmp_path / "ws", tmp_path / "home"
    (root / ".cargo").mkdir(parents=True)
    cargo_home.mkdir()
    (root / "Cargo.toml").write_text(manifest)
    (root / ".cargo/config.toml").write_text(tree or "")
    (cargo_home / "config.toml").write_text(home)
    return Subject(
        lock_file=root / "Cargo.lock", locked=packages, today=date(2026, 1, 1), wishes=rules or Wishes(), root=root,
        config=None if tree is None else config.load(root, cargo_home), cargo_home=cargo_home,
        manifests=(root / "Cargo.toml",), accepted=accepted, env=env or {}, fetch=fetch,
    )  # fmt: skip


def codes(answer: Answer) -> list[str]:
    return [item.code for item in answer.findings]


def details(answer: Answer) -> str:
    return "\n".join(item.detail for item in answer.findings)
