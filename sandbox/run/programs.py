"""Digests of the programs that a build started: compilers, tools, what a package ships.

They lie in places of this machine that the build sees read-only, so that what is there after the run is what ran. What
compilers and scripts left has digests of its own (`sandbox.run.digests`), and for the programs of an image stands the
image's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from sandbox.plan.model import Mount
from sandbox.plan.secrets import is_within
from sandbox.trace.files import dump, open_dir, open_regular, read_object, write_atomic

MOST_PROGRAMS = 2_000
"""Programs of one run that get a digest."""
MOST_BYTES = 1 << 30
"""Bytes that are read for it in one run; what was read before and has not changed is known."""

_MOST_KNOWN = 4_000
_MOST_LINKS = 8
_PIECE = 1 << 20
_FILE = "programs.json"
_Known = dict[str, list[Any]]


class Programs:
    """For one run with these mounts that began at `since_ns` (wall clock). `cache` is our folder of what is dear to
    find out again."""

    def __init__(self, mounts: Iterable[Mount], cache: str, since_ns: int) -> None:
        # The innermost one is what is seen at a place.
        self._inside = sorted(mounts, key=lambda mount: len(mount.target), reverse=True)
        bound = (mount for mount in self._inside if mount.kind in ("ro", "rw"))
        self._outside = sorted(bound, key=lambda mount: len(mount.source), reverse=True)
        self._cache, self._since_ns = cache, since_ns
        self._left = MOST_BYTES

    def digests(self, paths: Iterable[str]) -> dict[str, str]:
        """SHA-256 in hex by path in the container, without those that can't be told: programs that were not in a
        read-only place of this machine, that changed since the run began, or that are too many."""
        before = self._load()
        known: _Known = {}
        found = {}
        places = ((path, place) for path in sorted(set(paths)) if (place := self._place(path)))
        # Counted behind the places, or a build could run so many of its own files that others get none.
        for path, place in islice(places, MOST_PROGRAMS):
            entry = self._look(place, before)
            if entry is not None:
                known[place] = entry
                found[path] = str(entry[-1])
        if any(before.get(place) != entry for place, entry in known.items()):
            self._keep(before | known)
        return found

    def _place(self, path: str) -> str:
        """Where a path of the container lies on this machine; empty if it is no place that the build sees read-only."""
        mount, rest = None, ""
        for _ in range(_MOST_LINKS):
            mount = next((one for one in self._inside if is_within(path, one.target)), None)
            if mount is None or not path.startswith("/") or "\0" in path:
                return ""
            rest = path[len(mount.target) :].strip("/")
            if mount.kind != "symlink":
                break
            path = os.path.normpath(os.path.join(os.path.dirname(mount.target), mount.source, rest))
        if mount is None or mount.kind != "ro":
            return ""
        real = os.path.realpath(os.path.join(mount.source, rest) if rest else mount.source)
        # A link among the sources may lead anywhere.
        shown = next((one for one in self._outside if is_within(real, one.source)), None)
        return real if shown is not None and shown.kind == "ro" else ""

    def _look(self, place: str, before: Mapping[str, list[Any]]) -> list[Any] | None:
        folder, name = os.path.split(place)
        try:
            at = open_dir(folder)
            try:
                fd = open_regular(name, at)
            finally:
                os.close(at)
        except OSError:
            return None
        try:
            stamp = _stamp(fd)
            # A change time can't be set, so a file that was put there meanwhile tells of itself.
            if stamp[-1] >= self._since_ns:
                return None
            known = before.get(place)
            if isinstance(known, list) and known[:-1] == stamp and isinstance(known[-1], str):
                return known
            if stamp[2] > self._left:
                return None
            self._left -= stamp[2]
            digest = hashlib.sha256()
            while piece := os.read(fd, _PIECE):
                digest.update(piece)
            return [*stamp, digest.hexdigest()] if _stamp(fd) == stamp else None
        except OSError:
            return None
        finally:
            os.close(fd)

    def _load(self) -> _Known:
        try:
            at = open_dir(self._cache)
        except OSError:
            return {}
        try:
            return read_object(_FILE, at) or {}
        finally:
            os.close(at)

    def _keep(self, known: _Known) -> None:
        """A cache that can't be written only costs time."""
        with contextlib.suppress(OSError):
            at = open_dir(self._cache)
            try:
                write_atomic(_FILE, dump(dict(list(known.items())[-_MOST_KNOWN:])), at)
            finally:
                os.close(at)


def _stamp(fd: int) -> list[int]:
    status = os.fstat(fd)
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
