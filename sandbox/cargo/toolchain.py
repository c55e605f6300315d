"""Finds the toolchain that cargo would use, without running anything.

rustup's proxies run whatever `rust-toolchain.toml` of the tree says, so they are never run: the choice is made here by
reading the same files in the same order (rustup's `src/config.rs`), and one thing is refused that rustup allows, a
`path` in a toolchain file: the project would bring its own compiler.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from sandbox.cargo import rustup
from sandbox.cargo.files import below
from sandbox.cargo.homes import rustup_home
from sandbox.errors import ToolchainError
from sandbox.record import record

_STORES = ("/usr", "/nix/store", "/gnu/store")


@record
class Toolchain:
    """The programs of one toolchain, as real paths (links of rustup resolved).

    root        directory to show read-only: the toolchain's own, `/usr` for a distribution's, a store for Nix and Guix
    extra_roots more such directories, when cargo and rustc come from different places (a linked one without cargo)
    name        rustup's full name, or `system`
    source      why this one, for people: `+nightly`, `RUSTUP_TOOLCHAIN`, a file, `default`
    rustup_home None when rustup has nothing to do with it
    version     of cargo, as (major, minor, patch), read from rustup's manifest; None when no file says (a linked or a
                distribution's toolchain): the resolve step asks cargo itself
    host        the target triple of rustup's toolchain, else guessed from the machine
    targets, components   what the toolchain file asks for; nothing is installed for it
    files       the files that decided (a freshness key needs them)
    """

    cargo: Path
    rustc: Path
    rustdoc: Path
    clippy_driver: Path | None
    root: Path
    name: str
    rustup_home: Path | None
    version: tuple[int, int, int] | None
    extra_roots: tuple[Path, ...] = ()
    source: str = ""
    host: str = ""
    targets: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def bin(self) -> Path:
        """The directory of rustc, which PATH inside should begin with."""
        return self.rustc.parent


def find(args_toolchain: str | None, env: Mapping[str, str], cwd: Path) -> Toolchain:
    """The toolchain for a command with `+args_toolchain` (None: without), called in `cwd` with `env`.

    Raises ToolchainError when there is none, when it is not installed, or when the project brings its own.
    """
    cargo = next(_on_path("cargo", env), None)
    home = rustup_home(env, cwd)
    if cargo is None:
        raise ToolchainError("cargo was not found on PATH", fix="install Rust, or put the directory of cargo on PATH")
    if _is_proxy(cargo):
        return _from_rustup(home, rustup.choose(args_toolchain, env, cwd, home))
    if args_toolchain is not None:
        raise ToolchainError(
            f"`+{args_toolchain}` needs rustup, and the cargo on PATH is not rustup's",
            why=f"{cargo} comes first on PATH",
            fix=f"leave `+{args_toolchain}` out, or put rustup's bin directory first on PATH",
        )
    return _from_system(cargo, env, cwd, home)


def _on_path(name: str, env: Mapping[str, str]) -> Iterator[Path]:
    """Executables of that name. Relative entries of PATH are skipped: they would let the tree choose."""
    for entry in env.get("PATH", "").split(":"):
        if entry.startswith("/"):
            path = os.path.join(entry, name)
            if os.access(path, os.X_OK) and os.path.isfile(path):
                yield Path(path)


def _is_proxy(program: Path) -> bool:
    """True when the program is rustup under another name: a link to it, or the same file or a copy beside it."""
    real = Path(os.path.realpath(program))
    if real.name in ("rustup", "rustup-init"):
        return True
    for folder in {program.parent, real.parent}:
        try:
            one, other = os.stat(program), os.stat(folder / "rustup")
        except OSError:
            continue
        if os.path.samestat(one, other) or one.st_size == other.st_size:
            return True
    return False


def _from_rustup(home: Path, choice: rustup.Choice) -> Toolchain:
    root = Path(os.path.realpath(choice.path))
    rustc = _program(root, "rustc")
    if not os.path.isdir(root) or rustc is None:
        if choice.official:
            raise ToolchainError(
                f"the toolchain {choice.name} is not installed",
                why=f"it is asked for by {choice.source}",
                fix=f"rustup toolchain install {choice.short}",
            )
        raise ToolchainError(
            f"the toolchain {choice.name} is not installed or has no rustc",
            why=f"it is asked for by {choice.source}, and {choice.path} holds none",
            fix=f"rustup toolchain link {choice.name} PATH",
        )
    cargo = _program(root, "cargo")
    extra: tuple[Path, ...] = ()
    if cargo is None:
        # rustup lends a linked toolchain without cargo the one of the first of these that is installed.
        for channel in ("nightly", "beta", "stable"):
            lender = Path(os.path.realpath(home / "toolchains" / f"{channel}-{choice.host}"))
            cargo = _program(lender, "cargo")
            if cargo is not None:
                extra = (lender,)
                break
        else:
            raise ToolchainError(
                f"the toolchain {choice.name} has no cargo",
                fix="rustup toolchain install stable (its cargo is used then), or build cargo into the toolchain",
            )
    return Toolchain(
        cargo=cargo,
        rustc=rustc,
        rustdoc=_program(root, "rustdoc") or root / "bin" / "rustdoc",
        clippy_driver=_program(root, "clippy-driver"),
        root=root,
        name=choice.name,
        rustup_home=home,
        version=rustup.cargo_version(extra[0] if extra else root),
        extra_roots=extra,
        source=choice.source,
        host=choice.host,
        targets=choice.targets,
        components=choice.components,
        files=choice.files,
    )


def _from_system(cargo: Path, env: Mapping[str, str], cwd: Path, home: Path) -> Toolchain:
    rustc = _beside(cargo, "rustc") or next(_on_path("rustc", env), None)
    if rustc is None:
        raise ToolchainError(
            "rustc was not found", why=f"it is neither beside {cargo} nor on PATH", fix="install rustc"
        )
    real = Path(os.path.realpath(cargo))
    root = _prefix(real)
    if _is_proxy(rustc):
        lent = _from_rustup(home, rustup.choose(None, env, cwd, home))
        extra = () if below(lent.root, root) else (lent.root,)
        return Toolchain(
            cargo=real, rustc=lent.rustc, rustdoc=lent.rustdoc, clippy_driver=lent.clippy_driver, root=root,
            name=lent.name, rustup_home=home, version=None, extra_roots=extra, source=lent.source, host=lent.host,
            targets=lent.targets, components=lent.components, files=lent.files,
        )  # fmt: skip
    rustc = Path(os.path.realpath(rustc))
    other = _prefix(rustc)
    return Toolchain(
        cargo=real,
        rustc=rustc,
        rustdoc=_real(_beside(rustc, "rustdoc") or next(_on_path("rustdoc", env), rustc.parent / "rustdoc")),
        clippy_driver=_optional(_beside(rustc, "clippy-driver") or next(_on_path("clippy-driver", env), None)),
        root=root,
        name="system",
        rustup_home=None,
        version=None,
        extra_roots=() if below(other, root) else (other,),
        source=f"{cargo} on PATH",
        host=rustup.machine_triple(),
    )


def _program(root: Path, name: str) -> Path | None:
    path = root / "bin" / name
    return path if os.access(path, os.X_OK) and os.path.isfile(path) else None


def _beside(program: Path, name: str) -> Path | None:
    for folder in (program.parent, Path(os.path.realpath(program)).parent):
        path = folder / name
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _optional(path: Path | None) -> Path | None:
    return None if path is None or _is_proxy(path) else _real(path)


def _prefix(program: Path) -> Path:
    """What must be seen for a program outside rustup to work: its installation prefix."""
    for store in _STORES:
        if below(program, store):
            return Path(store)
    folder = program.parent
    return folder.parent if folder.name == "bin" and folder.parent != Path("/") else folder
