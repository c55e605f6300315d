"""What a run's behaviours come to: rules, then the comparison with baselines. Loaded only where units ran."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.baseline import judge as baselines
from sandbox.baseline.convert import Checksums
from sandbox.baseline.fold import sameness
from sandbox.baseline.ladder import Step, look_up
from sandbox.baseline.model import BaselineError
from sandbox.baseline.places import has_own
from sandbox.baseline.population import shipped
from sandbox.baseline.shelf import FRESH, BehaviourShelf, Shelved, joined, mark_fresh
from sandbox.baseline.state import State, checksums_of
from sandbox.baseline.store import Stores, open_stores
from sandbox.behaviour.canonical import unit_json
from sandbox.behaviour.model import Behaviour, Fact, Key, Profile
from sandbox.behaviour.patterns import VERSION
from sandbox.cargo import lockfile
from sandbox.errors import SandboxError
from sandbox.judge.model import Completeness, Finding
from sandbox.judge.partial import partly_judged
from sandbox.judge.rules.judge import judge as judge_by_rules
from sandbox.judge.rules.judge import shipped_rules
from sandbox.judge.rules.load import RuleError
from sandbox.record import replace
from sandbox.report.render import render_untrusted
from sandbox.run.finish import Fresh, Late, may_be_settled
from sandbox.run.host import directories
from sandbox.run.invocation import Invocation
from sandbox.run.programs import Programs
from sandbox.run.recorder import Recorder
from sandbox.trace.ledger import Ledger

_MOST_TOLD = 20


def prepare() -> None:
    """Read the rules now, for at the run's end the user waits for it. Rules that can't be read are told of there."""
    with contextlib.suppress(RuleError):
        shipped_rules()


@dataclass
class KnownBaselines:
    """What rules may ask of the baselines (`sandbox.judge.rules.known.Known`). A package's files are read when the
    first rule asks for it: most units give no rule a reason to. `tree`: see `Judging`."""

    tree: str | None
    env: Mapping[str, str]
    checksums: Checksums
    _stores: dict[str, Stores] = field(default_factory=dict)

    def rung(self, key: Key) -> str:
        """The rung that a unit stands on."""
        return self._step(key).rung

    def holds(self, key: Key, fact: Fact) -> bool:
        """Whether this very version's accepted behaviour has the fact."""
        step = self._step(key)
        entry = step.entry.unit(key) if step.entry is not None and step.rung == "same version" else None
        return entry is not None and any(sameness(one.fact) == sameness(fact) for one in entry.facts)

    def rarity(self, fact: Fact) -> float:
        """Share of the population's build scripts that do not do the like."""
        share = shipped().share(fact)
        return 1.0 if share is None else 1.0 - share

    def _step(self, key: Key) -> Step:
        if key.package not in self._stores:
            self._stores[key.package] = open_stores(self.tree, self.env, [key.package])
        checksum = self.checksums.get((key.package, key.version), "")
        return look_up(key.package, key.version, checksum, self._stores[key.package])


