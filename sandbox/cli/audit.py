"""`cargo-sandbox audit`: every supply-chain check, on a workspace or on a lock file alone.

It runs nothing of the project and writes nothing into it: cargo alone resolves the graph, in the resolve container, and
makes no new lock file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from sandbox.cargo.metadata import Facts
from sandbox.cli.options import Settings
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, Words, parse
from sandbox.errors import SandboxError, UsageError
from sandbox.judge.model import Finding
from sandbox.policy.model import PolicyError, ProjectPolicy
from sandbox.preflight import run as checks_run
from sandbox.preflight.audit import Audit
from sandbox.preflight.model import Answer, Check, Subject
from sandbox.report.formats import Context, Target, parse_target

_LEVELS = ("low", "medium", "high", "critical", "never")
_USAGE = USAGES["audit"]


class _Looked(NamedTuple):
    """A subject with what is needed to judge it. `unseen`: what could not be looked at, and is no check's to say."""

    subject: Subject
    settings: Settings
    project: ProjectPolicy | None
    unseen: tuple[str, ...] = ()


def run(words: Sequence[str], settings: Settings) -> int:
    """Print or write the audit; returns its exit code. Raises UsageError, WorkspaceError, PolicyError, ReportError."""
    if words[:1] == ["diff"]:
        from sandbox.cli import audit_diff

        return audit_diff.run(words[1:], settings)
    names = ("--lock", "--only", "--deny", "--report", "--advisory-db")
    options = MANIFEST | dict.fromkeys(names, False)
    given = parse(words, _USAGE, ("--json", "--online", "--fetch-db"), options)
    if given.names or given.rest:
        raise UsageError(f"audit: {(given.names or given.rest)[0]!r} is not understood", hint=_USAGE)
    if given.one("--deny") not in (None, *_LEVELS):
        raise UsageError(f"audit --deny: one of {', '.join(_LEVELS)}", hint=_USAGE)
    database, fetches = given.one("--advisory-db"), "--fetch-db" in given.switches
    if database and fetches:
        raise UsageError("audit looks into a database that is named or into the one that it fetches", hint=_USAGE)
    lock, manifest = given.one("--lock"), given.manifest
    if lock is not None and manifest is not None:
        raise UsageError("audit looks at a lock file alone or at a workspace, not at both", hint=_USAGE)
    checks = _chosen(given)
    targets = _targets(given, settings)
    if fetches:
        from sandbox.run.advisory_db import fetch as fetch_database

        database = fetch_database(settings, os.environ)
    if database:
        # By the command line: no file of policy may put another one in its place.
        settings = replace(settings, advisory_db=database, given=(*settings.given, ("advisory_db", "command line")))
    looked = _lock_alone(lock, settings) if lock is not None else _workspace(manifest, settings)
    if "--online" in given.switches:
        from sandbox.preflight.sources.fetch import fetch

        looked = looked._replace(subject=replace(looked.subject, fetch=fetch))
    return _tell(_judge(looked, checks, given), looked, targets, "--json" in given.switches)


def answers(settings: Settings, lock: str = "", manifest: str | None = None) -> tuple[Answer, ...]:
    """What the fast checks say of a workspace, or of a lock file alone, for others to show. A check that failed
    answers "not done". Raises as `run`."""
    from sandbox.preflight.checks import fast_checks

    looked = _lock_alone(lock, settings) if lock else _workspace(manifest, settings, silent=True)
    return tuple(one.answer for one in checks_run.make(fast_checks(), looked.subject))


def _chosen(given: Words) -> tuple[Check, ...]:
    from sandbox.preflight.checks import all_checks

    every = all_checks()
    wanted = _names(given)
    known = [check.name for check in every]
    for name in wanted:
        if name not in known:
            raise UsageError(f"audit --only: there is no check {name!r}", hint="checks: " + ", ".join(known))
    return tuple(check for check in every if not wanted or check.name in wanted)


def _names(given: Words) -> tuple[str, ...]:
    return tuple(name for text in given.values.get("--only", ()) for name in text.split(","))


def _targets(given: Words, settings: Settings) -> list[Target]:
    """Reports that the command line asks for; those of policy files are the builds'."""
    mine = settings.report if any(field == "report" for field, _ in settings.given) else ()
    return [*(Target(*one) for one in mine), *(parse_target(text) for text in given.values.get("--report", ()))]


