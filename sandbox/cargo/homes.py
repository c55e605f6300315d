"""Where cargo and rustup keep their things. Source: the `home` crate, which both of them use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def user_home(env: Mapping[str, str]) -> Path:
    """`$HOME`, or the home of the user database when it is unset or empty."""
    if home := env.get("HOME"):
        return Path(home)
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def cargo_home(env: Mapping[str, str], cwd: Path) -> Path:
    """`$CARGO_HOME` (relative to `cwd`), or `~/.cargo`. It need not exist."""
    return _home(env, cwd, "CARGO_HOME", ".cargo")


def rustup_home(env: Mapping[str, str], cwd: Path) -> Path:
    """`$RUSTUP_HOME` (relative to `cwd`), or `~/.rustup`. It need not exist."""
    return _home(env, cwd, "RUSTUP_HOME", ".rustup")


def _home(env: Mapping[str, str], cwd: Path, variable: str, folder: str) -> Path:
    if value := env.get(variable):
        return Path(os.path.normpath(cwd / value))
    return user_home(env) / folder
