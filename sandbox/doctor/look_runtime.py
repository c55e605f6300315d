"""Tries an OCI runtime: what `guard probe` finds in the smallest container that it makes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sandbox.doctor.facts import Probe
from sandbox.doctor.look import host_interfaces, probe_plan, read_probe
from sandbox.engine.protocol import Engine
from sandbox.errors import LimitExceeded, SandboxError, SetupError
from sandbox.guard import guard
from sandbox.plan.facts import RuntimeFacts
from sandbox.plan.model import Plan
from sandbox.run.capture import capture


def try_runtime(name: str, env: Mapping[str, str]) -> RuntimeFacts:
    """The named runtime of this user's Docker daemon. Raises SetupError without a guard."""
    from sandbox.engine.docker import Docker

    binary = guard.find(env)
    try:
        return look(Docker(name), name, binary)
    except SandboxError as error:
        return RuntimeFacts(name, error=error.message)


def look(engine: Engine, name: str, binary: Path) -> RuntimeFacts:
    """What the guard at `binary` finds in containers of the engine, whose runtime has this name: once as a build would
    stand there, and once with the host's network.

    Not so where another kernel answers: that shares no network with ours, and gVisor's container, when it can't start
    for that reason, leaves a process behind (seen with Docker 20.10).
    """

    def ask(plan: Plan) -> Probe:
        done = capture(engine, plan, lambda line: None)
        if done.status != 0:
            words = done.err.decode("utf-8", "replace").strip()
            raise ValueError(words[-300:] or f"the guard ended there with {done.status}")
        return read_probe(done.out.decode("utf-8", "replace"))

    plan = replace(probe_plan(binary), uid=os.getuid(), gid=os.getgid())
    try:
        inside = ask(plan)
    except (SetupError, LimitExceeded, ValueError) as error:
        return RuntimeFacts(name, error=getattr(error, "why", "") or str(error))
    shared = False
    if inside.kernel == os.uname().release:
        before = set(host_interfaces())
        with contextlib.suppress(SetupError, LimitExceeded, ValueError):
            seen = set(ask(replace(plan, network=True)).interfaces)
            after = set(host_interfaces())
            # Other containers' interfaces come and go meanwhile.
            shared = before & after <= seen <= before | after
    return RuntimeFacts(
        name=name,
        filters=inside.filter,
        no_new_privs=inside.no_new_privs,
        notify=inside.notifies,
        landlock=inside.landlock,
        subreaper=inside.subreaper,
        confined=inside.confined,
        kernel=inside.kernel,
        network=shared,
        why=inside.why,
    )