class Judging:
    """The last look at a run: its behaviours go onto the shelf, to the rules and to the baselines.

    `tree`: the workspace whose baseline has a say; None where the tree is not to be trusted. `since_ns`: when the run
    began; `programs`, afterwards: digests of what it executed and had not made. Nothing here raises for a baseline or
    lock file that can't be read: what could not be judged then is a hole, since a build that has run must get its
    verdict.
    """

    def __init__(
        self, invocation: Invocation, recorder: Recorder, ledger: Ledger, run: str, tree: str | None, since_ns: int
    ) -> None:
        self._invocation, self._recorder, self._ledger, self._run = invocation, recorder, ledger, run
        self._since_ns = since_ns
        self.programs: dict[str, str] = {}
        self._tree, self._env = tree, invocation.host.env
        self._holes: list[str] = []
        self._checksums: Checksums = {}

    def judge(self, complete: Completeness, fresh: Fresh, locked: bool) -> Late:
        """Judge, and put what is found into the record and the ledger. With `locked` also whether the baseline covers
        all units, fresh ones included (which is told on standard error)."""
        try:
            self._checksums = checksums_of(lockfile.read(Path(self._invocation.lock_file)))
        except SandboxError as error:
            self._hole(error)
        shelf = BehaviourShelf(self._ledger.folder)
        late = Late(fresh=fresh.findings)
        profile = Profile(self._run, VERSION, ())
        if self._recorder.profiler is not None:
            profiler = self._recorder.profiler
            self.programs = self._digests_of(profiler.executed)
            profile = profiler.finish(self._run, complete.reasons, self.programs)
            self._shelve(profile, shelf)
            drift = self._drift(profile)
            others = (*partly_judged(profile), *drift.findings)
            found = (*self._by_rules(profile), *_placed(others, self._recorder.starts))
            self._recorder.add_late(found)
            late = replace(late, findings=found, no_baseline=drift.no_baseline, notes=drift.notes)
        if locked or any(map(may_be_settled, fresh.findings)):
            shelved = shelf.read(fresh.keys)
            late = replace(late, fresh=self._again(fresh, shelved))
            if locked:
                late = replace(late, uncovered=self._uncovered(profile, shelved))
        return replace(late, holes=tuple(dict.fromkeys(self._holes)))

    def _digests_of(self, executed: Collection[str]) -> dict[str, str]:
        plan = self._invocation.plan
        return Programs(plan.mounts, directories(dict(self._env))[1], self._since_ns).digests(executed)

    def _hole(self, error: SandboxError) -> None:
        self._holes.append(f"not all could be judged: {error.message}")

    def _by_rules(self, profile: Profile) -> tuple[Finding, ...]:
        known = KnownBaselines(self._tree, self._env, self._checksums)
        try:
            return judge_by_rules(profile, self._recorder.starts, known)
        except BaselineError as error:
            self._hole(error)
        except RuleError as error:
            self._hole(error)
            return ()
        return judge_by_rules(profile, self._recorder.starts)

    def _drift(self, profile: Profile) -> baselines.Drift:
        """The comparison with baselines alone. Without a baseline of one's own no file is read for it."""
        stores = Stores()
        try:
            if has_own(self._tree, self._env):
                stores = open_stores(self._tree, self._env, {one.key.package for one in profile.behaviours})
        except BaselineError as error:
            self._hole(error)
        return baselines.drift(profile, self._checksums, stores)

    def _again(self, fresh: Fresh, shelved: Shelved) -> tuple[Finding, ...]:
        """The fresh units' findings by what is accepted now: what was accepted since is no drift any more. A grave one
        stays until its unit has run again, as do those of units whose behaviour was lost."""
        before = joined(Profile(self._run, VERSION, ()), shelved)
        now = (*self._by_rules(before), *self._drift(before).findings)
        still = {_same(one) for one in now}
        kept = [
            one
            for one in fresh.findings
            if not may_be_settled(one) or one.unit.removeprefix(FRESH) in shelved.missing or _same(one) in still
        ]
        told = {_same(one) for one in kept}
        folders = {(one.package, one.version): one.manifest_dir for one in fresh.findings}
        new = (one for one in now if _same(one) not in told and may_be_settled(one))
        kept += (replace(one, manifest_dir=folders.get((one.package, one.version), "")) for one in new)
        return mark_fresh(kept, shelved)

    def _shelve(self, profile: Profile, shelf: BehaviourShelf) -> None:
        units: dict[str, list[Behaviour]] = {}
        for one in profile.behaviours:
            units.setdefault(one.unit, []).append(one)
        shelved = (
            (key, ((one.key.package, one.key.version, unit_json(one)) for name in names for one in units.get(name, ())))
            for key, names in self._recorder.key_units.items()
        )
        shelf.put(self._run, shelved)
        shelf.compact(self._ledger.entries)

    def _uncovered(self, profile: Profile, shelved: Shelved) -> bool:
        """Fails closed: where nothing was recorded, or a baseline can't be read, nothing is covered."""
        from sandbox.cli.baseline_look import problems

        whole = joined(profile, shelved)
        holes = (*profile.holes, *shelved.holes, *self._holes)
        if self._invocation.plan.alone:
            holes = (*holes, "nothing was recorded")
        state = State(self._invocation.workspace, self._run, whole, self._checksums, holes=holes)
        try:
            stores = open_stores(self._tree, self._env, {one.key.package for one in whole.behaviours})
            found = problems(state, stores)
        except BaselineError as error:
            found = [error.message]
        for line in found[:_MOST_TOLD]:
            sys.stderr.write(f"error: {render_untrusted(line, 300)}\n")
        if found:
            sys.stderr.write("  = help: cargo-sandbox review; then commit the baseline\n")
        return bool(found)


def _same(finding: Finding) -> tuple[str, str, str, str]:
    """What makes two findings of a fresh unit the same one, whichever run they are from."""
    return finding.code, finding.package, finding.version, finding.subject


def _placed(findings: Iterable[Finding], starts: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Findings with the folder of their package, by which reports find its chain."""
    for finding in findings:
        folder = starts.get(finding.unit, {}).get("manifest_dir")
        yield replace(finding, manifest_dir=folder) if isinstance(folder, str) else finding
