"""`scripts/bench guard`: what one notified call costs, and how much memory the guard takes."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.command import BenchError, say, succeed
from benchmarks.figures import differences
from benchmarks.report import Report
from sandbox.engine.bubblewrap import Bubblewrap
from sandbox.engine.protocol import Session
from sandbox.errors import SandboxError
from sandbox.guard import guard
from sandbox.plan import seccomp
from sandbox.plan.build import build_plan, guard_settings, role_settings
from sandbox.plan.facts import BuildFacts, Policy, ToolFacts
from sandbox.plan.model import Plan
from sandbox.run.host import directories, host_facts
from sandbox.run.prepared import prepare, standard_files
from sandbox.trace import frames

CALL_US, GUARD_MB = 12.0, 20.0
_SOURCE = Path(__file__).with_name("opens.rs")
_BUILD_DIR = "target/.cargo-sandbox/build"
_EXEC_SHARE = 200
"""Starting a program takes about as long as this many opens."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call: its name in the report, and what `opens` is told (see opens.rs)."""

    name: str
    spec: str
    count: int
    listed: bool
    promised: bool


@dataclass(slots=True)
class Heard:
    """Everything that came out of one container."""

    output: bytes = b""
    events: int = 0
    state: dict[str, Any] | None = None
    ending: dict[str, Any] | None = None


def run(options: argparse.Namespace, scratch: Path, env: dict[str, str], report: Report) -> None:
    """Measure. Raises BenchError when a container or the compiler fails."""
    program = _compile(scratch, env)
    kinds = _kinds(options.calls, scratch)
    try:
        plan, config = _plan(scratch, env, (str(program), "all", *(kind.spec for kind in kinds)))
    except SandboxError as error:
        raise BenchError(str(error)) from error
    plain: dict[str, list[float]] = {kind.spec: [] for kind in kinds}
    guarded: dict[str, list[float]] = {kind.spec: [] for kind in kinds}
    endings: list[dict[str, Any]] = []
    for number in range(options.rounds):
        for recorded in (False, True) if number % 2 == 0 else (True, False):
            heard = _converse(replace(plan, recorded=recorded), config if recorded else b"")
            for spec, nanoseconds in parse_output(heard.output, [kind.spec for kind in kinds]).items():
                (guarded if recorded else plain)[spec].append(nanoseconds / 1000)
            if recorded:
                endings.append(checked(heard, sum(kind.count for kind in kinds if kind.listed)))
                report.details["state"] = heard.state
        say(f"round {number + 1}/{options.rounds}")
    for kind in kinds:
        cost = [more / kind.count for more in differences(guarded[kind.spec], plain[kind.spec])]
        spread = report.row(kind.name, cost, "µs more per call")
        if kind.promised:
            report.promise(f"guard, {kind.name}, median", CALL_US, "µs per notified call", spread.median)
    peaks = [end["maxrss_kb"] * 1024 / 1e6 for end in endings]
    memory = report.row("guard, resident memory at its peak", peaks, "MB")
    report.promise("guard, resident memory", GUARD_MB, "MB", memory.maximum)
    report.details |= {
        "kinds": [{"name": kind.name, "spec": kind.spec, "count": kind.count} for kind in kinds],
        "plain_us": plain, "guarded_us": guarded, "endings": endings,
    }  # fmt: skip
    if not (report.details["state"] or {}).get("sync_wakeup"):
        report.notes.append("no synchronous wake-up on this kernel (Linux >= 6.6 has it): a call costs five times more")


