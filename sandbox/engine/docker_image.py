"""Images. `host`: an empty root with mount points and links, over which a plan puts this machine's own directories.

Made here and imported through the API, so that no registry is needed. Its name is the hash of its content.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

from sandbox.engine.docker_config import effective, holder
from sandbox.errors import SetupError
from sandbox.plan.model import Plan

if TYPE_CHECKING:
    from docker.api.client import APIClient

REPOSITORY = "cargo-sandbox-host"


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


def digest(api: APIClient, reference: str) -> str:
    """The digest of an image of the user's that the daemon has. Raises SetupError for one that can't be used."""
    from docker.errors import APIError

    try:
        found = api.inspect_image(reference)  # type: ignore[no-untyped-call]
    except APIError as error:
        raise SetupError(
            f"the Docker daemon has no image {reference!r}",
            wall="container",
            why=str(error.explanation or error)[:300],
            fix="pull or build it first; cargo-sandbox never does",
        ) from error
    volumes = (found.get("Config") or {}).get("Volumes") or {}
    if volumes:
        raise SetupError(
            f"the image {reference!r} declares volumes: {', '.join(sorted(volumes))}",
            wall="host files",
            why="the daemon would make a writable directory without any limit for each",
            fix="use an image without VOLUME",
        )
    return str(found["Id"])


def make(api: APIClient, archive: bytes) -> None:
    """Import the image. Raises the SDK's errors."""
    repository, _, tag = name(archive).partition(":")
    api.import_image_from_data(archive, repository=repository, tag=tag, changes=["LABEL cargo-sandbox.image=host"])
