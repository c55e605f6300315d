"""Finds the files that belong to the package: profiles/ and images/, in a wheel and in a source checkout alike.

They are looked for beside this module, never by working directory. A wheel is always unpacked, so plain paths do:
`importlib.resources` would find the same files and costs 15 ms to import, an eighth of what a no-op build may cost.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent


def is_checkout() -> bool:
    """True in a source tree (an editable install), false in an installed wheel.

    The wheel carries `sandbox/_data`, a checkout never does; only a checkout has our pyproject.toml beside the package.
    """
    return not (_PACKAGE / "_data").is_dir() and (_CHECKOUT / "pyproject.toml").is_file()


def profile(name: str) -> Path:
    """The file or folder `name` (with `/` between parts) below profiles/, for instance `seccomp/calls.yaml`."""
    return _find("profiles", name)


def image(name: str) -> Path:
    """The file or folder `name` below images/."""
    return _find("images", name)


def _find(kind: str, name: str) -> Path:
    """Raises ValueError for a name that would leave the folder. Whether it exists is for the reader to find."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"not a name below {kind}/: {name!r}")
    root = _CHECKOUT if is_checkout() else _PACKAGE / "_data"
    return root.joinpath(kind, *parts)
