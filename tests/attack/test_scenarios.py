"""The catalogue of attacks, re-enacted inert, each beside its benign twin: who is charged, and with what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.judge.rules import sources
from tests.attack.staging import TOP, TRIGGERS, Scenario, Stage, Staged, attacks, everything, twins
from tests.engines import core
from tests.harness import ROOT, Lab, Project, host_triple, processes

pytestmark = [pytest.mark.attack, pytest.mark.engine]

# One of each trigger that a build alone has; Docker builds these too.
STANDING = {6, 15, 19, 31, 45, 47}
TOGETHER = [one for one in attacks() if one.expected["workspace"]]
APART = [one for one in everything() if one.expected["steps"]]
BY_RECORD = {"CS0105", "CS0233", "CS0250"}
"""Findings that may rest on the record of a unit's end instead of an event."""
TECHNIQUES = sources.techniques(ROOT / "profiles" / "attack-techniques.yaml")


def cases(chosen: list[Scenario]) -> list[object]:
    return [
        pytest.param(one, id=one.folder, marks=core if one.expected["number"] in STANDING and not one.is_twin else ())
        for one in chosen
    ]


def runs_here(only: str | None) -> bool:
    return only is None or host_triple() == f"{only}-unknown-linux-gnu"


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Stage:
    return Stage(lab)


@pytest.fixture(scope="module")
def place(stage: Stage) -> Project:
    """All attacks that a plain build shows, as members of one workspace."""
    return stage.workspace(TOGETHER)


@pytest.fixture(scope="module")
def asleep(stage: Stage, place: Project) -> Staged:
    """Its first build, with the gate shut."""
    return stage.whole(place, CSBENCH="0")


@pytest.fixture(scope="module")
def acted(stage: Stage, place: Project, asleep: Staged) -> Staged:
    """Its second one, in which all of them act."""
    done = stage.whole(place)
    assert done.done.code == 0 and done.done.run.result["completeness"]["reasons"] == [], done.done.shown
    return done


@pytest.fixture(scope="module")
def benign(stage: Stage) -> Staged:
    """All twins in one build."""
    done = stage.whole(stage.workspace([one for one in twins() if one.expected["workspace"]]))
    assert done.done.code == 0, done.done.shown
    return done


@core
def test_behind_the_shut_gate_nothing_happens(asleep: Staged) -> None:
    assert asleep.done.code == 0 and asleep.done.run.result["verdict"] == "clean", asleep.done.shown
    assert asleep.findings == []
    assert not [event for event in asleep.events if event["kind"] in ("dns", "connect", "survivor", "ptrace")]


def test_without_the_marker_in_the_home_nothing_happens_either(stage: Stage) -> None:
    project = stage.workspace([one for one in TOGETHER if one.expected["number"] in STANDING])
    project.remove("csbench-marker")
    done = stage.whole(project)
    assert done.done.code == 0 and done.findings == [], done.done.shown


@pytest.mark.parametrize("scenario", cases(TOGETHER))
def test_an_attack_is_found_and_its_crate_charged(acted: Staged, scenario: Scenario) -> None:
    if not runs_here(scenario.expected.get("only")):
        pytest.skip("acts on another kind of machine")
    judged = acted.judged(scenario)
    assert judged.seen and judged.missing == []
    assert [rule for rule in scenario.rules if not judged.codes & set(rule)] == []
    if scenario.codes:
        assert judged.hits, judged.findings
        assert all(found["events"] or found["code"] in BY_RECORD for found in judged.hits)
    else:
        assert scenario.limit and not judged.grave
    for innocent in scenario.expected.get("innocent", ()):
        assert acted.charged(innocent) == []
    if macro := scenario.expected.get("macro"):
        assert all(any(macro in str(name) for name in found["macros"]) for found in judged.hits)


@core
def test_nobody_else_is_charged_and_the_verdict_is_a_violation(acted: Staged) -> None:
    assert acted.done.run.result["verdict"] == "violation"
    named = {one.crate for one in TOGETHER}
    assert {found["package"] for found in acted.findings} <= named
    shown = acted.done.stderr
    assert "csbench-ssh-key-theft" in shown and "csbench-dropper-inproc-tls" in shown


@pytest.mark.parametrize("scenario", cases([one for one in twins() if one.expected["workspace"]]))
def test_its_benign_twin_does_its_work_and_raises_no_alarm(benign: Staged, scenario: Scenario) -> None:
    judged = benign.judged(scenario)
    assert judged.seen and judged.missing == []
    assert judged.false_alarms == []
    needed = {found["code"] for found in judged.findings} >= {"CS0102"}
    assert needed == bool(scenario.expected["network_needed"])


