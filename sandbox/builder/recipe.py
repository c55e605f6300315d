"""What the builder image is made of, and what it is called. Pure.

The name is a hash of everything that has a part in the image's bytes, so an image that is there need not be made again.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from sandbox.engine.docker_image import KIND_LABEL, MANIFEST_LABEL
from sandbox.errors import ImageError
from sandbox.plan.facts import BUILDER

EPOCH = 1767225600
"""Every file's time, in seconds since 1970: 2026-01-01. A date of the build would make each image another one."""

ROOT = "/opt/rust"
"""Where the toolchain lies inside."""

PATH = f"{ROOT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MANIFEST = "/usr/share/cargo-sandbox/manifest.txt"
RECIPE_LABEL = "cargo-sandbox.recipe"
TOOLCHAIN_LABEL = "cargo-sandbox.toolchain"

_CREATED = "2026-01-01T00:00:00Z"
# Debian policy 5.6.1. A `-` at the end would ask apt to remove the package.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]")
_OCI_NAMES = {"amd64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True)
class Group:
    """Packages that are wanted for one `reason`."""

    reason: str
    names: tuple[str, ...]


def parse(text: str) -> tuple[Group, ...]:
    """The groups of a package list (its format: images/builder/packages.txt).

    Raises ImageError for packages without a reason, a word that is no package's name, and a name that stands twice.
    """
    groups: list[Group] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        words = [word for line in lines if not line.startswith("#") for word in line.split()]
        if not words:
            continue
        if not lines[0].startswith("#"):
            raise _bad(f"{words[0]} and what follows it have no reason")
        reason = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
        for word in words:
            if not _NAME.fullmatch(word):
                raise _bad(f"{word!r} is not the name of a package")
        groups.append(Group(reason, tuple(words)))
    names = [name for group in groups for name in group.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _bad(f"{', '.join(twice)}: listed twice")
    return tuple(groups)


def _bad(why: str) -> ImageError:
    return ImageError("the list of packages can't be used", why=why, fix="see images/builder/packages.txt")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the image's bytes.

    `packages` are all Debian packages, dependencies included, as name and version; `arch` is Debian's name of the
    architecture. `toolchain` is the line that `rustc --version` prints and `toolchain_digest` the hash of the files
    that are copied; both are empty where Debian's own toolchain is among the packages. `maker` is the hash of the code.
    """

    packages: tuple[tuple[str, str], ...]
    arch: str
    toolchain: str
    toolchain_digest: str
    maker: str

    def key(self) -> str:
        """The image's tag: 32 hexadecimal digits."""
        parts = [self.packages, self.arch, self.toolchain, self.toolchain_digest, self.maker, EPOCH]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def manifest(self) -> bytes:
        """The list that lies in the image: `NAME=VERSION` for each package, then the toolchain."""
        lines = [f"{name}={version}" for name, version in sorted(self.packages)]
        if self.toolchain:
            lines.append(f"toolchain={self.toolchain} {self.toolchain_digest}")
        return "".join(f"{line}\n" for line in lines).encode()

    def labels(self) -> dict[str, str]:
        """What tells the image from others, and its contents from another builder's."""
        found = {
            KIND_LABEL: "builder",
            MANIFEST_LABEL: f"sha256:{hashlib.sha256(self.manifest()).hexdigest()}",
            RECIPE_LABEL: self.key(),
        }
        return found | ({TOOLCHAIN_LABEL: self.toolchain} if self.toolchain else {})

    def config(self, layer_digest: str) -> bytes:
        """The image's configuration; its hash is the image's digest (OCI image specification, config.md)."""
        if self.arch not in _OCI_NAMES:
            raise ImageError(f"cargo-sandbox does not run on {self.arch}", fix="use x86-64 or aarch64")
        config: dict[str, Any] = {
            "architecture": _OCI_NAMES[self.arch],
            "os": "linux",
            "created": _CREATED,
            "config": {
                "Env": [f"PATH={PATH}", "LANG=C.UTF-8"],
                "Cmd": ["/bin/sh"],
                "User": f"{BUILDER}:{BUILDER}",
                "WorkingDir": "/",
                "Labels": self.labels(),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
            "history": [{"created": _CREATED, "created_by": "cargo-sandbox: scripts/build-image"}],
        }
        return json.dumps(config, sort_keys=True).encode()


def tags(name: str, key: str) -> tuple[str, str]:
    """What an image is called in the daemon: by its recipe, and as the newest."""
    return f"{name}:{key}", f"{name}:latest"
