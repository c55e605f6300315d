"""What a run's behaviours come to: rules, then the comparison with baselines. Loaded only where units ran."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.baseline import judge as baselines
from sandbox.baseline.convert import Checksums
from sandbox.baseline.fold import sameness
from sandbox.baseline.ladder import Step, look_up
from sandbox.baseline.population import shipped
from sandbox.baseline.shelf import BehaviourShelf, Shelved
from sandbox.baseline.state import State, checksums_of
from sandbox.baseline.store import Stores, exists, open_stores, tree_folder, user_folder
from sandbox.behaviour.canonical import unit_json
from sandbox.behaviour.model import Behaviour, Fact, Key, Profile
from sandbox.behaviour.patterns import VERSION
from sandbox.cargo import lockfile
from sandbox.judge.model import Completeness, Finding, at_least
from sandbox.judge.rules.judge import judge as judge_by_rules
from sandbox.report.render import render_untrusted
from sandbox.run.finish import Fresh, Late
from sandbox.run.invocation import Invocation
from sandbox.run.recorder import Recorder
from sandbox.trace.ledger import Ledger

_AGAIN = ("CS02", "CS03")
_MOST_TOLD = 20


@dataclass
class KnownBaselines:
    """What rules may ask of the baselines (`sandbox.judge.rules.known.Known`). A package's files are read when the
    first rule asks for it: most units give no rule a reason to."""

    workspace: str
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
            self._stores[key.package] = open_stores(self.workspace, self.env, [key.package])
        checksum = self.checksums.get((key.package, key.version), "")
        return look_up(key.package, key.version, checksum, self._stores[key.package])


@dataclass
class Judging:
    """The last look at a run: its behaviours go onto the shelf, to the rules and to the baselines."""

    invocation: Invocation
    recorder: Recorder
    ledger: Ledger
    run: str

    def judge(self, complete: Completeness, fresh: Fresh, locked: bool) -> Late:
        """Judge, and put what is found into the record and the ledger. With `locked` also whether the baseline covers
        all units, fresh ones included (which is told on standard error).

        Raises BaselineError for a baseline of the tree or the user that can't be read, WorkspaceError for such a lock
        file.
        """
        workspace, env = self.invocation.workspace, self.invocation.host.env
        checksums = checksums_of(lockfile.read(Path(self.invocation.lock_file)))
        shelf = BehaviourShelf(self.ledger.folder)
        late = Late(fresh=fresh.findings)
        profile = Profile(self.run, VERSION, ())
        if self.recorder.profiler is not None:
            profile = self.recorder.profiler.finish(self.run, complete.reasons)
            self._shelve(profile, shelf)
            known = KnownBaselines(workspace, env, checksums)
            found = judge_by_rules(profile, self.recorder.starts, known)
            drift = compare(profile, workspace, checksums, env)
            found += tuple(_placed(drift.findings, self.recorder.starts))
            self.recorder.add_late(found)
            late = replace(late, findings=found, no_baseline=drift.no_baseline, notes=drift.notes)
        if locked or any(map(_may_be_settled, fresh.findings)):
            shelved = shelf.read(fresh.keys)
            late = replace(late, fresh=self._again(fresh, shelved, checksums))
            if locked:
                late = replace(late, uncovered=self._uncovered(profile, shelved, checksums))
        return late

    def _again(self, fresh: Fresh, shelved: Shelved, checksums: Checksums) -> tuple[Finding, ...]:
        """The fresh units' findings by what is accepted now: what was accepted since is no drift any more. A grave one
        stays until its unit has run again, as do those of units whose behaviour was lost."""
        workspace, env = self.invocation.workspace, self.invocation.host.env
        before = shelved.profile(self.run)
        found = [
            *judge_by_rules(before, {}, KnownBaselines(workspace, env, checksums)),
            *compare(before, workspace, checksums, env).findings,
        ]
        folders = {(one.package, one.version): one.manifest_dir for one in fresh.findings}
        still = {(one.code, one.package, one.version, one.subject) for one in found}
        kept = []
        for one in fresh.findings:
            unknown = one.unit.removeprefix("fresh:") in shelved.missing
            if unknown or not _may_be_settled(one) or (one.code, one.package, one.version, one.subject) in still:
                kept.append(one)
        known = {(one.code, one.package, one.version, one.subject) for one in kept}
        for one in found:
            if (one.code, one.package, one.version, one.subject) not in known and not at_least(one.severity, "high"):
                key = _key_of(one, shelved)
                folder = folders.get((one.package, one.version), "")
                run = shelved.runs.get(key, "")
                kept.append(replace(one, unit=f"fresh:{key}", fresh=True, run=run, manifest_dir=folder))
        return tuple(kept)

    def _shelve(self, profile: Profile, shelf: BehaviourShelf) -> None:
        units: dict[str, list[Behaviour]] = {}
        for one in profile.behaviours:
            units.setdefault(one.unit, []).append(one)
        shelf.put(
            self.run,
            {
                key: [
                    (one.key.package, one.key.version, unit_json(one)) for name in names for one in units.get(name, ())
                ]
                for key, names in self.recorder.key_units.items()
            },
        )
        shelf.compact(self.ledger.entries)

    def _uncovered(self, profile: Profile, shelved: Shelved, checksums: Checksums) -> bool:
        from sandbox.cli.baseline_look import problems

        old = shelved.profile(self.run)
        holes = (*profile.holes, *old.holes)
        behaviours = tuple(sorted((*profile.behaviours, *old.behaviours), key=lambda one: (one.key, one.facts)))
        whole = Profile(self.run, VERSION, behaviours, holes)
        state = State(self.invocation.workspace, self.run, whole, checksums, "", holes)
        env = self.invocation.host.env
        stores = open_stores(self.invocation.workspace, env, {one.key.package for one in behaviours})
        found = problems(state, stores)
        for line in found[:_MOST_TOLD]:
            sys.stderr.write(f"error: {render_untrusted(line, 300)}\n")
        if found:
            sys.stderr.write("  = help: cargo-sandbox review; then commit the baseline\n")
        return bool(found)


def compare(profile: Profile, workspace: str, checksums: Checksums, env: Mapping[str, str]) -> baselines.Drift:
    """The comparison with baselines alone. Without a baseline of one's own no file is read for it."""
    stores = Stores()
    if any(folder is not None and exists(folder) for folder in (tree_folder(workspace), user_folder(env))):
        stores = open_stores(workspace, env, {one.key.package for one in profile.behaviours})
    return baselines.drift(profile, checksums, stores)


def _placed(findings: Iterable[Finding], starts: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Findings with the folder of their package, by which reports find its chain."""
    for finding in findings:
        folder = starts.get(finding.unit, {}).get("manifest_dir")
        yield replace(finding, manifest_dir=folder) if isinstance(folder, str) else finding


def _may_be_settled(finding: Finding) -> bool:
    """Whether accepting a behaviour can make a finding go away."""
    return finding.code.startswith(_AGAIN) and not at_least(finding.severity, "high")


def _key_of(finding: Finding, shelved: Shelved) -> str:
    """The ledger's key of the fresh unit that a finding is about."""
    for key, found in shelved.behaviours.items():
        for one in found:
            if one.unit == finding.unit and (one.key.package, one.key.version) == (finding.package, finding.version):
                return key
    return ""
