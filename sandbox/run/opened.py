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
from sandbox.policy.files import BASELINES
from sandbox.record import record
from sandbox.run.target import writable


@record
class Sources:
    """What bears on a folder of the sources: the workspace's root, the target dir, and `packages`, as (folder, whether
    it is a path's). What holds one holds a manifest and a build script, which say what is run. `own` are folders of
    ours and of cargo: records, settings, the cargo home."""

    workspace: str
    target: str
    packages: Collection[tuple[str, bool]]
    own: tuple[str, ...]


def open_sources(
    allowed: Sequence[tuple[str, str]], sources: Sources, owner: tuple[int, int], confined: bool
) -> tuple[str, ...]:
    """The folders to mount writable: those of `allowed` (package, path) that lie outside the target dir.

    `owner` is the build's user and group; `confined`: whether units are held to their own folders. Raises UsageError
    for an allowance that would do nothing, or too much.
    """
    found = []
    for package, path in allowed:
        if is_within(os.path.realpath(path), sources.target):
            continue
        path = os.path.normpath(path)
        reason = _reason(path, sources)
        if not reason and package == "*":
            reason = "sources can be opened to one package only", "name it"
        if not reason and not confined:
            reason = "in this runtime nothing keeps other packages from writing there", "leave out --runtime"
        if not reason and not (os.access(path, os.W_OK | os.X_OK) and writable(path, owner)):
            reason = (
                "it can't be written by the build's user inside the container",
                "run as the user whose folder it is; root's builds under Docker are another user's",
            )
        if reason:
            raise UsageError(f"--allow-write {package}={path}: {reason[0]}", hint=reason[1])
        found.append(path)
    return outermost(tuple(found))


def _reason(path: str, sources: Sources) -> tuple[str, str] | None:
    """Why the folder is opened to nobody, and what to do; None if it may be."""
    workspace, target = sources.workspace, sources.target
    if not is_within(path, workspace):
        return (
            f"only the target dir {target} and folders of the workspace can be written",
            "name a folder in one of them, or give a --target-dir that holds the folder",
        )
    inside = os.path.relpath(path, workspace)
    if os.path.realpath(path) != os.path.normpath(os.path.join(os.path.realpath(workspace), inside)):
        return "it is reached by a link of the project's", "name the real folder"
    if not os.path.isdir(path):
        return "there is no such folder", "make it first, or name the one that it is made in"
    parts = inside.split("/")
    if inside != "." and (BASELINES in parts or any(part.startswith(".") for part in parts)):
        return "files there are obeyed, as in all hidden folders", "no build needs to write there"
    if os.path.lexists(os.path.join(path, "Cargo.toml")) or any(
        is_within(held, path) for held in (workspace, target, *(folder for folder, _ in sources.packages))
    ):
        return (
            "it holds a package's manifest and build script, or the target dir",
            "name the folder below it that the script writes to",
        )
    if any(is_within(path, folder) for folder, of_a_path in sources.packages if not of_a_path):
        return "it is part of a package that is not the project's own", "no build needs to write there"
    if any(is_within(path, folder) or is_within(folder, path) for folder in map(os.path.realpath, sources.own)):
        return "it is cargo's, or cargo-sandbox's own", "no build needs to write there"
    return None
