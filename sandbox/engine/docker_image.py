"""Images. `host`: an empty root with mount points and links, over which a plan puts this machine's own directories.

Made here and imported through the API, so that no registry is needed. Its name is the hash of its content. Any other is
the user's, or `builder`, which `sandbox.builder` makes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import tarfile
from typing import TYPE_CHECKING

from sandbox import resources
from sandbox.engine.docker_config import effective, holder
from sandbox.errors import ImageError, SetupError
from sandbox.plan.model import Plan
from sandbox.record import record

if TYPE_CHECKING:
    from docker.api.client import APIClient

REPOSITORY = "cargo-sandbox-host"
MOST_KEPT = 40
"""Images of the kind `host` that stay in a daemon; each is a few kilobytes."""
BUILDER_WORD = "builder"
"""What `--image` calls our own pinned image."""

BUILDER = "cargo-sandbox-builder"
KIND_LABEL = "cargo-sandbox.image"
MANIFEST_LABEL = "cargo-sandbox.manifest"


@record
class Image:
    """An image that the daemon has. `manifest` is the digest of its list of packages, empty where it has none."""

    digest: str
    manifest: str = ""


def skeleton(plan: Plan) -> bytes:
    """The image of a plan as a tar archive; equal bytes for equal content.

    runc before 1.2 ignores the mode that is asked for a tmpfs where the mount point is there already, so mount points
    have the plan's modes here.
    """
    folders = {"/dev": 0o755, "/etc": 0o755, "/proc": 0o755, "/sys": 0o755}
    links: dict[str, str] = {}
    mounts = effective(plan)
    for mount in mounts:
        if holder(mount.target, mounts) is not None:
            continue
        if mount.kind == "symlink":
            links[mount.target] = mount.source
        elif mount.kind in ("tmpfs", "dir"):
            folders[mount.target] = mount.mode
    for path in [*folders, *links]:
        while path := path.rpartition("/")[0]:
            folders.setdefault(path, 0o755)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted({*folders, *links}):
            entry = tarfile.TarInfo(path[1:])
            if path in links:
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, links[path], 0o777
            else:
                entry.type, entry.mode = tarfile.DIRTYPE, folders[path]
            archive.addfile(entry)
    return out.getvalue()


def name(archive: bytes) -> str:
    """What the image of these bytes is called: repository and hash."""
    return f"{REPOSITORY}:{hashlib.sha256(archive).hexdigest()[:32]}"


def find(api: APIClient, reference: str) -> Image:
    """An image of the user's, or `builder`. Raises SetupError, ImageError for one that isn't there or can't be used."""
    from docker.errors import APIError

    ours = reference == BUILDER_WORD
    named = f"{BUILDER}:latest" if ours else reference
    try:
        found = api.inspect_image(named)  # type: ignore[no-untyped-call]
    except APIError as error:
        raise ImageError(
            "the builder image has not been made yet" if ours else f"the Docker daemon has no image {named!r}",
            why=str(error.explanation or error)[:300],
            fix=f"make it: {_how()}" if ours else "pull or build it first; cargo-sandbox never does",
        ) from error
    config = found.get("Config") or {}
    labels = config.get("Labels") or {}
    if ours and labels.get(KIND_LABEL) != BUILDER_WORD:
        raise ImageError(
            f"the image {named} is not one that cargo-sandbox has made",
            why=f"its label {KIND_LABEL} is missing: somebody else has given it that name",
            fix=f"remove that name (docker rmi {named}) and make the image: {_how()}",
        )
    volumes = config.get("Volumes") or {}
    if volumes:
        raise SetupError(
            f"the image {named!r} declares volumes: {', '.join(sorted(volumes))}",
            wall="host files",
            why="the daemon would make a writable directory without any limit for each",
            fix="use an image without VOLUME",
        )
    return Image(str(found["Id"]), str(labels.get(MANIFEST_LABEL, "")) if ours else "")


def _how() -> str:
    """The command that makes the builder image: a checkout's script also installs what it needs."""
    return "scripts/build-image" if resources.is_checkout() else f"{sys.executable} -m sandbox.builder"


def make(api: APIClient, archive: bytes) -> None:
    """Import the image, and remove all of its kind but the newest `MOST_KEPT`: each place that is built at has one of
    its own, and one that is missed is made again. Raises the SDK's errors."""
    from docker.errors import APIError

    repository, _, tag = name(archive).partition(":")
    api.import_image_from_data(archive, repository=repository, tag=tag, changes=[f"LABEL {KIND_LABEL}=host"])
    made = sorted(api.images(name=repository), key=lambda image: int(image["Created"]), reverse=True)
    for image in made[MOST_KEPT:]:
        # One that a container uses stays.
        with contextlib.suppress(APIError):
            api.remove_image(image["Id"])
