"""Where the tree's and the user's baselines lie, and whether there are any: every build asks, so little is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sandbox.errors import BaselineError

TREE_FOLDER = "cargo-sandbox.baseline"
SUFFIX = ".toml"
PLAIN_FOLDER = "a store must be a plain folder, not a link to one"


def tree_folder(workspace: str | Path) -> Path:
    """The store of a project, in its workspace's root."""
    return Path(workspace) / TREE_FOLDER


def user_folder(env: Mapping[str, str]) -> Path | None:
    """The user's store: `$XDG_DATA_HOME/cargo-sandbox/baseline`, by default in `~/.local/share`; None without a home.

    Relative paths are ignored, as the XDG Base Directory Specification asks.
    """
    base, home = env.get("XDG_DATA_HOME", ""), env.get("HOME", "")
    if not base.startswith("/"):
        if not home.startswith("/"):
            return None
        base = f"{home}/.local/share"
    return Path(base) / "cargo-sandbox" / "baseline"


def own_folders(workspace: str | Path | None, env: Mapping[str, str]) -> tuple[Path, ...]:
    """The tree's store and the user's; without `workspace` the tree has no say."""
    folders = (tree_folder(workspace) if workspace is not None else None, user_folder(env))
    return tuple(folder for folder in folders if folder is not None)


def has_own(workspace: str | Path | None, env: Mapping[str, str]) -> bool:
    """Whether the tree's or the user's store holds anything; without `workspace` the tree has no say. Raises
    BaselineError for a store that is no plain folder."""
    return any(map(exists, own_folders(workspace, env)))


def may_have_own(workspace: str | Path | None, env: Mapping[str, str]) -> bool:
    """`has_own`, where a store that is no plain folder counts as one that holds something: its reader says why."""
    try:
        return has_own(workspace, env)
    except BaselineError:
        return True


def exists(folder: Path) -> bool:
    """Whether a store holds anything at all. Raises BaselineError for what is no plain folder."""
    return bool(file_names(folder))


def file_names(folder: Path) -> list[str]:
    """The names of a store's files, in order. Raises BaselineError for what is no plain folder."""
    if not is_folder(folder):
        return []
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX) and not name.startswith("."))
    except OSError as error:
        raise BaselineError(f"{folder} can't be listed: {error.strerror}", hint=PLAIN_FOLDER) from error


def is_folder(folder: Path) -> bool:
    """Whether a store is there. Raises BaselineError for what is no plain folder."""
    if os.path.islink(folder):
        raise BaselineError(f"{folder} is a link", hint=PLAIN_FOLDER)
    if os.path.lexists(folder) and not folder.is_dir():
        raise BaselineError(f"{folder} is no folder", hint=PLAIN_FOLDER)
    return folder.is_dir()
