"""Takes what the guard reports of a live run to its record, its judge and its ledger."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sandbox.judge.first import Judge
from sandbox.judge.model import Completeness, Finding, at_least
from sandbox.trace.ledger import Ledger
from sandbox.trace.manifest import Accounts
from sandbox.trace.writer import RunWriter

if TYPE_CHECKING:
    from sandbox.behaviour.profile import Profiler
    from sandbox.run.digests import Digests


# As `json.loads`, which looks at each line for its encoding first.
_decode = json.JSONDecoder().decode


class Recorder:
    """Sinks of a live run. `on_violation` is called once for each new finding that must stop the build."""

    def __init__(
        self,
        writer: RunWriter,
        judge: Judge,
        ledger: Ledger,
        kill_at: str,
        on_violation: Callable[[Finding], None],
        make_profiler: Callable[[], Profiler],
    ) -> None:
        self._writer = writer
        self._make_profiler = make_profiler
        self.profiler: Profiler | None = None
        """What follows the behaviours of this run's units; None as long as no unit ran."""
        self._judge = judge
        self._ledger = ledger
        self.accounts = Accounts(str(ledger.build_dir))
        self._kill_at = kill_at
        self._on_violation = on_violation
        self.starts: dict[str, dict[str, Any]] = {}
        self.ends: dict[str, dict[str, Any]] = {}
        self.roles: Counter[str] = Counter()
        self.state: dict[str, Any] = {}
        self.listed = 0
        self.last_sequence = 0
        self.reasons: list[str] = []
        self.key_units: dict[str, tuple[str, ...]] = {}
        self.linked: set[str] = set()
        self._late: list[Finding] = []
        self._digests: Digests | None = None
        self._program_started: Callable[[], None] | None = None

    def when_program_starts(self, act: Callable[[], None]) -> None:
        """Call `act` once, when cargo has finished building and starts the first program."""
        self._program_started = act

    def events(self, payload: bytes) -> None:
        """A frame of events: stored as it came, then judged line by line."""
        self._writer.events(payload)
        for line in payload.splitlines():
            try:
                event = _decode(line.decode("utf-8", "surrogatepass"))
            except ValueError:
                self.hole("an event could not be read")
                continue
            self.listed += 1
            sequence = event.get("seq", 0)
            if sequence != self.last_sequence + 1:
                self.hole(f"events between {self.last_sequence} and {sequence} are missing")
            self.last_sequence = sequence
            if event.get("unit") == "u0" and event.get("kind") in ("link", "other"):
                self.linked.add(str(event.get("path")))
            self.accounts.event(event)
            if self.profiler is not None:
                self.profiler.event(event)
            finding = self._judge.event(event)
            if finding is not None:
                self._found(finding)

    def unit(self, record: dict[str, Any]) -> None:
        """A unit begins or ends."""
        name = str(record.get("unit"))
        told = self._with_digests(name, record)
        self._writer.unit(json.dumps(told, separators=(",", ":")).encode() + b"\n")
        if self.profiler is None and record.get("event") == "start" and record.get("role") != "cargo":
            # Where nothing is built nobody pays for it. Only a start tells the role: cargo's end is no unit's.
            self.profiler = self._make_profiler()
        if self.profiler is not None:
            self.profiler.unit(told)
        for finding in self._judge.unit(record):
            self._found(finding)
        if record.get("event") == "start":
            self.starts[name] = record
            role = str(record.get("role"))
            self.roles[role] += 1
            self._ledger.begin(record)
            self.accounts.unit(record)
            if role == "program":
                self.program()
            return
        self.ends[name] = record
        start = self.starts.get(name)
        if record.get("outputs_cut"):
            self.hole(f"not all outputs of {(start or {}).get('package') or name} could be sealed")
        if start is not None:
            self._ledger_entry(name)

    def _with_digests(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        """The end of a build script with what the guard does not tell of it. Seals go by what the guard told."""
        if self.profiler is None or record.get("event") != "end" or not record.get("outputs"):
            return record
        if self.starts.get(name, {}).get("role") != "script":
            return record
        if self._digests is None:
            from sandbox.run.digests import Digests

            self._digests = Digests(str(self._ledger.build_dir))
        return self._digests.added(record, self.profiler.was_executed)

    def program(self) -> None:
        """The build proper is over."""
        act, self._program_started = self._program_started, None
        if act is not None:
            act()

    def see_state(self, state: dict[str, Any]) -> None:
        """The guard's first frame: what this kernel gave it."""
        self.state = state

    def tick(self) -> None:
        """Let buffered parts of the record reach the disk."""
        self._writer.tick(time.monotonic())

    def completeness(self, ending: dict[str, Any] | None, alone: bool = False) -> Completeness:
        """The counters and what they mean. Without the guard's last frame the record has a hole by definition. A guard
        that was `alone` counts nothing."""
        reasons = list(self.reasons)
        data = {} if alone else ending or {}
        if ending is None:
            reasons.append("the guard ended without its last word")
        elif not alone:
            if not data.get("seen"):
                # cargo's own start is one.
                reasons.append("the guard was asked about no call at all")
            if data.get("written") != self.listed:
                reasons.append(f"the guard wrote {data.get('written')} events, {self.listed} arrived")
            for name, words in (("unreadable", "calls could not be read"), ("lost", "events were lost")):
                if data.get(name):
                    reasons.append(f"{data[name]} {words}")
        if self._ledger.failed:
            reasons.append(f"the ledger could not be written: {self._ledger.failed}")
        if self._writer.failed:
            reasons.append(f"the record could not be written: {self._writer.failed}")
        if self._judge.dropped:
            reasons.append(f"{self._judge.dropped} more findings were not kept")
        return Completeness(
            seen=int(data.get("seen") or 0),
            listed=self.listed,
            quiet=int(data.get("quiet") or 0),
            unreadable=int(data.get("unreadable") or 0),
            lost=int(data.get("lost") or 0),
            reasons=tuple(reasons),
        )

    def settle(self, since_ns: int) -> None:
        """Complete the ledger: units that did not tell their fingerprint folder, findings that came after the end.

        `since_ns`: wall-clock time from before cargo was started, as `time.time_ns()`.
        """
        self.key_units |= self._ledger.settle(since_ns)
        late = {finding.unit for finding in self._judge.findings()}
        for key, names in self.key_units.items():
            if late.intersection(names):
                self._ledger.amend(key, [found for name in names for found in self._findings_of(name)])

    def _ledger_entry(self, name: str) -> None:
        key = self._ledger.record(self.ends[name], self.starts[name], self._writer.id, self._findings_of(name))
        if key is not None:
            self.key_units[key] = (name,)

    def _findings_of(self, name: str) -> list[dict[str, Any]]:
        found = (finding for finding in (*self._judge.findings(), *self._late) if finding.unit == name)
        return [finding.to_json() | {"run": self._writer.id} for finding in found]

    def add_late(self, findings: Iterable[Finding]) -> None:
        """Findings that only the whole of the run shows: into the record and the ledger."""
        for finding in findings:
            self._writer.finding(finding.to_json())
            self._late.append(finding)
        late = {finding.unit for finding in self._late}
        for key, names in self.key_units.items():
            if late.intersection(names):
                self._ledger.amend(key, [found for name in names for found in self._findings_of(name)])

    def _found(self, finding: Finding) -> None:
        self._writer.finding(finding.to_json())
        if at_least(finding.severity, self._kill_at):
            self._on_violation(finding)

    def hole(self, reason: str) -> None:
        """The record is not whole, for this reason."""
        if len(self.reasons) < 20:
            self.reasons.append(reason)
