"""A run from the started container to the exit code: follow it, keep its record, judge, report."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

# The record needs it at its end, where the user would wait for this; here cargo has just begun.
import zstandard  # noqa: F401

from sandbox.baseline.places import may_have_own
from sandbox.cli.options import Settings
from sandbox.engine.protocol import Engine, Session
from sandbox.errors import BaselineMissing, LimitExceeded
from sandbox.judge.first import Judge
from sandbox.judge.model import Completeness, Finding, RunResult, at_least, decide
from sandbox.record import replace
from sandbox.report import place, terminal
from sandbox.report.write import Destination, write_all
from sandbox.run.clock import Clock
from sandbox.run.finish import Fresh, Late, fresh_units, make_violators_stale, may_be_settled, was_about_to_run
from sandbox.run.invocation import Invocation
from sandbox.run.ledger import OpenLedger, unit_of
from sandbox.run.messages import MessageLines
from sandbox.run.pump import Ending, Pump, Sinks
from sandbox.run.recorder import Recorder
from sandbox.run.stdio import raw_terminal
from sandbox.run.tier import tier_of
from sandbox.run.watchdog import Watchdog
from sandbox.trace.store import RunStore

if TYPE_CHECKING:
    from sandbox.behaviour.profile import Profiler
    from sandbox.run.checked import Early
    from sandbox.trace.unjudged import Mark


class LiveRun:
    """One run whose container has been started. `started` is monotonic seconds, `since_ns` wall-clock nanoseconds from
    before the guard was told to start cargo. `early` is what was seen before anything ran."""

    def __init__(
        self,
        invocation: Invocation,
        settings: Settings,
        engine: Engine,
        ledger: OpenLedger,
        started: float,
        since_ns: int,
        reports: Sequence[Destination] = (),
        early: Early | None = None,
    ) -> None:
        self._invocation = invocation
        self._settings = settings
        self._engine = engine
        self._started = started
        self._since_ns = since_ns
        self._ledger = ledger
        self._judge = Judge(
            invocation.host.homes, invocation.cargo_home, (invocation.tool.root,), invocation.plan.build_dir
        )
        self._reports = reports
        self._early = early.findings if early else ()
        self._unchecked = early.holes if early else ()
        self._checks = early.checks if early else {}
        now = datetime.now().astimezone()
        self._writer = RunStore().create(now)
        self._header: dict[str, Any] = {"started": now.isoformat()}
        kill_at = "high" if settings.on_violation == "kill" else "never"
        self._recorder = Recorder(self._writer, self._judge, ledger.ledger, kill_at, self._stop_for, self._profiler)
        self._standing = tier_of(engine, invocation.host.env, invocation.host.runtime)
        self._pump: Pump | None = None
        self._unjudged: Mark | None = None
        self._built = False
        self._grounds = b""
        self._places: place.Places | None = None
        self._programs: dict[str, str] = {}
        self._message = MessageLines(self._writer.message)
        self._clock = Clock()

    def follow(self, session: Session) -> int:
        """Follow it to its end; returns the exit code. Raises SetupError when a wall could not be put up."""
        invocation, settings = self._invocation, self._settings
        # What start-up made stays to the end; a long run makes rubbish.
        gc.freeze()
        gc.enable()
        with self._writer as writer:
            result = self._run(session)
            noted = place.note(
                invocation.facts, invocation.workspace, invocation.lock_file, result.findings, self._places
            )
            writer.finish(result.to_json() | noted)
        if settings.pin and writer.failed is None:
            RunStore().pin(writer.id)
        colour = terminal.use_colour(os.isatty(2), invocation.args.color, os.environ)
        quiet = settings.quiet or invocation.args.quiet
        home = os.environ.get("HOME", "")
        context = place.context_of(self._header, noted, deny=settings.deny, home=home)
        text = terminal.report(result, context.chains, colour, settings.deny, quiet, home)
        if text:
            sys.stderr.write(text + "\n")
        failed = write_all(self._reports, result, context)
        if result.cargo_signal and not result.stopped and result.exit_code == 128 + result.cargo_signal:
            _die_of(result.cargo_signal)
        return result.exit_code or failed

    def _run(self, session: Session) -> RunResult:
        """The ledger's lock is held until the build proper is over, as cargo holds its own."""
        plan = self._invocation.plan
        for broken in self._ledger.touched:
            unit = self._ledger.touched_units[broken.key]
            self._judge.add_external("CS0109", unit, broken.path, f"{broken.path} was {broken.what}")
        self._header |= self._invocation.header(self._engine, self._standing)
        if self._checks:
            self._header["preflight"] = self._checks
        self._writer.write_header(self._header)
        self._writer.write_plan(plan.to_json())
        for finding in self._early:
            self._writer.finding(finding.to_json())
        # Now, while cargo begins its work, since nobody waits for us.
        _prune_now_and_then(self._writer.id)
        if any(entry.findings for entry in self._ledger.ledger.entries.values()):
            # What an open finding of a fresh unit asks for at the end.
            self._grounds = self._look_at_grounds()
            self._places = place.places_of(self._invocation.lock_file)
        with raw_terminal(plan.stdio) as self._terminal_mode:
            self._pump = Pump(
                session,
                self._sinks(),
                Watchdog(plan.limits, session.pid, plan.target_dir),
                filter_stdout=os.isatty(1),
                filter_stderr=os.isatty(2),
            )
            self._recorder.when_program_starts(self._build_over)
            if plan.alone and plan.stdio.stdin != "null":
                # Nobody sees the program start. Of what else runs here nothing reads input.
                self._pump.forward_input(0)
            ending = self._pump.run()
        self._message.end()
        self._build_over(ending)
        return self._result(ending)

    def _profiler(self) -> Profiler:
        """Called when the first unit starts: from here on there is something to be judged."""
        # What is needed at the end, where the user would wait for it, is made ready now.
        from sandbox.behaviour.profile import Profiler
        from sandbox.run.judgement import prepare
        from sandbox.trace.unjudged import Mark

        prepare()
        try:
            self._unjudged = Mark(self._ledger.ledger.folder, self._writer.id)
        except OSError as error:
            self._recorder.hole(f"the ledger could not be marked: {error.strerror}")
        return Profiler(self._invocation.plan.to_json(), str(self._header.get("workspace", "")))

    def _sinks(self) -> Sinks:
        """Where the guard's frames go. One that is alone has nothing to tell of units, and gVisor lets a build write to
        its output (/proc/1/fd): whatever says there that something was seen is not the guard's."""
        recorder, alone = self._recorder, self._invocation.plan.alone
        return Sinks(
            output=self._output,
            events=_nothing if alone else recorder.events,
            unit=_nothing if alone else recorder.unit,
            state=_nothing if alone else recorder.see_state,
            program=_nothing if alone else self._program,
            tick=recorder.tick,
        )

    def _output(self, stream: int, data: bytes) -> None:
        self._writer.output(data)
        if stream == 1 and self._invocation.json_messages:
            self._message.feed(data)

    def _program(self) -> None:
        self._recorder.program()
        early = self._terminal_mode()
        if self._pump is not None:
            self._pump.type(early)

    def _build_over(self, ending: Ending | None = None) -> None:
        """Cargo has built all there is: look at the seals, let other builds have the build dir, give it our input."""
        if self._built:
            return
        self._built = True
        until_ns = time.time_ns()
        if unsure := self._clock.why_unsure():
            self._recorder.hole(unsure)
        if ending is None and self._pump is not None and self._invocation.plan.stdio.stdin != "null":
            self._pump.forward_input(0)
        ledger, guard = self._ledger.ledger, self._invocation.host.guard
        self._recorder.settle(self._since_ns)
        # Where something ran, a fresh unit's output may have been changed as well as one that was just made.
        ran = self._recorder.key_units
        keys = None if set(self._recorder.roles) - {"cargo", "probe"} else ran
        for broken in ledger.check(guard, keys, self._recorder.linked):
            if was_about_to_run(broken, ran, ending):
                ledger.make_stale(broken.key)
                continue
            unit = {"unit": ran[broken.key][-1]} if broken.key in ran else unit_of(ledger.entries[broken.key])
            words = f"{broken.path} was {broken.what} after its unit had ended"
            self._judge.add_external("CS0108", unit, broken.path, words)
        self._recorder.settle(self._since_ns)
        if keys is None and not self._invocation.plan.alone:
            self._compare_with_disk(until_ns)
        if ending is None:
            ledger.release()

    def _compare_with_disk(self, until_ns: int) -> None:
        """What changed in the build dir and stands in no event was missed, or done by somebody else: a hole. But for
        what its seal, which was just looked at, says to have the content that its unit left."""
        from sandbox.trace.manifest import in_words, unaccounted

        plan, recorder = self._invocation.plan, self._recorder
        try:
            missed = unaccounted(plan.build_dir, recorder.accounts, self._since_ns, until_ns)
        except OverflowError as error:
            recorder.hole(str(error))
            return
        # Cargo replaces a program by one of another hash: the old one's file loses a link, and so its time moves.
        if missed and (left := sorted(set(missed) - self._ledger.ledger.intact(missed))):
            recorder.hole(in_words(left))

    def _stop_for(self, finding: Finding) -> None:
        if self._pump is not None and not self._allowed((finding,))[1]:
            who = f"{finding.package} {finding.version}".strip() or finding.unit
            self._pump.stop(f"the build was stopped at once because of {who} (--on-violation kill)")

    def _result(self, ending: Ending) -> RunResult:
        data = ending.exit
        looked_at = () if self._invocation.plan.alone else (data or {}).get("fingerprints") or ()
        ran = self._recorder.key_units
        fresh = fresh_units(self._ledger.ledger, looked_at, set(ran))
        plan = self._invocation.plan
        complete = self._recorder.completeness(data, plan.alone)
        judged = self._by_behaviour(complete, fresh)
        acts = (*self._judge.findings(), *judged.findings)
        # Only a run that came to a good end saw all that its packages do: then an allowance may be called unused.
        whole = data is not None and data.get("code") == 0 and not ending.stopped
        seen = {str(start.get("package")) for start in self._recorder.starts.values()} if whole else set()
        findings, waived = self._allowed((*self._early, *acts, *judged.fresh), seen)
        open_ones = set(map(id, findings))
        owned = [(key, f) for key, units in ran.items() for f in acts if f.unit in units and id(f) in open_ones]
        owned += [(f.unit.removeprefix("fresh:"), f) for f in findings if f.unit.startswith("fresh:")]
        make_violators_stale(self._ledger.ledger, owned)
        if self._unjudged is not None and self._ledger.ledger.failed is None:
            with contextlib.suppress(OSError):
                self._unjudged.remove()
        self._ledger.ledger.release()
        holes = (
            (fresh.unknown, "fresh units have no entry in the ledger; build again"),
            (fresh.unsealed, "fresh units have outputs that could not be sealed"),
        )
        told = (*self._unchecked, *judged.holes, *(f"{count} {words}" for count, words in holes if count))
        if words := ending.by_others():
            told = (words, *told)
        complete = replace(complete, reasons=(*plan.missing, *complete.reasons, *told))
        code = data.get("code") if data else None
        number = data.get("signal") if data else None
        verdict = decide(findings, complete)
        return RunResult(
            run=self._writer.id,
            verdict=verdict,
            findings=findings,
            completeness=complete,
            exit_code=self._exit_code(ending, code, number, findings, complete, judged.uncovered),
            cargo_code=code,
            cargo_signal=number,
            stopped=ending.limit or ending.stopped,
            units=dict(self._recorder.roles),
            fresh_units=len(fresh.keys),
            engine=self._engine.info.name,
            duration_s=round(time.monotonic() - self._started, 3),
            tier=self._standing.tier,
            tier_reasons=tuple(reason.words for reason in self._standing.reasons),
            walls=f"{self._engine.info.words}, no network, {self._landlock()}",
            recorded=not plan.alone,
            no_baseline=judged.no_baseline,
            waived=waived,
            notes=judged.notes,
            programs=self._programs,
        )

    def _by_behaviour(self, complete: Completeness, fresh: Fresh) -> Late:
        """What the behaviours of this run's units come to, and the fresh units' findings as they are to be told now."""
        # A compiler that is asked for its version runs nobody's code.
        built = set(self._recorder.roles) - {"cargo", "probe"}
        locked = self._settings.locked_baseline
        if built or locked:
            return self._judge_all(complete, fresh, locked)
        if not any(map(may_be_settled, fresh.findings)):
            return Late(fresh=fresh.findings)
        from sandbox.run.remembered import key_of, recall, remember

        folder, key = self._ledger.ledger.folder, key_of(fresh, self._grounds or self._look_at_grounds())
        late = recall(folder, key)
        if late is None:
            late = self._judge_all(complete, fresh, locked)
            remember(folder, key, late)
        return late

    def _look_at_grounds(self) -> bytes:
        from sandbox.run.remembered import grounds_of

        invocation = self._invocation
        return grounds_of(self._ledger.ledger.folder, invocation.lock_file, self._tree(), invocation.host.env)

    def _judge_all(self, complete: Completeness, fresh: Fresh, locked: bool) -> Late:
        from sandbox.run.judgement import Judging

        run, ledger, since_ns = self._writer.id, self._ledger.ledger, self._since_ns
        judging = Judging(self._invocation, self._recorder, ledger, run, self._tree(), since_ns)
        late = judging.judge(complete, fresh, locked)
        self._programs = judging.programs
        return late

    def _tree(self) -> str | None:
        """The workspace whose baselines have a say."""
        return None if self._settings.untrusted else self._invocation.workspace

    def _allowed(
        self, findings: tuple[Finding, ...], seen: Collection[str] = ()
    ) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
        """What of the findings counts, and what policy or an accepted baseline allows."""
        project = self._invocation.project
        waived: tuple[Finding, ...] = ()
        if project is not None and project.allowances:
            from sandbox.policy.apply import apply

            applied = apply(findings, project, date.today(), self._invocation.facts, seen)
            findings, waived = applied.findings, tuple(one.shown for one in applied.waived)
        if findings and may_have_own(self._tree(), self._invocation.host.env):
            from sandbox.run.accepted import accepted

            findings, more = accepted(findings, self._invocation.facts, self._tree(), self._invocation.host.env)
            waived += more
        return findings, waived

    def _landlock(self) -> str:
        plan, runtime = self._invocation.plan, self._invocation.host.runtime
        if plan.require_landlock == 0:
            return "no Landlock"
        if plan.alone and runtime is not None:
            return f"Landlock {runtime.landlock}"
        return f"Landlock {self._recorder.state.get('landlock', '?')}"

    def _exit_code(
        self,
        ending: Ending,
        code: int | None,
        number: int | None,
        findings: tuple[Finding, ...],
        complete: Completeness,
        uncovered: bool,
    ) -> int:
        if ending.interrupted and not ending.stopped and code is None:
            return 128 + ending.interrupted
        if any(at_least(finding.severity, self._settings.deny) for finding in findings):
            return 120
        if ending.limit:
            return LimitExceeded.exit_code
        if words := ending.by_others():
            sys.stderr.write(f"error: {words}\n  = help: see what ended it, then build again\n")
            return 121
        if ending.exit is None:
            from sandbox.engine.bwrap_failures import explain

            words = ending.engine_errors.strip() or "the guard ended without a word"
            sys.stderr.write(f"error: the container broke down: {words[-500:]!r}\n")
            # In gVisor, under Docker, a build can write there too.
            if self._engine.info.name == "bubblewrap" and (failure := explain(words)):
                sys.stderr.write(f"  = why: {failure.why}\n  = help: {failure.fix}\n")
            return 121
        if not complete.whole and self._settings.require_complete:
            return 122
        if uncovered and not number and code == 0:
            return BaselineMissing.exit_code
        if number:
            return 128 + number
        return code if code is not None else 1


def _nothing(*_said: object) -> None:
    """Not believed."""


def _die_of(number: int) -> None:
    """End as cargo ended, by the same signal, so that a shell sees what it would have seen."""
    sys.stderr.flush()
    if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _prune_now_and_then(run_id: str) -> None:
    """Retention in about one run of eight: the list of runs need not be read each time."""
    if run_id[-1:] in "abcd":
        from sandbox.trace.store import Policy, StoreError

        # What can't be removed now is removed another time; no build may fail of it.
        with contextlib.suppress(OSError, StoreError):
            RunStore().prune(Policy(), datetime.now().astimezone())
