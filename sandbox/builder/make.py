"""From a list of packages and a toolchain to an image in the daemon."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.builder import load
from sandbox.builder.debian import Apt, new_system
from sandbox.builder.layer import Extra, Layer, copy_tree, installed
from sandbox.builder.recipe import MANIFEST, Recipe
from sandbox.builder.toolchain import DEBIAN, Toolchain
from sandbox.errors import ImageError

if TYPE_CHECKING:
    from docker.api.client import APIClient


@dataclass(frozen=True)
class Wanted:
    """`names` are the packages asked for, `toolchain` is None where the distribution's own is to be used, `again` asks
    for a new image though there is one."""

    name: str
    names: tuple[str, ...]
    toolchain: Toolchain | None
    again: bool = False


@dataclass(frozen=True)
class Made:
    """The image: what the daemon says of it (`GET /images/NAME/json`), whether it is the one that was there already,
    and the digest that one has which it took the place of, if there was one."""

    recipe: Recipe
    image: Mapping[str, Any]
    cached: bool
    before: str = ""


def make(api: APIClient, wanted: Wanted, folder: Path, env: Mapping[str, str]) -> Made:
    """Make the image unless it is there. `folder` keeps downloads for the next time; one at a time works in it.

    Raises ImageError, the SDK's errors, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        apt = Apt(folder, env, platform.freedesktop_os_release())
        names = wanted.names if wanted.toolchain else (*wanted.names, *DEBIAN)
        packages = _choose(apt, names)
        recipe = _recipe(apt, packages, wanted.toolchain)
        found = load.find(api, wanted.name, recipe)
        if (found is None or wanted.again) and _update(apt):
            packages = apt.choose(names)
            recipe = _recipe(apt, packages, wanted.toolchain)
            found = load.find(api, wanted.name, recipe)
        if found is not None and not wanted.again:
            return Made(recipe, found, cached=True)
        _say(f"fetching {len(packages)} packages")
        source = apt.download(names, packages)
        with tempfile.TemporaryDirectory(prefix="making-", dir=folder, ignore_cleanup_errors=True) as scratch:
            layer = Path(scratch, "layer.tar")
            digest = _write(layer, source, names, apt.arch, recipe, wanted.toolchain)
            _say(f"loading the image ({layer.stat().st_size >> 20} MiB)")
            image = load.load(api, wanted.name, recipe, layer, digest)
        return Made(recipe, image, cached=False, before=str(found["Id"]) if found else "")


def _choose(apt: Apt, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    try:
        return apt.choose(names)
    except ImageError:
        # A fresh machine, or a small one, has no lists.
        apt.update()
        return apt.choose(names)


def _update(apt: Apt) -> bool:
    try:
        apt.update()
    except ImageError as error:
        _say(f"apt's lists stay as they are: {error.message}; {error.why}")
        return False
    return True


def _recipe(apt: Apt, packages: tuple[tuple[str, str], ...], toolchain: Toolchain | None) -> Recipe:
    return Recipe(
        packages,
        apt.arch,
        toolchain.version if toolchain else "",
        toolchain.digest if toolchain else "",
        _maker(),
    )


def _maker() -> str:
    """The hash of our own code: what it leaves out or writes is part of the image."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def _write(
    layer: Path, source: str, names: tuple[str, ...], arch: str, recipe: Recipe, toolchain: Toolchain | None
) -> str:
    """The layer's file. Returns its digest. Raises ImageError when other packages are in it than in the recipe."""
    _say("unpacking the packages and setting them up")
    with layer.open("wb") as out:
        writer = Layer(out)
        with new_system(source, names, arch, layer.parent) as tree:
            status = copy_tree(tree, writer)
        differing = set(installed(status)) ^ set(recipe.packages)
        if differing:
            words = ", ".join(sorted({name for name, _ in differing}))
            raise ImageError("other packages were installed than apt had chosen", why=words[:500])
        writer.add_extra(Extra(MANIFEST.lstrip("/").rpartition("/")[0], 0o755))
        writer.add_extra(Extra(MANIFEST.lstrip("/"), 0o644, data=recipe.manifest()))
        for extra in toolchain.files if toolchain else ():
            writer.add_extra(extra)
        return writer.close()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)
