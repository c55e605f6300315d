"""The Rust toolchain that goes into the image: the files of a sysroot, without its documentation and installer."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.builder.layer import Extra
from sandbox.builder.recipe import ROOT
from sandbox.cargo.toolchain import find
from sandbox.errors import ImageError

DEBIAN = ("cargo", "rustc", "rust-clippy")
"""The packages of a distribution's own toolchain."""

_TOP = ("bin", "lib", "libexec")
# rustup's and the installer's notes, with dates and addresses; sources of the standard library.
_LEFT_OUT = re.compile(
    r"lib/rustlib/(src|components|install\.log|uninstall\.sh|rust-installer-version"
    r"|(manifest|multirust)-.*)(/.*)?"
)
_VERSION_S = 60.0


@dataclass(frozen=True)
class Toolchain:
    """`version` is the line of `rustc --version`, `files` what is copied, `digest` the hash of all of it."""

    version: str
    files: tuple[Extra, ...]
    digest: str


def active(env: Mapping[str, str]) -> Path | None:
    """The sysroot of the toolchain that cargo uses outside of any project; None for the distribution's own.

    Raises ToolchainError when there is none.
    """
    root = find(None, env, Path("/")).root
    return None if root == Path("/usr") else root


def read(root: Path) -> Toolchain:
    """Look at a sysroot. Raises ImageError when it has no cargo and rustc, or a link that leads out of it."""
    for name in ("bin/cargo", "bin/rustc", "lib/rustlib"):
        if not (root / name).exists():
            raise ImageError(
                f"{root} is no toolchain that can be copied",
                why=f"it has no {name}",
                fix="name the sysroot of one: --toolchain DIR (rustc --print sysroot)",
            )
    files = tuple(_files(root))
    return Toolchain(_version(root / "bin/rustc"), files, _digest(files))


def _files(root: Path) -> Iterator[Extra]:
    yield Extra(ROOT[1:], 0o755)
    for top in _TOP:
        yield from _below(root, top)


def _below(root: Path, name: str) -> Iterator[Extra]:
    """One entry and what lies in it, in order of names; modes say only who may execute."""
    path = root / name
    if _LEFT_OUT.fullmatch(name) or not os.path.lexists(path):
        return
    state = path.lstat()
    inside = f"{ROOT[1:]}/{name}"
    if stat.S_ISLNK(state.st_mode):
        link = os.readlink(path)
        if link.startswith("/") or os.path.normpath(f"{name}/../{link}").startswith(".."):
            raise ImageError(f"{path} leads out of the toolchain", why=f"it is a link to {link}")
        yield Extra(inside, 0o777, link=link)
    elif stat.S_ISDIR(state.st_mode):
        yield Extra(inside, 0o755)
        for entry in sorted(os.listdir(path)):
            yield from _below(root, f"{name}/{entry}")
    elif stat.S_ISREG(state.st_mode):
        yield Extra(inside, 0o755 if state.st_mode & stat.S_IXUSR else 0o644, size=state.st_size, data=str(path))
    else:
        raise ImageError(f"{path} is neither a file, a folder nor a link")


def _digest(files: tuple[Extra, ...]) -> str:
    found = hashlib.sha256()
    for file in files:
        content = ""
        if isinstance(file.data, str):
            with open(file.data, "rb") as data:
                content = hashlib.file_digest(data, "sha256").hexdigest()
        found.update(f"{file.name}\0{file.mode:o}\0{file.link}\0{content}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{found.hexdigest()}"


def _version(rustc: Path) -> str:
    try:
        done = subprocess.run(
            [rustc, "--version"], cwd="/", env={"LC_ALL": "C"}, capture_output=True, text=True, timeout=_VERSION_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"{rustc} does not run", why=str(error)) from error
    line = done.stdout.strip()
    if done.returncode != 0 or not line.isprintable() or not line.startswith("rustc "):
        raise ImageError(f"{rustc} does not say its version", why=(done.stderr or line).strip()[:300])
    return line