def _workspace(manifest: str | None, settings: Settings, *, silent: bool = False) -> _Looked:
    """The workspace here, with its resolved graph where cargo can tell it."""
    from sandbox.cli.graph import invoked
    from sandbox.preflight.subject import of_workspace, wishes_of
    from sandbox.run.build import with_policy
    from sandbox.run.checked import cache_of, toolchain
    from sandbox.run.invocation import find_ground
    from sandbox.run.resolve import ResolveFailed

    words = ["check", "--locked", *(["--manifest-path", manifest] if manifest is not None else [])]
    ground = find_ground(words)
    settings, project = with_policy(settings, ground, silent=silent)
    facts: Facts | None = None
    version, current, unseen = "", None, []
    if not os.path.lexists(ground.tree.lock_file):
        unseen.append("there is no lock file, so no dependency was looked at")
    else:
        try:
            invocation = invoked(words, settings, ground, project)
            facts, version, current = invocation.facts, toolchain(invocation), True
        except PolicyError:
            raise
        except ResolveFailed as error:
            current = False if error.stale else None
            unseen.append("the lock file is not up to date" if error.stale else f"the graph: {error.message}")
        except SandboxError as error:
            unseen.append(f"the graph could not be resolved: {error.message}")
    subject = of_workspace(
        ground.tree, ground.config, ground.env, wishes_of(settings, project), facts=facts,
        untrusted=settings.untrusted, lock_current=current, toolchain=version, cache=cache_of(ground.env),
    )  # fmt: skip
    return _Looked(subject, settings, project, tuple(unseen))


def _lock_alone(lock: str, settings: Settings) -> _Looked:
    """A lock file; policy and cargo's configuration are those of the folder where the command was given."""
    from sandbox.cargo import config as cargo_config
    from sandbox.cargo.homes import cargo_home
    from sandbox.cli.config import root_of
    from sandbox.policy.files import present
    from sandbox.policy.load import decide
    from sandbox.preflight.subject import of_lock, wishes_of
    from sandbox.run.checked import cache_of

    env, cwd, root = dict(os.environ), Path(os.path.realpath(os.getcwd())), root_of()
    settings, project = decide(settings, present(root, env), root, env)
    config = cargo_config.load(cwd, Path(os.path.realpath(cargo_home(env, cwd))))
    subject = of_lock(cwd / lock, config, env, wishes_of(settings, project), cache_of(env))
    return _Looked(subject, settings, project)


def _judge(looked: _Looked, checks: Sequence[Check], given: Words) -> Audit:
    from sandbox.preflight.checks import wanted

    subject, settings, project = looked.subject, looked.settings, looked.project
    outcomes = checks_run.make(checks, subject)
    findings, waived = _allowed(checks_run.findings(outcomes), looked)
    asked = any(field == "deny" for field, _ in settings.given)
    of_policy = project.supply.deny if project else None
    deny = given.one("--deny") or (None if asked else of_policy) or settings.deny
    asked_for = wanted(subject.wishes) | set(_names(given))
    return Audit(subject, outcomes, findings, waived, looked.unseen, deny, settings.require_complete, asked_for)


def _allowed(found: tuple[Finding, ...], looked: _Looked) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What remains, and what policy or an accepted baseline allows."""
    subject = looked.subject
    facts = subject.facts or _graph(subject)
    waived: tuple[Finding, ...] = ()
    if looked.project is not None and looked.project.allowances:
        from sandbox.policy.apply import apply

        # Nothing ran, so no allowance can be called unused.
        applied = apply(found, looked.project, date.today(), facts, ())
        found, waived = applied.findings, tuple(one.shown for one in applied.waived)
    if found:
        from sandbox.run.accepted import accepted

        tree = None if looked.settings.untrusted or subject.root is None else str(subject.root)
        found, more = accepted(found, facts, tree, dict(subject.env))
        waived += more
    return found, waived


def _graph(subject: Subject) -> Facts:
    from sandbox.preflight.lockgraph import facts_of

    return facts_of(subject.locked)


def _tell(audit: Audit, looked: _Looked, targets: Sequence[Target], as_json: bool) -> int:
    from sandbox.preflight import audit_json, tell
    from sandbox.report import place, terminal, write
    from sandbox.report.formats import renderer

    subject = audit.subject
    lock_file = str(subject.lock_file)
    root = str(subject.root) if subject.root else os.path.dirname(lock_file)
    noted = place.note(subject.facts or _graph(subject), root, lock_file, (*audit.findings, *audit.waived))
    header = {"argv": ["cargo-sandbox", "audit"], "workspace": root}
    context: Context = place.context_of(header, noted, deny=audit.deny, home=os.environ.get("HOME", ""))
    destinations = write.open_all(targets, ())
    try:
        for one in destinations:
            if one.format == "json":
                one.write(audit_json.render(audit, context))
            elif one.format == "terminal":
                one.write(tell.render(audit, context))
            else:
                one.write(renderer(one.format)(audit.result(), context))
    finally:
        write.close_all(destinations)
    colour = terminal.use_colour(os.isatty(1), None, os.environ)
    print(audit_json.render(audit, context) if as_json else tell.render(audit, replace(context, colour=colour)))
    sys.stdout.flush()
    return audit.exit_code
