"""Finds the `.env*` files of a workspace, which a build must not read unless the user names them."""

from __future__ import annotations

import os

from sandbox.errors import SetupError
from sandbox.plan.secrets import is_within

_SKIP = frozenset({".git", "node_modules", ".hg", ".svn"})
_MAX_DIRECTORIES = 200_000


def find(roots: tuple[str, ...], skip: tuple[str, ...]) -> tuple[str, ...]:
    """Regular files named `.env` or `.env*` below `roots`, leaving out the trees in `skip`; of a link of that name the
    file it leads to, if that lies below a root. Links to folders are not followed.

    Raises SetupError when a root has more directories than can be looked through: an unseen file could not be masked.
    """
    found: list[str] = []
    for root in roots:
        pending, seen = [root], 0
        while pending:
            top = pending.pop()
            seen += 1
            if seen > _MAX_DIRECTORIES:
                raise SetupError(
                    f"{root} has more than {_MAX_DIRECTORIES} directories",
                    wall="secrets",
                    why="its .env files can't all be found and masked",
                    fix="build from a smaller tree, or move generated files out of it",
                )
            try:
                entries = list(os.scandir(top))
            except OSError:
                continue
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if name not in _SKIP and entry.path not in skip:
                        pending.append(entry.path)
                elif name.startswith(".env") and entry.is_file(follow_symlinks=False):
                    found.append(entry.path)
                elif name.startswith(".env") and entry.is_symlink() and entry.is_file():
                    real = os.path.realpath(entry.path)
                    if any(is_within(real, os.path.realpath(top)) for top in roots):
                        found.append(real)
    return tuple(sorted(set(found)))
