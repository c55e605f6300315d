"""Build hook of the wheel: compiles the guard with the user's own cargo and packs what the package needs at run time.

    sandbox/guard/bin/guard   the guard, compiled from sandbox/guard
    sandbox/_data/profiles    profiles/
    sandbox/_data/images      images/

An editable install reads profiles/ and images/ where they lie and gets the guard as sandbox/guard/bin/guard in the
tree, which git ignores.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilderConfig

_NO_CARGO = """\
cargo-sandbox needs cargo to compile its guard, and found none.
  = help: install Rust (rustup, or your distribution's cargo package) and try again
  = help: if cargo is not on PATH, name it: CARGO=/path/to/cargo pip install ..."""


class GuardBuildHook(BuildHookInterface[WheelBuilderConfig]):
    """Called by hatchling before it packs a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the extra files. `version` is `standard` or `editable`."""
        root = Path(self.root)
        cargo = _find_cargo()
        host = _host(cargo)
        # Of this build alone: another one may replace what lies in cargo's target directory before this is packed.
        staging = tempfile.mkdtemp(prefix="cargo-sandbox-build-")
        atexit.register(shutil.rmtree, staging, ignore_errors=True)
        binary = Path(staging, "guard")
        _compile(cargo, host, root / "sandbox" / "guard", binary)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-linux_{host.partition('-')[0]}"
        if version == "editable":
            _install(binary, root / "sandbox" / "guard" / "bin" / "guard")
            return
        build_data["force_include"] |= {
            str(binary): "sandbox/guard/bin/guard",
            str(root / "profiles"): "sandbox/_data/profiles",
            str(root / "images"): "sandbox/_data/images",
        }


def _find_cargo() -> str:
    named = os.environ.get("CARGO")
    cargo = shutil.which(named or "cargo")
    if not (cargo or named):
        cargo = shutil.which(Path.home() / ".cargo" / "bin" / "cargo")
    if cargo is None:
        raise SystemExit(_NO_CARGO + (f"\n  = note: CARGO is {named}" if named else ""))
    return cargo


def _host(cargo: str) -> str:
    """The target triple that this cargo runs on; it must be Linux."""
    done = subprocess.run([cargo, "-vV"], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        label, _, host = line.partition(": ")
        if label == "host" and "-linux-" in host:
            return host
    raise SystemExit(f"cargo-sandbox runs on Linux only; `{cargo} -vV` said:\n{done.stdout}{done.stderr}")


def _compile(cargo: str, host: str, crate: Path, binary: Path) -> None:
    """Compile the guard to `binary`: static if this machine can link so, else dynamic with a notice.

    The flags go to the last rustc alone, so that the user's own RUSTFLAGS and cargo configuration stay in force. One
    names the sources' content: cargo tells what is fresh by dates, and another checkout's later build of older sources
    would be taken for this one's.
    """
    sources = ["-C", f"metadata={_digest(crate)}"]
    command = [cargo, "rustc", "--locked", "--release", "--bin", "guard", "--target", host]
    with _target_directory() as target:
        built = target / host / "release" / "guard"
        env = os.environ | {"CARGO_TARGET_DIR": str(target)}
        for flags in (["-C", "target-feature=+crt-static"], []):
            done = subprocess.run(
                [*command, "--", *sources, *flags],
                cwd=crate,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                check=False,
            )
            if done.returncode == 0 and _runs(built):
                shutil.copy(built, binary)
                return
            if flags:
                _notice("could not link the guard statically; trying dynamically (it then runs on this system only)")
    raise SystemExit(
        "cargo-sandbox could not compile its guard; cargo's own message is above\n"
        "  = help: it needs a linker (Debian, Ubuntu: apt install gcc) and cargo's access to its registry"
    )


def _digest(crate: Path) -> str:
    """What the sources contain, by name; 16 hexadecimal digits."""
    found = hashlib.sha256()
    for path in sorted([*crate.glob("Cargo.*"), *crate.glob("src/**/*.rs")]):
        found.update(f"{path.relative_to(crate)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def _runs(binary: Path) -> bool:
    """Whether the program starts here: a static one may link and then crash on an odd C library."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _notice(f"{binary}: {error}")
        return False
    return done.returncode == 0 and done.stdout.startswith("cargo-sandbox-guard ")


@contextmanager
def _target_directory() -> Iterator[Path]:
    """Cargo's target directory below the user's cache, held by one build at a time; a temporary one without a cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    target = cache / "cargo-sandbox" / "guard-target"
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (target / ".build-lock").open("w")
    except OSError:
        with tempfile.TemporaryDirectory(prefix="cargo-sandbox-target-") as folder:
            yield Path(folder)
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield target


def _install(binary: Path, place: Path) -> None:
    """Put the guard into the tree at once, also while an older one is running."""
    place.parent.mkdir(exist_ok=True)
    fresh = place.with_name(f".guard-{os.getpid()}")
    shutil.copy(binary, fresh)
    fresh.replace(place)


def _notice(text: str) -> None:
    print(f"cargo-sandbox: {text}", file=sys.stderr, flush=True)
