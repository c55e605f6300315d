"""The same acts with each engine: the same verdict, the same findings, the same record."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.attack.arena import Arena, Attack, workspace
from tests.attack.kernel_calls import CALLS
from tests.attack.test_host_files import on_outputs, on_sources
from tests.attack.test_network import elsewhere
from tests.attack.test_processes import limits, looks
from tests.engines import core, only
from tests.harness import Lab, guard_binary, session

pytestmark = [pytest.mark.attack, pytest.mark.engine]

# What is another one each time. The build dir's name depends on whose the build is.
_CHANCE = (
    (re.compile(r"(?<=/proc/)\d+"), "PID"),
    (re.compile(r"(?<=/\.cargo-sandbox/build)-\d+"), ""),
    (re.compile(r"(?<=/scratch/)cs-[\w-]+"), "SCRATCH"),
    (re.compile(r"(?<=-)[0-9a-f]{16}(?![0-9a-f])"), "HASH"),
    (re.compile(r"(?<=/rustc)\w{6}(?=/)|(?<=/cc)\w{6}(?=\.)"), "NEW"),
)
_WHEN = ("seq", "t_ns", "pid", "start", "parent", "target", "args")


def acts(arena: Arena) -> dict[str, tuple[str, ...]]:
    """Something for each wall."""
    home = arena.project.home
    others = {name: words for name, words in looks().items() if not name.startswith("neighbour")}
    return {
        "mine": ("put", "{out}/mine.rs", "x"),
        **on_sources(arena),
        **on_outputs(arena),
        **elsewhere(),
        **{name: call.act() for name, call in CALLS.items()},
        **others,
        **limits(),
        "resolve": ("resolve", "csbench.invalid"),
        "key": ("read", f"{home}/.ssh/id_rsa"),
        "persist": ("append", f"{home}/.bashrc", "x"),
        "cargo": ("kill", "cargo", "9"),
        "drop": ("run", "/bin/sh", "-c", "printf '#!/bin/sh\\n' > $TMPDIR/d; chmod 755 $TMPDIR/d; $TMPDIR/d"),
        "daemon": ("daemon", "csbench-left", "sleep 2.5"),
        # Its shell has a child of its own then.
        "wait": ("sleep", "300"),
    }


def attack(lab: Lab) -> Attack:
    """A build in which script and macro act."""
    arena = Arena(lab.project(workspace()), guard_binary(), breakable=False)
    assert arena.attack().done.code == 0
    given = acts(arena)
    by_macro = {f"m-{name}": words for name, words in given.items() if not any("{" in word for word in words)}
    return arena.attack(script=given, macro=by_macro)


def normal(found: Attack, value: Any) -> Any:
    """Without what is another one each time, and such that it can be an element of a set."""
    if isinstance(value, Mapping):
        return tuple(sorted((key, normal(found, part)) for key, part in value.items() if key not in _WHEN))
    if isinstance(value, list):
        return tuple(normal(found, part) for part in value)
    if not isinstance(value, str):
        return value
    value = value.replace(str(found.done.project.home), "HOME")
    for pattern, word in _CHANCE:
        value = pattern.sub(word, value)
    return value


def record(found: Attack) -> set[Any]:
    """Each event, with what its unit is in place of the number."""
    parts = ("role", "package", "crate")
    units = {unit["unit"]: " ".join(str(unit.get(part)) for part in parts) for unit in found.run.units()}
    return {normal(found, event | {"unit": units[event["unit"]]}) for event in found.events}


def findings(found: Attack) -> list[Any]:
    parts = ("code", "severity", "package", "version", "role", "subject")
    return sorted(tuple(normal(found, entry.get(part)) for part in parts) for entry in found.run.findings())


@core
@only("docker", "compares it with bubblewrap")
def test_outcomes_verdict_findings_and_record_are_the_same(lab: Lab) -> None:
    with session("bubblewrap") as other:
        bubblewrap, docker = both = (attack(other), attack(lab))
        # Where root's build is somebody else's, its sources are not only read-only but another user's.
        given_away = docker.run.plan["uid"] != os.geteuid()
        for here, there in ((bubblewrap.script, docker.script), (bubblewrap.macro, docker.macro)):
            expected = {name: "EACCES" if given_away and text == "EROFS" else text for name, text in here.items()}
            told = {name: "EACCES" if given_away and text == "EROFS" else text for name, text in there.items()}
            assert normal(bubblewrap, expected) == normal(docker, told)
        assert len({(one.done.code, one.run.result["verdict"]) for one in both}) == 1
        assert {f"CS010{number}" for number in range(1, 7)} <= docker.codes()
        assert findings(bubblewrap) == findings(docker)
        assert record(bubblewrap) == record(docker)
        assert [one.run.result["completeness"]["reasons"] for one in both] == [[], []]
