"""Keeps what a source file showed, by the digest of its content: another content is another entry, so nothing in the
cache can be out of date. The folder is ours; a broken entry is made anew."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from sandbox.cargo.files import Unreadable, read_bytes
from sandbox.preflight.reader.facts import VERSION, FileFacts

_MAX_BYTES = 16 << 20


class Cache:
    """`folder` None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder / f"reader-{VERSION}" if folder else None

    def facts(self, key: str, make: Callable[[], FileFacts]) -> FileFacts:
        """The facts under a digest, made and kept where they are not there yet."""
        if self._folder is None:
            return make()
        place = self._folder / key[:2] / key[2:]
        with contextlib.suppress(FileNotFoundError, Unreadable):
            known = FileFacts.from_json(read_bytes(place, _MAX_BYTES))
            if known is not None:
                return known
        made = make()
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = place.with_name(f"{place.name}.{os.getpid()}")
            fresh.write_text(made.to_json(), encoding="utf-8")
            fresh.replace(place)
        return made
