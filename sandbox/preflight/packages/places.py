"""Where cargo keeps what it fetched. Source: cargo's `src/cargo/sources/registry/mod.rs` (layout of the cargo home)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

_CRATES_IO = "github.com/rust-lang/crates.io-index"
_HASH = re.compile(r"[0-9a-f]{16}")


def hosts(source: str) -> tuple[str, ...]:
    """The names of hosts with which cargo's folders for a registry begin; empty for what is no registry."""
    kind, found, url = source.partition("+")
    if not found or kind not in ("registry", "sparse"):
        return ()
    url = url.removeprefix("sparse+")
    if url.partition("://")[2].rstrip("/").removesuffix(".git") == _CRATES_IO:
        return "index.crates.io", "github.com"
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ()
    return (host,) if host else ()


def folders(cargo_home: Path, kind: str, source: str) -> tuple[Path, ...]:
    """The folders `registry/KIND/HOST-HASH` that may belong to the registry, in order. The hash is cargo's own matter,
    so two registries of one host can't be told apart here: whoever reads compares checksums."""
    wanted = hosts(source)
    try:
        names = sorted(os.listdir(cargo_home / "registry" / kind))
    except OSError:
        return ()
    return tuple(
        cargo_home / "registry" / kind / name
        for host in wanted
        for name in names
        if name.startswith(host + "-") and _HASH.fullmatch(name[len(host) + 1 :])
    )
