"""Small workspaces on disk, and subjects made of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from sandbox.cargo import lockfile
from sandbox.preflight.model import Subject

TODAY = date(2026, 11, 29)
MANIFEST = '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
LOCK = 'version = 4\n\n[[package]]\nname = "app"\nversion = "0.1.0"\n'
PINNED = '[toolchain]\nchannel = "1.97.0"\n'


def locked(name: str, version: str) -> str:
    """A package of the public registry, for the end of a lock file."""
    source = "registry+https://github.com/rust-lang/crates.io-index"
    return f'\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = "{source}"\nchecksum = "{"a" * 64}"\n'


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Put files below `root`, which is a repository's folder then."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / ".git").mkdir(parents=True, exist_ok=True)
    return root


def good(root: Path, more: Mapping[str, str] | None = None) -> Path:
    """A project that is pinned as it should be, and what is to be otherwise."""
    return write(root, {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK, "rust-toolchain.toml": PINNED} | dict(more or {}))


def subject(
    root: Path, current: bool | None = None, toolchain: str = "1.97.0", members: tuple[str, ...] = ()
) -> Subject:
    """The workspace at `root`."""
    lock = root / "Cargo.lock"
    manifests = (root / "Cargo.toml", *(root / name / "Cargo.toml" for name in members))
    return Subject(
        lock, lockfile.read(lock), TODAY, root=root, manifests=manifests, lock_current=current, toolchain=toolchain
    )
