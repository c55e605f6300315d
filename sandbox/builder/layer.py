"""The image's one layer: a tar stream of a fresh Debian in, the same without what is this machine's or this day's out.

Only names, contents, links and the right to execute are kept. Owners, dates and extended attributes (capabilities of
files, access lists) are not: everything is root's and for everybody to read, so they mean nothing here.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from sandbox.builder.recipe import EPOCH
from sandbox.errors import ImageError

STATUS = "var/lib/dpkg/status"
_PIECE = 1 << 20

# Folders that stay, without anything in them, and why.
_EMPTIED = (
    "boot", "dev", "home", "media", "mnt", "proc", "root", "run", "srv", "sys", "tmp", "var/tmp",  # the container's own
    "var/cache", "var/log", "var/lib/dbus", "var/lib/systemd", "var/lib/ucf",  # caches, logs, ids and dates
    "var/lib/apt", "var/lib/private", "etc/apt", "etc/ssl/private",  # where apt was asked, with which secrets; keys
    "usr/share/info", "usr/share/locale", "usr/share/man", "usr/share/lintian", "usr/share/help",  # nobody reads them
)  # fmt: skip
# Single files of this machine or this day, and secrets of accounts that nobody can use here. Licences stay.
_DROPPED = re.compile(
    r"""(?x)
    etc/(hostname|resolv\.conf|machine-id|mtab|\.pwd\.lock|g?shadow-?|passwd-|group-|sub[ug]id-?)
    | var/lib/dpkg/(?!status$).+
    | (.*/)?__pycache__(/.*)?
    | usr/share/doc/[^/]+/(?!copyright$).+
    """
)


@dataclass(frozen=True)
class Extra:
    """Something that is added: a file (`data` is its content, or the path of a file of `size` bytes), a link (`link`),
    else a folder."""

    name: str
    mode: int
    link: str = ""
    size: int = 0
    data: str | bytes | None = None


class Layer:
    """Writes a tar archive in which everything is root's and has the same date."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self._names: set[str] = set()

    def add(self, entry: tarfile.TarInfo, data: IO[bytes] | None) -> None:
        """Add an entry, a file with its content. Raises ImageError for what no image may hold: devices, pipes, a second
        name of something that was left out."""
        fresh = tarfile.TarInfo(entry.name)
        fresh.type, fresh.mode, fresh.mtime = entry.type, _mode(entry), EPOCH
        if entry.issym():
            fresh.linkname = entry.linkname
        elif entry.islnk():
            fresh.linkname = plain_name(entry.linkname)
            if fresh.linkname not in self._names:
                raise ImageError(f"{entry.name} is another name of {fresh.linkname}, which the image leaves out")
        elif entry.isreg():
            fresh.size = entry.size
        elif not entry.isdir():
            raise ImageError(f"{entry.name} is neither a file, a folder nor a link")
        self._names.add(fresh.name)
        self._write(fresh.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        if data is not None:
            self._copy(data, fresh)

    def add_extra(self, extra: Extra) -> None:
        """Add a file, link or folder of our own. Raises OSError, ImageError."""
        entry = tarfile.TarInfo(extra.name)
        entry.mode = extra.mode
        if extra.link:
            entry.type, entry.linkname = tarfile.SYMTYPE, extra.link
            self.add(entry, None)
        elif extra.data is None:
            entry.type = tarfile.DIRTYPE
            self.add(entry, None)
        elif isinstance(extra.data, bytes):
            entry.size = len(extra.data)
            self.add(entry, io.BytesIO(extra.data))
        else:
            entry.size = extra.size
            with open(extra.data, "rb") as data:
                self.add(entry, data)

    def close(self) -> str:
        """End the archive. Returns the digest of all its bytes, `sha256:…`."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        return f"sha256:{self._hash.hexdigest()}"

    def _copy(self, data: IO[bytes], entry: tarfile.TarInfo) -> None:
        left = entry.size
        while left and (piece := data.read(min(left, _PIECE))):
            self._write(piece)
            left -= len(piece)
        if left or data.read(1):
            raise ImageError(f"{entry.name} changed while it was read")
        self._write(bytes(-entry.size % tarfile.BLOCKSIZE))

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._out.write(data)


def copy_tree(source: IO[bytes], layer: Layer) -> bytes:
    """Copy what an image may hold from a tar stream. Returns the list of installed packages (dpkg's status file).

    Raises ImageError, also for a stream that ends too early.
    """
    status = b""
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=_PIECE, errors="surrogateescape") as tree:
            for entry in tree:
                entry.name = plain_name(entry.name)
                if not entry.name or not kept(entry.name):
                    continue
                data = tree.extractfile(entry) if entry.isreg() else None
                if entry.name == STATUS and data is not None:
                    status = data.read()
                    data = io.BytesIO(status)
                layer.add(entry, data)
    except tarfile.TarError as error:
        raise ImageError("the new system can't be read", why=str(error)) from error
    return status


def installed(status: bytes) -> Iterator[tuple[str, str]]:
    """Name and version of each package that dpkg's status file calls installed (dpkg-query(1), deb-control(5))."""
    for paragraph in status.decode("utf-8", "replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status") == "install ok installed":
            yield fields["Package"], fields["Version"]


def kept(name: str) -> bool:
    """Whether a path (without a slash in front) belongs in the image."""
    return not (_DROPPED.fullmatch(name) or any(name.startswith(f"{top}/") for top in _EMPTIED))


def plain_name(name: str) -> str:
    """A path of an archive without `./` in front and a slash at the end; empty for the root itself."""
    return "" if name == "." else name.removeprefix("./").strip("/")


def _mode(entry: tarfile.TarInfo) -> int:
    """Everybody may read, only root write, except in a folder like /tmp; no set-id bits. A build is any user's."""
    if entry.issym():
        return 0o777
    if entry.isdir():
        return 0o1777 if entry.mode & stat.S_ISVTX and entry.mode & stat.S_IWOTH else 0o755
    return 0o755 if entry.mode & stat.S_IXUSR else 0o644