@pytest.mark.parametrize("scenario", cases(APART))
def test_what_needs_builds_of_its_own_is_found_in_the_one_that_acts(stage: Stage, scenario: Scenario) -> None:
    for step, done in stage.steps(scenario):
        if not runs_here(step.get("only")):
            pytest.skip("acts on another kind of machine")
        assert done.done.code == 0, done.done.shown
        judged = done.judged(scenario)
        if step.get("acts"):
            assert judged.seen and judged.missing == [] and judged.hits, (step, judged.findings)
            assert [rule for rule in scenario.rules if not judged.codes & set(rule)] == []
        elif scenario.is_twin:
            assert judged.seen and judged.missing == [] and judged.false_alarms == []
        else:
            assert judged.findings == [] and done.done.run.result["verdict"] == "clean", step


@pytest.mark.parametrize("number", [pytest.param(6, marks=core), 15, 31, 47])
def test_as_users_have_it_the_build_is_stopped_and_its_crate_named(stage: Stage, number: int) -> None:
    scenario = next(one for one in TOGETHER if one.expected["number"] == number)
    project = stage.workspace([scenario])
    done = stage.build(project, ("build",), ())
    assert done.done.code == 120 and done.done.run.result["verdict"] == "violation", done.done.shown
    assert scenario.crate in done.done.run.result["stopped"] and scenario.crate in done.done.stderr
    assert not processes(str(project.dir))


def sources(scenario: Scenario) -> Iterator[Path]:
    return (path for path in (TOP / scenario.folder).rglob("*.rs"))


@pytest.mark.parametrize("scenario", everything(), ids=str)
def test_a_scenario_is_inert_and_described(scenario: Scenario) -> None:
    texts = {path: path.read_text("utf-8") for path in sources(scenario)}
    acting = {path: text for path, text in texts.items() if "gate::" in text}
    assert acting
    for path, text in acting.items():
        first = min(text.index(call) for call in ("gate::script()", "gate::awake()") if call in text)
        acts = [found.start() for found in re.finditer(r"gate::(?!script|awake|fork|syscall)\w+\(", text)]
        # What stands before the gate stands in a function that only who passed it calls.
        assert all(first < act for act in acts), path
    everywhere = "".join(texts.values())
    for name in re.findall(r"[\w.-]+\.(?:com|org|net|io|dev|app|ai|me|ru|cn|xyz|sh)\b", everywhere):
        assert name.startswith("csbench"), f"{name} may be somebody's"
    for name in re.findall(r"https?://([^/\s'\"]+)", everywhere):
        assert name.endswith(".invalid") or name.startswith("192.0.2."), name
    assert all(name.endswith(".invalid") for name in re.findall(r'(?:post|solve)\("([^"]*)"', everywhere))
    for address in re.findall(r"\b\d{2,3}(?:[.,] ?\d{1,3}){3}\b", everywhere):
        octets = [int(part) for part in re.split(r"[.,] ?", address)]
        assert octets[:3] == [192, 0, 2] or octets[0] == 127 or octets == [169, 254, 169, 254], address
    for manifest in (TOP / scenario.folder).rglob("Cargo.toml"):
        text = manifest.read_text("utf-8")
        assert "publish = false" in text and 'name = "csbench-' in text
        needed = re.findall(r"^(?!name|version|edition|publish|proc-macro)\S+ = .*$", text, re.MULTILINE)
        assert all(line.startswith("csbench-") and "path = " in line for line in needed)


def test_every_scenario_says_what_it_promises() -> None:
    numbers = {one.expected["number"] for one in attacks()}
    assert numbers == {
        *range(1, 11), *range(15, 21), 23, *range(25, 29), 30, 31, 32, *range(34, 39), 40, 41, 43, 44, 45, 47, 48,
        50, 52, 54, 55,
    }  # fmt: skip
    for one in attacks():
        assert set(one.expected["trigger"]) <= TRIGGERS.keys() and one.expected["techniques"]
        assert set(one.expected["techniques"]) <= TECHNIQUES.keys()
        assert one.codes or one.limit, "no finding is expected only where it says why"
        assert one.codes or not one.expected["core"], "of the core, each is found"
        twin = one.expected["twin"]
        assert twin is None or any(other.folder == twin for other in twins())
    assert len({one.expected["pair"] for one in twins()}) == 11
