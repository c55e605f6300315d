"""Finds the guard's binary and tells its digest."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from sandbox.errors import SetupError
from sandbox.resources import is_checkout

TEST_VARIABLE = "CARGO_SANDBOX_TEST_GUARD"

_PACKAGED = Path(__file__).parent / "bin" / "guard"


def find(env: Mapping[str, str] | None = None) -> Path:
    """The binary that the build backend put beside this module. Raises SetupError when it is missing.

    `env` (default: the process's own) may name another one for tests, for instance one whose walls can be taken down.
    Only a source checkout listens to that: in an installed package no variable may choose who guards.
    """
    other = (os.environ if env is None else env).get(TEST_VARIABLE, "")
    path = Path(other) if other and is_checkout() else _PACKAGED
    if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
        return path
    raise SetupError(
        "the guard is missing",
        wall="recorder",
        why=f"no program at {path}",
        fix="install cargo-sandbox again with pip; that compiles the guard and needs cargo",
    )


def digest(binary: Path, cache_dir: str | os.PathLike[str]) -> str:
    """`sha256:` and the hash of the binary.

    Hashing costs several milliseconds in each run, so the answer is kept below `cache_dir` under the file's inode,
    size, mtime and ctime (which no one can set). A cache that can't be written is done without. Raises SetupError when
    the binary can't be read.
    """
    try:
        status = binary.stat()
        identity = f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"
        kept = Path(cache_dir, "guard-digest", identity)
        with contextlib.suppress(OSError, ValueError):
            return _checked(kept.read_text("ascii"))
        answer = "sha256:" + hashlib.sha256(binary.read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(
            "the guard can't be read", wall="recorder", why=str(error), fix="install cargo-sandbox again"
        ) from error
    with contextlib.suppress(OSError):
        _keep(kept, answer)
    return answer


def _checked(text: str) -> str:
    """The text, if it is a digest; ValueError for a file cut short by a crash."""
    algorithm, _, value = text.partition(":")
    if algorithm != "sha256" or len(bytes.fromhex(value)) != 32:
        raise ValueError(text)
    return text


def _keep(path: Path, text: str) -> None:
    """Write the answer whole or not at all, and drop those of earlier binaries."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in path.parent.iterdir():
        old.unlink(missing_ok=True)
    fresh = path.with_name(f".{os.getpid()}")
    fresh.write_text(text, "ascii")
    fresh.replace(path)
