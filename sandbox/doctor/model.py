"""Checks, and everything that the doctor has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sandbox.doctor.tier import Standing

State = Literal["good", "note", "weak", "unseen", "missing"]
"""`good`: as planned. `note`: worth knowing, no wall is weaker. `weak`: a wall or the record is weaker. `unseen`: could
not be looked at, which is not the same as good. `missing`: the engine can't be used without it."""

WALLS = (
    "network",
    "secrets",
    "host files",
    "other crates' outputs",
    "kernel surface",
    "resources",
    "outliving the build",
    "record",
)
"""The walls of DESIGN §6 that depend on the host, and the record. The others are our own code."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    `id` is stable; `engines` are those whose tier it counts for (none: it is for information), `walls` the walls that
    stand on it. `found` is what is there, `means` what follows, `fix` what to do.
    """

    id: str
    title: str
    state: State
    found: str
    means: str = ""
    fix: str = ""
    engines: tuple[str, ...] = ()
    walls: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that the doctor has to say. `chosen` is the standing of the engine that a build would get."""

    chosen: Standing
    standings: tuple[Standing, ...]
    checks: tuple[Check, ...]
