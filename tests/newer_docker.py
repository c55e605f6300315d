"""Newer Docker programs than the system's, out of a newer Debian's packages: unpacked beside each other, not installed.

Go programs of Debian's ask for a C library of their own release; only runc needs the newer one, so it gets it, with the
loader, by its own path. The daemon runs on this system and sees its tree.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

SUITE = "trixie"
"""Debian 13: Docker 26.1, API 1.45. `CARGO_SANDBOX_TEST_DOCKER_SUITE` names another one."""

_PACKAGES = ("docker.io", "containerd", "runc", "libc6", "libseccomp2")
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class NotToBeHad(Exception):
    """The packages can't be fetched here."""


@functools.cache
def programs() -> Path:
    """A folder with dockerd, containerd, its shim and runc, kept in the user's cache. Raises NotToBeHad."""
    suite = os.environ.get("CARGO_SANDBOX_TEST_DOCKER_SUITE", SUITE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cargo-sandbox-dev"
    top = cache / f"docker-{suite}"
    if not (top / "bin/runc").exists():
        fresh = top.with_suffix(f".{os.getpid()}")
        try:
            _fetch(suite, fresh)
            _unpack(fresh)
            _put_together(fresh, top)
            shutil.rmtree(top, ignore_errors=True)
            fresh.rename(top)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return top / "bin"


def _fetch(suite: str, top: Path) -> None:
    """By apt with a configuration of its own, so that nothing of the system's changes."""
    apt = top / "apt"
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_mirror()} {suite} main\n")
    settings = {
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt,
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "APT::Sandbox::User": "root",
    }
    (apt / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    env = os.environ | {"APT_CONFIG": str(apt / "apt.conf")}
    for command in (["update"], ["download", *_PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-q", *command], cwd=apt, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NotToBeHad(f"apt-get {command[0]}: {(done.stderr or done.stdout).strip()[-300:]}")


def _mirror() -> str:
    """The Debian mirror that this system's apt uses."""
    if not shutil.which("apt-get") or not os.path.exists(_KEYS):
        raise NotToBeHad("this is no Debian")
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    found = next((uri for uri in listed if uri.rstrip("/").endswith("/debian")), "")
    if not found:
        raise NotToBeHad("apt knows no Debian mirror; apt-get update may be needed")
    return found


def _unpack(top: Path) -> None:
    for package in (top / "apt").glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, top / "root"], check=True)
    shutil.rmtree(top / "apt")


def _put_together(fresh: Path, final: Path) -> None:
    """Links to the programs at the place where they will lie, and a runc with its own loader and libraries."""
    root, bin_dir = fresh / "root", fresh / "bin"
    bin_dir.mkdir()
    for name in ("usr/sbin/dockerd", "usr/bin/containerd", "usr/bin/containerd-shim-runc-v2"):
        (bin_dir / Path(name).name).symlink_to(final / "root" / name)
    shutil.copy2(root / "usr/sbin/runc", bin_dir / "runc")
    [loader] = root.glob("usr/lib/*/ld-linux-*.so.*")
    inside = final / loader.relative_to(fresh)
    command = ["patchelf", "--set-interpreter", inside, "--set-rpath", inside.parent, bin_dir / "runc"]
    subprocess.run(command, check=True)
