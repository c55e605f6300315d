"""Where files of policy may be, and which are there. A build without any pays one look for each and nothing more."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sandbox.record import record

NAME = "cargo-sandbox.toml"
BASELINES = "cargo-sandbox.baseline"
"""The folder in the workspace root that holds what was accepted."""
SYSTEM = "/etc/cargo-sandbox/config.toml"


@record
class Found:
    """A file that is there: `kind` is `tree`, `user` or `system`, the nearer one first in any list of these."""

    kind: str
    path: str


def present(root: str, env: Mapping[str, str], system: str = SYSTEM) -> tuple[Found, ...]:
    """The files of policy for the workspace at `root` (empty: none), strongest first.

    What can't be looked at counts as there, so that reading it says why instead of building without it.
    """
    candidates = [Found("user", user_file(env)), Found("system", system)]
    if root:
        candidates.insert(0, Found("tree", os.path.join(root, NAME)))
    return tuple(found for found in candidates if found.path and _is_there(found.path))


def graph_file(root: str) -> str:
    """The accepted graph of the workspace at `root`; empty when there is none."""
    path = os.path.join(root, BASELINES, "graph.lock")
    return path if _is_there(path) else ""


def user_file(env: Mapping[str, str]) -> str:
    """The user's file by the XDG base directory rules (absolute paths only); empty without a home."""
    base = env.get("XDG_CONFIG_HOME", "")
    if not base.startswith("/"):
        home = env.get("HOME", "")
        if not home.startswith("/"):
            return ""
        base = os.path.join(home, ".config")
    return os.path.join(base, "cargo-sandbox", "config.toml")


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True
