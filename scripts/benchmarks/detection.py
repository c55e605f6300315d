"""`scripts/bench detection`: what is found of the attacks of tests/attack/scenarios, and what of their benign twins."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, BenchError
from benchmarks.report import Report

DOCUMENT = ROOT / "docs" / "detection.md"
BEGIN, END = "<!-- generated: attacks -->", "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario: whether it acted as promised, whether its crate was charged with an expected finding."""

    folder: str
    expected: Mapping[str, Any]
    found: bool
    codes: tuple[str, ...]
    rules: tuple[str, ...]
    false_alarms: tuple[str, ...] = ()

    @property
    def tier(self) -> str:
        """`limit`: no finding is promised; `core`; `more`."""
        findings = [*self.expected.get("findings", {}).get("any_of", ()), *self.expected.get("rules", ())]
        if not findings:
            return "limit"
        return "core" if self.expected["core"] else "more"

    def to_json(self) -> dict[str, Any]:
        """For the JSON report."""
        shown = {name: self.expected.get(name) for name in ("number", "trigger", "techniques", "twin_of", "limit")}
        return shown | {
            "folder": self.folder, "tier": None if "twin_of" in self.expected else self.tier, "found": self.found,
            "codes": self.codes, "rules": self.rules, "false_alarms": self.false_alarms,
        }  # fmt: skip


def run(options: argparse.Namespace, scratch: Path, env: Mapping[str, str], report: Report) -> None:
    """Build everything once. Raises BenchError when a build failed or a crate did not act."""
    from tests.attack.staging import TRIGGERS, Stage, attacks, everything, twins
    from tests.harness import session

    outcomes: dict[str, Outcome] = {}
    with session(options.engine) as lab:
        stage = Stage(lab)
        for chosen in (attacks(), twins()):
            together = [one for one in chosen if one.expected["workspace"]]
            print(f"building {len(together)} of {len(chosen)} scenarios together", file=sys.stderr)
            staged = stage.whole(stage.workspace(together))
            for one in together:
                outcomes[one.folder] = _outcome(one, staged, options.engine)
        for one in everything():
            if not one.expected["steps"]:
                continue
            print(f"building {one.folder} by itself", file=sys.stderr)
            results = [_outcome(one, staged, step) for step, staged in stage.steps(one) if step.get("acts", True)]
            for result in results:
                before = outcomes.get(one.folder, result)
                outcomes[one.folder] = result if before.found else before
    found = [outcomes[one.folder] for one in attacks()]
    benign = [outcomes[one.folder] for one in twins()]
    report.details["scenarios"] = [one.to_json() for one in (*found, *benign)]
    summary = report.details["summary"] = _summary(found, benign, TRIGGERS)
    report.notes += _lines(summary, found, benign)
    if options.docs:
        put(DOCUMENT, document(summary, found, benign, TRIGGERS))


def _outcome(one: Any, staged: Any, step: object) -> Outcome:
    if staged.done.code != 0:
        raise BenchError(
            f"{one.folder}: the build of {step} ended with {staged.done.code}: {staged.done.stderr[-2000:]}"
        )
    judged = staged.judged(one)
    if judged.missing or not judged.seen:
        raise BenchError(f"{one.folder} did not act as promised; missing: {judged.missing}")
    codes = tuple(sorted(judged.codes))
    if one.is_twin:
        alarms = tuple(f"{found['code']}: {found['detail']}" for found in judged.false_alarms)
        return Outcome(one.folder, one.expected, not alarms, codes, (), alarms)
    named = tuple(sorted({str(found["code"]) for found in judged.hits}))
    return Outcome(one.folder, one.expected, bool(named), codes, named)


def _share(outcomes: Iterable[Outcome]) -> tuple[int, int]:
    listed = list(outcomes)
    return sum(one.found for one in listed), len(listed)


