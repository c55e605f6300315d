"""The image into the daemon, by its own format for saved images, so that the digest is that of our own bytes.

`docker import` would put the hour into it. Format: moby, image/spec/spec.md (v1.2), "Combined Image JSON + Filesystem
Changeset Format".
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.builder.recipe import RECIPE_LABEL, Recipe, tags
from sandbox.errors import ImageError

if TYPE_CHECKING:
    from docker.api.client import APIClient

_PIECE = 1 << 20
_TIMEOUT_S = 900


def find(api: APIClient, name: str, recipe: Recipe) -> dict[str, Any] | None:
    """What the daemon knows of the image of this recipe, if it has it; then it becomes the newest again."""
    from docker.errors import NotFound

    named, newest = tags(name, recipe.key())
    try:
        found: dict[str, Any] = api.inspect_image(named)  # type: ignore[no-untyped-call]
    except NotFound:
        return None
    if ((found.get("Config") or {}).get("Labels") or {}).get(RECIPE_LABEL) != recipe.key():
        return None
    repository, _, tag = newest.rpartition(":")
    api.tag(found["Id"], repository, tag)
    return found


def load(api: APIClient, name: str, recipe: Recipe, layer: Path, layer_digest: str) -> dict[str, Any]:
    """Give the daemon the image. Returns what it then knows of it. Raises ImageError, the SDK's errors."""
    api.timeout = _TIMEOUT_S
    words = tags(name, recipe.key())
    for said in api.load_image(archive(words, recipe.config(layer_digest), layer)):  # type: ignore[no-untyped-call]
        if "error" in said:
            raise ImageError("the Docker daemon did not take the image", why=str(said["error"])[:500])
    found: dict[str, Any] = api.inspect_image(words[0])  # type: ignore[no-untyped-call]
    return found


def archive(words: tuple[str, ...], config: bytes, layer: Path) -> Iterator[bytes]:
    """A saved image with one layer, piece by piece."""
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": words, "Layers": ["layer.tar"]}]).encode()
    for path, content in ((name, config), ("manifest.json", manifest)):
        yield _header(path, len(content)) + content + _padding(len(content))
    size = layer.stat().st_size
    yield _header("layer.tar", size)
    with layer.open("rb") as data:
        while piece := data.read(_PIECE):
            yield piece
    yield _padding(size) + bytes(2 * tarfile.BLOCKSIZE)


def _header(path: str, size: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size = size
    return entry.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
