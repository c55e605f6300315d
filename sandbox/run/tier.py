"""The tier of the engine that a run was given."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.doctor.standing import standing_of
from sandbox.doctor.tier import Standing
from sandbox.engine.protocol import Engine
from sandbox.guard import guard
from sandbox.plan.facts import RuntimeFacts
from sandbox.run.host import directories


def tier_of(engine: Engine, env: Mapping[str, str], runtime: RuntimeFacts | None = None) -> Standing:
    """What the engine is worth on this host, with the OCI runtime that the user named if he did
    (`sandbox.doctor.standing`). Raises SetupError without a guard."""
    programs = (str(guard.find(env)), getattr(engine, "program", ""))
    return standing_of(engine.info.name, env, directories(dict(env))[1], programs, runtime)
