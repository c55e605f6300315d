"""`cargo-sandbox build` and its kin: everything from the command line to the exit code.

What is needed before the container runs is imported here; the rest only once it has been started: the ledger while
bwrap makes its mounts, `live.py` (record, judge, report) while cargo begins its work on another core.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sandbox.cli.options import Settings
from sandbox.engine.choose import choose
from sandbox.engine.protocol import Engine, Session
from sandbox.errors import SetupError, UsageError
from sandbox.plan import seccomp
from sandbox.plan.build import guard_settings
from sandbox.plan.model import Plan
from sandbox.plan.secrets import is_within
from sandbox.policy import files as policy_files
from sandbox.run import runtime
from sandbox.run.checked import Early, fast_checks
from sandbox.run.host import directories
from sandbox.run.invocation import Ground, Invocation, find_ground, prepare_invocation, print_help
from sandbox.run.runtime import look_at
from sandbox.run.stdio import choose_stdio
from sandbox.run.test_hooks import without_settings
from sandbox.trace import frames

if TYPE_CHECKING:
    from sandbox.policy.model import ProjectPolicy
    from sandbox.report.write import Destination


def make_engine(settings: Settings) -> Engine:
    """The engine that the options ask for (see `choose`). Raises UsageError for a limit that it can't keep."""
    name = settings.engine
    if settings.cpu_limit:
        if name == "bubblewrap":
            raise UsageError("--cpu-limit is for Docker", hint="add --engine docker, or leave --cpu-limit out")
        name = "docker"
    return choose(name, settings.runtime, settings.image, directories(dict(os.environ))[1])


def print_plan(words: Sequence[str], settings: Settings) -> int:
    """`cargo-sandbox plan VERB …`: resolve, plan, print; run nothing of the project and make no target dir."""
    from sandbox.report.render import render_untrusted

    ground = find_ground(words)
    settings, project = with_policy(settings, ground)
    engine = make_engine(settings)
    found = look_at(engine, os.environ)
    invocation = prepare_invocation(
        words, settings, engine, choose_stdio, create=False, runtime=found, ground=ground, project=project
    )
    for line in invocation.plan.describe():
        print(render_untrusted(line, 10_000))
    return 0


def run_cargo(words: Sequence[str], settings: Settings, engine: Engine | None = None) -> int:
    """Run one cargo command in the sandbox; returns the exit code (DESIGN §8). Raises SandboxError."""
    from sandbox.cargo.args import split

    started = time.monotonic()
    if split(words).help:
        return print_help(words, settings, engine or make_engine(settings), choose_stdio)
    ground = find_ground(words)
    settings, project = with_policy(settings, ground)
    engine = engine or make_engine(settings)
    # Before anything is run for the project, the resolve step included.
    found = look_at(engine, os.environ)
    runtime.demand(found, settings)
    if settings.strict:
        from sandbox.doctor.standing import demand
        from sandbox.run.tier import tier_of

        demand(tier_of(engine, dict(os.environ), found), "standard")
    invocation = prepare_invocation(
        words, settings, engine, choose_stdio, runtime=found, ground=ground, project=project
    )
    plan, host = invocation.plan, invocation.host
    if invocation.args.open:
        sys.stderr.write(
            "note: --open is left out: nothing is opened from the sandbox; look below the target dir's doc\n"
        )
    reports = open_reports(settings.report, plan) if settings.report else ()
    early = before_it_runs(invocation, ground, settings, engine, reports)
    if isinstance(early, int):
        return early
    session = engine.start(plan)
    opened = None
    try:
        # Meanwhile the container's mounts are made. Cargo does not start before the guard has been told to.
        from sandbox.run.ledger import prepare_ledger

        opened = prepare_ledger(host.state_dir, plan, host.guard)
        invocation.show_programs()
        since_ns = time.time_ns()
        tell_guard(session, plan)
        from sandbox.run.live import LiveRun

        return LiveRun(invocation, settings, engine, opened, started, since_ns, reports, early).follow(session)
    except SetupError:
        runtime.forget(engine, os.environ)
        raise
    finally:
        session.kill()
        session.close()
        if opened is not None:
            opened.ledger.close()


def with_policy(settings: Settings, ground: Ground, *, silent: bool = False) -> tuple[Settings, ProjectPolicy | None]:
    """The settings with what files of policy say; nothing is loaded where there is none. What a tree loosens is told,
    unless `silent`: for who asks a second time. Raises PolicyError."""
    found = policy_files.present(ground.root, ground.env)
    if not found and settings.policy in ("", "default"):
        return settings, None
    from sandbox.policy.load import decide
    from sandbox.policy.tell import tell

    settings, project = decide(settings, found, ground.root, ground.env)
    if not silent:
        tell(project, settings)
    return settings, project


def before_it_runs(
    invocation: Invocation, ground: Ground, settings: Settings, engine: Engine, reports: Sequence[Destination]
) -> Early | int:
    """What can be seen before anything runs, for the run, or the exit code of a build that may not start."""
    fast = fast_checks(invocation, ground, settings)
    # What an untrusted tree says was accepted was accepted by nobody.
    graph = "" if settings.untrusted else policy_files.graph_file(invocation.workspace)
    if not settings.deny_build_scripts and not graph and not fast.findings and not fast.holes:
        return Early(checks=fast.checks)
    from sandbox.run.early import look

    return look(invocation, settings, engine, reports, graph, fast)


def open_reports(targets: Sequence[tuple[str, str]], plan: Plan) -> Sequence[Destination]:
    """Where reports will go, before anything of the project can move it. Raises ReportError."""
    from sandbox.report.formats import Target
    from sandbox.report.write import open_all

    return open_all([Target(*target) for target in targets], plan.written)


def tell_guard(session: Session, plan: Plan) -> None:
    """Tell the guard what to do, once its container stands as planned. Raises what `Session.begun` does."""
    settings = guard_settings(plan, seccomp.load(level=plan.seccomp_level, alone=plan.alone))
    if not plan.missing:
        # A kernel that is not this machine's, as gVisor's, has numbers of its own for files.
        settings += _same_folders(plan)
    config = memoryview(frames.encode_config(without_settings(settings, plan)))
    session.begun()
    try:
        while config:
            config = config[os.write(session.stdin_fd, config) :]
    except BrokenPipeError:
        # The container broke down at once; its last words are read where all its words are.
        return


def _same_folders(plan: Plan) -> Iterator[tuple[str, bytes]]:
    """The identity of each folder that the plan shows, for the guard to compare: a daemon may see another tree than we,
    with folders of the same names. Files are left out, since editors and cargo replace them."""
    for number, mount in enumerate(plan.mounts):
        if mount.kind not in ("ro", "rw") or any(is_within(mount.target, m.target) for m in plan.mounts[number + 1 :]):
            continue
        with contextlib.suppress(OSError):
            state = os.stat(mount.source)
            if stat.S_ISDIR(state.st_mode):
                yield "same", f"{state.st_dev}:{state.st_ino}\t".encode() + os.fsencode(mount.target)
