"""The policies that ship with us: profiles/policies/*.yaml for people, compiled.json for builds (no YAML is loaded)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.policy.model import Layer, PolicyError
from sandbox.policy.schema import Source, read
from sandbox.resources import profile

NAMES = ("default", "strict", "farm", "forensic")


def load(name: str) -> Layer:
    """The built-in policy of that name as the weakest layer. Raises PolicyError for a name or file that is none."""
    try:
        table = json.loads(profile("policies/compiled.json").read_text("utf-8"))[name]["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PolicyError(
            f"the built-in policy {name} can't be read: {type(error).__name__} {error}",
            hint=f"known are {', '.join(NAMES)}; if it is one of these, install cargo-sandbox again",
        ) from None
    return layer(name, table)


def layer(name: str, settings: Mapping[str, Any]) -> Layer:
    """The layer of a built-in policy's settings. Raises PolicyError, as for a file."""
    return read(settings, Source("built-in", f"policy {name}", "/", "/"))
