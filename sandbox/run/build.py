"""`cargo-sandbox build` and its kin: everything from the command line to the exit code.

What is needed before the container runs is imported here; the rest (`live.py`: record, judge, report) only once it has
been started, while cargo begins its work on another core.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from sandbox.cli.options import Settings
from sandbox.doctor.standing import demand
from sandbox.engine.choose import choose
from sandbox.engine.protocol import Engine, Session
from sandbox.plan import seccomp
from sandbox.plan.build import guard_settings
from sandbox.plan.model import Plan
from sandbox.run.host import directories
from sandbox.run.invocation import prepare_invocation, print_help
from sandbox.run.ledger import prepare_ledger
from sandbox.run.stdio import choose_stdio
from sandbox.run.test_hooks import without_settings
from sandbox.run.tier import tier_of
from sandbox.trace import frames


def make_engine(settings: Settings) -> Engine:
    """The engine that the options ask for (see `choose`)."""
    return choose(settings.engine, settings.runtime, settings.image, directories(dict(os.environ))[1])


def print_plan(words: Sequence[str], settings: Settings) -> int:
    """`cargo-sandbox plan VERB …`: resolve, plan, print; run nothing of the project and make no target dir."""
    from sandbox.report.render import render_untrusted

    invocation = prepare_invocation(words, settings, make_engine(settings), choose_stdio, create=False)
    for line in invocation.plan.describe():
        print(render_untrusted(line, 10_000))
    return 0


def run_cargo(words: Sequence[str], settings: Settings, engine: Engine | None = None) -> int:
    """Run one cargo command in the sandbox; returns the exit code (DESIGN §8). Raises SandboxError."""
    from sandbox.cargo.args import split

    started = time.monotonic()
    engine = engine or make_engine(settings)
    if split(words).help:
        return print_help(words, settings, engine, choose_stdio)
    if settings.strict:
        # Before anything is started, the resolve step included.
        demand(tier_of(engine, dict(os.environ)), "standard")
    invocation = prepare_invocation(words, settings, engine, choose_stdio)
    plan, host = invocation.plan, invocation.host
    if invocation.args.open:
        sys.stderr.write(
            "note: --open is left out: nothing is opened from the sandbox; look below the target dir's doc\n"
        )
    session = engine.start(plan)
    opened = None
    try:
        # Meanwhile the container's mounts are made. Cargo does not start before the guard has been told to.
        opened = prepare_ledger(host.state_dir, plan.build_dir, host.guard, f"{host.guard_digest} {plan.image}".strip())
        invocation.show_programs()
        since_ns = time.time_ns()
        tell_guard(session, plan)
        from sandbox.run.live import LiveRun

        return LiveRun(invocation, settings, engine, opened, started, since_ns).follow(session)
    finally:
        session.kill()
        session.close()
        if opened is not None:
            opened.ledger.close()


def tell_guard(session: Session, plan: Plan) -> None:
    """Tell the guard what to do in a started container."""
    settings = guard_settings(plan, seccomp.load(level=plan.seccomp_level))
    config = memoryview(frames.encode_config(without_settings(settings, plan)))
    try:
        while config:
            config = config[os.write(session.stdin_fd, config) :]
    except BrokenPipeError:
        # The container broke down at once; its last words are read where all its words are.
        return