def _kinds(calls: int, scratch: Path) -> list[Kind]:
    cores = len(os.sched_getaffinity(0))
    # A program's writes into the target dir are only counted, but for those into the build dir: these are told at once,
    # so this is the dearest kind of open.
    listed, written = scratch / "shown" / "listed", scratch / _BUILD_DIR / "written"
    for path in (listed, written):
        path.parent.mkdir(parents=True)
        path.touch()
    kinds = [
        Kind("open, counted only (/dev/null)", f"read:1:{calls}:/dev/null", calls, False, True),
        Kind("open for reading, listed", f"read:1:{calls}:{listed}", calls, True, True),
        Kind("open for writing, listed", f"write:1:{calls}:{written}", calls, True, True),
    ]
    if cores > 1:
        name = f"open for reading, listed, {cores} threads at once"
        kinds.append(Kind(name, f"read:{cores}:{calls}:{listed}", calls, True, False))
    starts = max(calls // _EXEC_SHARE, 10)
    kinds.append(Kind("program started and waited for", f"exec:1:{starts}:/bin/true", starts, True, False))
    return kinds


def parse_output(output: bytes, specs: list[str]) -> dict[str, int]:
    """Nanoseconds by spec, from what `opens` printed. Raises BenchError unless each spec is there exactly once."""
    found: dict[str, int] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        spec, _, figure = line.rpartition(" ")
        if spec not in specs or spec in found or not figure.isdigit():
            raise BenchError(f"not understood: {line!r}")
        found[spec] = int(figure)
    if len(found) != len(specs):
        raise BenchError(f"{len(found)} of {len(specs)} measurements came back")
    return found


def _compile(scratch: Path, env: Mapping[str, str]) -> Path:
    program = scratch / "program" / "opens"
    program.parent.mkdir()
    command = ["rustc", "--edition", "2021", "-O", "-o", str(program), str(_SOURCE)]
    succeed(command, Path("/"), env, scratch / "rustc.log")
    return program


def _plan(scratch: Path, env: dict[str, str], command: tuple[str, ...]) -> tuple[Plan, bytes]:
    """The planner's own plan for a made-up workspace whose `cargo` is our program, and the guard's first frame."""
    state_dir, cache_dir = directories(env)
    binary = guard.find(env)
    host = host_facts(env, str(binary), guard.digest(binary, cache_dir), state_dir)
    program = command[0]
    tool = ToolFacts(program, program, program, "", os.path.dirname(program), "bench")
    shown = str(scratch / "shown")
    build = BuildFacts(
        command=command, cwd=shown, roots=(shown,), files=(), masked=(), target_dir=str(scratch / "target"),
        build_dir=str(scratch / _BUILD_DIR), cargo_home=f"{host.home}/.cargo", cargo_home_entries=(), prepared="",
        programs=True,
    )  # fmt: skip
    policy = Policy()
    files = standard_files(host.user, host.uid, host.gid, host.home) | {"roles": role_settings(build, tool, policy)}
    build = replace(build, prepared=prepare(cache_dir, files, (host.uid, host.gid)))
    calls = seccomp.load()
    plan = build_plan(host, tool, build, policy, calls.digest)
    return plan, frames.encode_config(guard_settings(plan, calls))


def _converse(plan: Plan, config: bytes) -> Heard:
    """Run a container to its end. `config` is the guard's first frame; empty for a container without guard."""
    session = Bubblewrap().start(plan)
    try:
        heard = _listen(session, config)
        if session.wait(30) != 0:
            errors = os.read(session.stderr_fd, 4096).decode("utf-8", "replace")
            raise BenchError(f"the container ended with {session.poll()}: {errors}{heard.ending or ''}")
    finally:
        session.kill()
        session.close()
    return heard


def _listen(session: Session, config: bytes) -> Heard:
    heard, decoder, output = Heard(), frames.FrameDecoder(), bytearray()
    view = memoryview(config)
    while view:
        view = view[os.write(session.stdin_fd, view) :]
    while chunk := os.read(session.stdout_fd, 1 << 18):
        if not config:
            output += chunk
            continue
        for kind, payload in decoder.feed(chunk):
            if kind in (frames.STDOUT, frames.STDERR):
                output += payload
            elif kind == frames.EVENTS:
                heard.events += payload.count(b"\n")
            elif kind == frames.STATE:
                heard.state = json.loads(payload)
            elif kind in (frames.EXIT, frames.FAIL):
                heard.ending = json.loads(payload)
    heard.output = bytes(output)
    return heard


def checked(heard: Heard, listed: int) -> dict[str, Any]:
    """The guard's last word. Raises BenchError unless nothing was lost and at least `listed` events arrived."""
    ending = heard.ending
    if ending is None or "maxrss_kb" not in ending:
        raise BenchError(f"the guard ended without its last word: {ending}")
    if ending["code"] != 0 or ending["lost"] or ending["unreadable"] or ending["written"] != heard.events:
        raise BenchError(f"the record has a hole ({heard.events} events arrived): {ending}")
    if heard.events < listed:
        raise BenchError(f"{listed} calls were to be listed, {heard.events} were: this measures something else")
    return ending
