"""Between the resolved graph and the start of the build: what may not run, and what is new. Nothing has run yet."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sandbox.cli.options import Settings
from sandbox.engine.protocol import Engine
from sandbox.judge.model import Completeness, Finding, RunResult, at_least
from sandbox.policy.apply import waives
from sandbox.policy.deny import denied, how_to_allow
from sandbox.preflight.cached import Fast
from sandbox.report import place, terminal
from sandbox.report.render import render_untrusted
from sandbox.report.write import Destination, write_all
from sandbox.run.accepted import accepted
from sandbox.run.checked import Early
from sandbox.run.invocation import Invocation
from sandbox.run.tier import tier_of
from sandbox.trace.store import RunStore


def look(
    invocation: Invocation,
    settings: Settings,
    engine: Engine,
    reports: Sequence[Destination],
    graph_file: str,
    fast: Fast,
) -> Early | int:
    """The findings of the graph and of the fast checks for the run's result, told on standard error; or exit code 120,
    when a build script is not allowed, when a check has a critical finding, or when one of the findings is of severity
    high and the build is to end at such.

    Raises PolicyError for an accepted graph that can't be read.
    """
    checked = tuple(one for one in map(_in_a_build, fast.findings) if _is_told(one, settings))
    found = (*checked, *(_novelties(invocation, graph_file) if graph_file else ()))
    stops = denied(invocation.facts, settings.allow_build_script) if settings.deny_build_scripts else ()
    open_ones = _open(invocation, settings, found)
    fatal = any(one.severity == "critical" for one in open_ones)
    grave = settings.on_violation == "kill" and any(at_least(one.severity, "high") for one in open_ones)
    if stops or fatal or grave:
        why = "a finding of the graph (--on-violation kill)"
        if fatal:
            why = "a critical finding before the build"
        if stops:
            why = "a build script is not allowed"
        every = (*stops, *open_ones)
        return _refuse(invocation, settings, engine, reports, every, f"nothing was run: {why}", fast)
    if open_ones:
        sys.stderr.write(_text(invocation, open_ones) + "\n")
    return Early(found, fast.holes, fast.checks)


def _in_a_build(data: dict[str, Any]) -> Finding:
    """A known vulnerability is no act of the build's: `audit` says how grave it is, a build tells of it and goes on."""
    found = Finding.from_json(data)
    mild = found.code == "CS0551" and at_least(found.severity, "high")
    return replace(found, severity="medium") if mild else found


def _is_told(finding: Finding, settings: Settings) -> bool:
    """What is mild is for `cargo-sandbox audit`, unless the user wants to be stopped by it."""
    return at_least(finding.severity, "medium") or at_least(finding.severity, settings.deny)


def _open(invocation: Invocation, settings: Settings, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Those that neither policy nor an accepted baseline allows; the others are shown with the run's result."""
    today, facts = date.today(), invocation.facts
    left = tuple(one for one in found if waives(invocation.project, one, today, facts) is None)
    tree = None if settings.untrusted else invocation.workspace
    return accepted(left, facts, tree, invocation.host.env)[0] if left else ()


def _novelties(invocation: Invocation, graph_file: str) -> tuple[Finding, ...]:
    from sandbox.policy.graph import compare, graph_of
    from sandbox.policy.graph_state import digests, load

    facts = invocation.facts
    old = load(Path(graph_file).parent, Path(invocation.workspace))
    return () if old is None else compare(old, graph_of(facts, digests(facts)), facts)


def _text(invocation: Invocation, findings: Sequence[Finding]) -> str:
    """Each finding's first line and its chain; the whole of it stands in the report at the end."""
    colour = terminal.use_colour(os.isatty(2), invocation.args.color, os.environ)
    lines = []
    for one in findings:
        chain = invocation.facts.chain(one.package, one.version, one.manifest_dir)
        whole = terminal.finding_text(one, chain, "", colour, os.environ.get("HOME", "")).split("\n")
        lines += [line for at, line in enumerate(whole) if at == 0 or line.startswith("   = chain: ")]
    return "\n".join(lines)


def _refuse(
    invocation: Invocation,
    settings: Settings,
    engine: Engine,
    reports: Sequence[Destination],
    findings: tuple[Finding, ...],
    stopped: str,
    fast: Fast,
) -> int:
    """Record and report a run that did not start."""
    now = datetime.now().astimezone()
    standing = tier_of(engine, invocation.host.env, invocation.host.runtime)
    header = {"started": now.isoformat()} | invocation.header(engine, standing)
    header |= {"preflight": fast.checks} if fast.checks else {}
    with RunStore().create(now) as writer:
        writer.write_header(header)
        writer.write_plan(invocation.plan.to_json())
        for finding in findings:
            writer.finding(finding.to_json())
        result = RunResult(
            run=writer.id,
            verdict="violation",
            findings=findings,
            completeness=Completeness(reasons=fast.holes),
            exit_code=120,
            cargo_code=None,
            cargo_signal=None,
            stopped=stopped,
            engine=engine.info.name,
            tier=standing.tier,
            tier_reasons=tuple(reason.words for reason in standing.reasons),
            walls="nothing was started",
        )
        noted = place.note(invocation.facts, invocation.workspace, invocation.lock_file, findings)
        writer.finish(result.to_json() | noted)
    home = os.environ.get("HOME", "")
    colour = terminal.use_colour(os.isatty(2), invocation.args.color, os.environ)
    context = place.context_of(header, noted, deny=settings.deny, home=home)
    sys.stderr.write(terminal.report(result, context.chains, colour, "never", home=home) + "\n")
    scripts = [one for one in findings if one.code == "CS0404"]
    if scripts:
        sys.stderr.write("help: to allow what you have looked at, in cargo-sandbox.toml:\n")
        for line in how_to_allow(scripts, settings.allow_build_script).splitlines():
            sys.stderr.write(f"    {render_untrusted(line, 20_000)}\n")
    write_all(reports, result, context)
    return 120
