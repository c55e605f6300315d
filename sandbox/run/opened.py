"""Folders of the workspace's own sources that the user opens to one package: `--allow-write PACKAGE=FOLDER`.

Some scripts rightly write there: shell completions that are kept in the repository, code that is generated into `src`.
The folder is mounted writable for the whole container; that nobody but the package's units writes there is Landlock's
work, as in the target dir.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from sandbox.errors import UsageError
from sandbox.plan.mounts import outermost
from sandbox.plan.secrets import is_within
from sandbox.run.target import writable


def open_sources(
    allowed: Sequence[tuple[str, str]],
    target: str,
    workspace: str,
    packages: Collection[str],
    owner: tuple[int, int],
    confined: bool,
) -> tuple[str, ...]:
    """The folders to mount writable: those of `allowed` (package, path) that lie outside the target dir `target`.

    `packages` are the folders of the workspace's packages: what holds one holds a manifest and a build script, which
    say what is run. `owner` is the build's user and group; `confined`: whether units are held to their own folders.
    Raises UsageError for an allowance that would do nothing, or too much.
    """
    found = []
    for package, path in allowed:
        if is_within(os.path.realpath(path), target):
            continue
        path = os.path.normpath(path)
        inside = os.path.relpath(path, workspace)
        if not is_within(path, workspace):
            raise _refuse(
                package, path, f"only the target dir {target} and folders of the workspace can be written",
                "name a folder in one of them, or give a --target-dir that holds the folder",
            )  # fmt: skip
        if os.path.realpath(path) != os.path.normpath(os.path.join(os.path.realpath(workspace), inside)):
            raise _refuse(package, path, "it is reached by a link of the project's", "name the real folder")
        if not os.path.isdir(path):
            raise _refuse(package, path, "there is no such folder", "make it first, or name the one that it is made in")
        if inside != "." and any(part.startswith(".") for part in inside.split("/")):
            raise _refuse(package, path, "files in hidden folders are obeyed", "no build needs to write there")
        manifest = os.path.lexists(os.path.join(path, "Cargo.toml"))
        if manifest or any(is_within(held, path) for held in (workspace, target, *packages)):
            raise _refuse(
                package, path, "it holds a package's manifest and build script, or the target dir",
                "name the folder below it that the script writes to",
            )  # fmt: skip
        if package == "*":
            raise _refuse(package, path, "sources can be opened to one package only", "name it")
        if not confined:
            raise _refuse(
                package, path, "in this runtime nothing keeps other packages from writing there",
                "leave out --runtime",
            )  # fmt: skip
        if not os.access(path, os.W_OK | os.X_OK) or not writable(path, owner):
            raise _refuse(
                package, path, "it can't be written by the build's user inside the container",
                "run as the user whose folder it is; root's builds under Docker are another user's",
            )  # fmt: skip
        found.append(path)
    return outermost(tuple(found))


def _refuse(package: str, path: str, why: str, hint: str) -> UsageError:
    return UsageError(f"--allow-write {package}={path}: {why}", hint=hint)