def _summary(found: list[Outcome], benign: list[Outcome], triggers: Iterable[str]) -> dict[str, Any]:
    promised = [one for one in found if one.tier != "limit"]
    techniques = sorted({name for one in promised for name in one.expected["techniques"]})
    right, alarms = sum(one.found for one in promised), sum(bool(one.false_alarms) for one in benign)
    return {
        "tier": {tier: _share(one for one in found if one.tier == tier) for tier in ("core", "more", "limit")},
        "trigger": {
            trigger: _share(one for one in promised if trigger in one.expected["trigger"]) for trigger in triggers
        },
        "technique": {
            name: _share(one for one in promised if name in one.expected["techniques"]) for name in techniques
        },
        "twins_without_alarm": _share(benign),
        "precision": right / (right + alarms) if right + alarms else None,
    }


def _lines(summary: Mapping[str, Any], found: list[Outcome], benign: list[Outcome]) -> list[str]:
    lines = [
        f"{kind} {name}: {got} of {of}"
        for kind in ("tier", "trigger", "technique")
        for name, (got, of) in summary[kind].items()
    ]
    lines.append("twins without a false alarm: {} of {}".format(*summary["twins_without_alarm"]))
    lines.append(f"precision over attacks and twins: {summary['precision']:.3f}")
    lines += [
        f"MISSED: {one.folder}, seen: {' '.join(one.codes) or 'nothing'}"
        for one in found
        if not one.found and one.tier != "limit"
    ]
    lines += [f"FALSE ALARM: {one.folder}: {alarm}" for one in benign for alarm in one.false_alarms]
    return lines


def document(
    summary: Mapping[str, Any], found: list[Outcome], benign: list[Outcome], triggers: Mapping[str, str]
) -> str:
    """The attack half of docs/detection.md, between its marks."""
    tiers, (quiet, pairs) = summary["tier"], summary["twins_without_alarm"]
    text = [
        "Each attack is an inert re-enactment in `tests/attack/scenarios`. It is found when the crate that acts is",
        "charged with a finding that its `expected.json` names. There is no baseline: each package is as one never",
        "seen before.",
        "",
        f"Core: **{tiers['core'][0]} of {tiers['core'][1]}** · others: **{tiers['more'][0]} of {tiers['more'][1]}** · "
        f"benign twins without a finding of severity high or above: **{quiet} of {pairs}** · "
        f"precision: **{summary['precision']:.3f}**",
        "",
        "| Trigger | Found |",
        "|---|---|",
    ]
    text += [
        f"| {name}: {words} | {summary['trigger'][name][0]} of {summary['trigger'][name][1]} |"
        for name, words in triggers.items()
    ]
    text += ["", "| Technique (ATT&CK) | Found |", "|---|---|"]
    text += [f"| {name} | {got} of {of} |" for name, (got, of) in summary["technique"].items()]
    text += ["", "| Attack | Trigger | Tier | Found by |", "|---|---|---|---|"]
    for one in found:
        by = " ".join(one.rules) or ("no build can show it" if one.tier == "limit" else "**MISSED**")
        text.append(f"| {one.folder} | {' '.join(one.expected['trigger'])} | {one.tier} | {by} |")
    text += ["", "| Benign twin | Like | Findings |", "|---|---|---|"]
    for one in benign:
        told = (
            "**FALSE ALARM** " if one.false_alarms else "needs the network: " if one.expected["network_needed"] else ""
        )
        text.append(f"| {one.folder} | {one.expected['pair']} | {told}{' '.join(one.codes) or 'none'} |")
    text += ["", "What a build can't show, or shows in part:", ""]
    text += [f"- {one.folder}: {one.expected['limit']}." for one in found if one.expected["limit"]]
    return "\n".join(text)


def put(path: Path, text: str, begin: str = BEGIN, heading: str = "Attacks") -> None:
    """Write the text between the marks, which are made at the end of the document if it has none. Raises OSError."""
    old = path.read_text("utf-8") if path.exists() else "# What is found, and what is not\n"
    if begin not in old:
        old += f"\n## {heading}\n\n{begin}\n{END}\n"
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{begin}\n{text}\n{END}{after}", "utf-8")
