"""Digests of what a build script left and what is then executed or linked, for its record.

The guard makes none of a script's outputs: there may be thousands, of which few are ever used. Here the used ones are
read as soon as their script has ended, and only if they still are what the guard saw then.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.behaviour.directives import links_of
from sandbox.behaviour.normalise import stored_text
from sandbox.trace.builddir import open_build_dir
from sandbox.trace.files import open_dir, open_regular

MOST_BYTES = 256 << 20
"""Bytes of all files of a run that are read for this."""

_PIECE = 1 << 20
_SEAL = (("ino", "st_ino"), ("size", "st_size"), ("mtime_ns", "st_mtime_ns"), ("ctime_ns", "st_ctime_ns"))


class Digests:
    """For one run, whose intermediates lie in `build_dir`."""

    def __init__(self, build_dir: str) -> None:
        self._build_dir = build_dir.rstrip("/")
        self._left = MOST_BYTES

    def added(self, end: Mapping[str, Any], executed: Callable[[str], bool]) -> dict[str, Any]:
        """A script's end record with the digests of the outputs that were executed so far or that its directives make
        rustc link. What can't be read, is another file by now, or comes after MOST_BYTES stays without."""
        outputs, lines = end.get("outputs"), end.get("directives")
        if not isinstance(outputs, list):
            return dict(end)
        links = links_of(stored_text(line) for line in lines) if isinstance(lines, list) else links_of(())
        made = []
        for one in outputs:
            if isinstance(one, dict) and not one.get("sha256"):
                path = stored_text(one.get("path"))
                if links.takes(path) or executed(path):
                    one = one | {"sha256": self._digest(path, one)}
            made.append(one)
        return dict(end) | {"outputs": made}

    def _digest(self, path: str, output: Mapping[str, Any]) -> str | None:
        parts = path[len(self._build_dir) + 1 :].split("/")
        if not path.startswith(self._build_dir + "/") or {"", ".", ".."}.intersection(parts):
            return None
        try:
            fd = self._opened(parts)
        except OSError:
            return None
        try:
            if not _is(fd, output) or os.fstat(fd).st_size > self._left:
                return None
            self._left -= os.fstat(fd).st_size
            digest = hashlib.sha256()
            while piece := os.read(fd, _PIECE):
                digest.update(piece)
            return digest.hexdigest() if _is(fd, output) else None
        except OSError:
            return None
        finally:
            os.close(fd)

    def _opened(self, parts: list[str]) -> int:
        """Down from the build dir by descriptors: no link is followed. Raises OSError."""
        at = open_build_dir(self._build_dir)
        try:
            for part in parts[:-1]:
                deeper = open_dir(part, at)
                os.close(at)
                at = deeper
            return open_regular(parts[-1], at)
        finally:
            os.close(at)


def _is(fd: int, output: Mapping[str, Any]) -> bool:
    """Whether a file is the one that the guard saw, unchanged: a change time moves with every write."""
    status = os.fstat(fd)
    return all(getattr(status, field) == output.get(name) for name, field in _SEAL)
