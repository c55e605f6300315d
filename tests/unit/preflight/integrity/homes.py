"""Cargo homes by hand: packages as `.crate` files, unpacked as cargo unpacks them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.model import Subject
from sandbox.preflight.sources import folders
from tests.unit.preflight.sources.make import PUBLIC, subject

FILES = {"Cargo.toml": b"[package]\n", "src/lib.rs": b"pub fn one() {}\n", "empty": b"", "big.bin": bytes(200_000)}
TOP = "csbench-x-1.0.0"


def crate(files: Mapping[str, bytes] = FILES, top: str = TOP, *extra: tarfile.TarInfo) -> bytes:
    """A `.crate`, in GNU's format as cargo's; `extra` are entries without content."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in extra:
            archive.addfile(entry)
    return gzip.compress(data.getvalue(), 1)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Home:
    """A cargo home with one package. `archive` and `folder` are its paths."""

    def __init__(self, tmp_path: Path, data: bytes | None = None, source: str = PUBLIC) -> None:
        self.base = tmp_path
        self.data = crate() if data is None else data
        registry = tmp_path / "home/registry"
        name = folders.of_registry(source)[0]
        self.archive = registry / "cache" / name / f"{TOP}.crate"
        self.folder = registry / "src" / name / TOP
        self.package = LockedPackage("csbench-x", "1.0.0", source, digest(self.data))
        self.subject = subject(tmp_path, self.package)
        self.archive.parent.mkdir(parents=True)
        self.archive.write_bytes(self.data)

    def unpack(self, files: Mapping[str, bytes] = FILES) -> Home:
        for path, content in {**files, ".cargo-ok": b'{"v":1}'}.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return self

    def looked_at(self, *packages: LockedPackage, cache: Path | None = None, checksum: str | None = "") -> Subject:
        package = self.package if checksum == "" else self.package._replace(checksum=checksum)
        return replace(self.subject, locked=packages or (package,), cache=cache)
