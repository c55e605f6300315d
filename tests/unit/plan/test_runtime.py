"""A named runtime: what stands there is decided before anything runs, and what must stand is never done without."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import SetupError
from sandbox.plan import seccomp
from sandbox.plan.build import build_plan, guard_settings, role_settings
from sandbox.plan.facts import Policy, RuntimeFacts
from sandbox.plan.model import Plan
from sandbox.plan.runtime import STOCK, fit, resolve_runtime
from tests.unit.plan.test_plan import HOST, TOOL, facts

WHOLE = RuntimeFacts("crun", landlock=7)
GVISOR = RuntimeFacts("runsc", notify=False, landlock=0, subreaper=False, confined=False, network=False)


def plan_in(runtime: RuntimeFacts | None, **policy: Any) -> Plan:
    host = dataclasses.replace(HOST, runtime=runtime)
    return build_plan(host, TOOL, facts(hidden=("/t/.cargo-sandbox/build",)), Policy(**policy), "sha256:11")


def test_where_everything_stands_a_named_runtime_changes_nothing_but_its_name() -> None:
    plan = plan_in(WHOLE)
    assert (plan.runtime, plan.alone, plan.missing, plan.require_landlock) == ("crun", False, (), 1)
    assert dataclasses.replace(plan, runtime="") == plan_in(None)
    assert "  runtime   crun" in plan.describe()


def test_what_is_missing_stands_in_the_plan_and_in_its_digest() -> None:
    plan = plan_in(GVISOR)
    assert plan.missing == (
        "runtime runsc: the guard can't record there: no user notification",
        "runtime runsc: units are not kept apart there (wall: other crates' outputs): no Landlock",
        "runtime runsc: what a unit leaves running lives until the build ends (wall: outliving the build): "
        "no child subreaper",
    )
    lines = plan.describe()
    assert [f"  missing   {words}" for words in plan.missing] == [line for line in lines if "missing" in line]
    assert any(line.startswith("  recorded  no, but guard") for line in lines) and "  landlock  none" in lines
    assert len({plan.digest(), plan_in(WHOLE).digest(), plan_in(dataclasses.replace(GVISOR, landlock=1)).digest()}) == 3


@pytest.mark.parametrize(
    ("changed", "alone", "landlock", "lacks"),
    [
        ({"landlock": 0}, False, False, ["no Landlock"]),
        ({"notify": False}, True, True, ["no user notification"]),
        ({"notify": False, "landlock": 0}, True, False, ["no user notification", "no Landlock"]),
        ({"subreaper": False}, False, True, ["no child subreaper"]),
    ],
)
def test_each_lack_is_met_by_itself(changed: dict[str, Any], alone: bool, landlock: bool, lacks: list[str]) -> None:
    given = fit(dataclasses.replace(WHOLE, **changed))
    assert (given.alone, given.landlock) == (alone, landlock)
    assert [words.rpartition(": ")[2] for words in given.missing] == lacks
    assert all(words.startswith("runtime crun: ") for words in given.missing)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"filters": False}, "a syscall filter can't be had there"),
        ({"no_new_privs": False}, "no_new_privs can't be had there"),
        ({"error": "exec format error"}, "exec format error"),
    ],
)
def test_without_what_refuses_nothing_is_built(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(SetupError) as caught:
        plan_in(dataclasses.replace(GVISOR, **changed))
    assert "runsc" in caught.value.message and why in caught.value.why and caught.value.fix


@given(st.builds(RuntimeFacts, st.just("x"), *([st.booleans()] * 3), st.integers(0, 9), *([st.booleans()] * 2)))
def test_no_combination_is_taken_for_whole_that_lacks_something(found: RuntimeFacts) -> None:
    try:
        given = fit(found)
    except SetupError:
        assert not (found.filters and found.no_new_privs)
        return
    assert found.filters and found.no_new_privs
    assert bool(given.missing) == (not found.notify or found.landlock < 1 or not found.subreaper)
    assert given.alone == (not found.notify)


def test_guard_and_roles_are_told_and_the_filter_is_the_one_that_asks_nobody() -> None:
    plan = plan_in(GVISOR)
    settings = dict(guard_settings(plan, seccomp.load("x86_64", alone=True)))
    assert (settings["alone"], settings["require_landlock"], settings["filter"]) == (
        b"1", b"0", seccomp.load("x86_64", alone=True).program.hex().encode(),
    )  # fmt: skip
    assert "refuse" not in settings
    roles = role_settings(facts(), TOOL, Policy(), fit(GVISOR))
    assert b"alone\x001\x00landlock\x000\x00subreaper\x000\x00" in roles
    plain = role_settings(facts(), TOOL, Policy())
    assert not [word for word in (b"alone", b"landlock", b"subreaper") if word in plain]
    assert dict(guard_settings(plan_in(WHOLE), seccomp.load("x86_64")))["alone"] == b"0"


def test_strict_asks_for_no_landlock_where_the_plan_has_none() -> None:
    """It was refused before; a plan that is printed all the same does not promise what can't be."""
    assert plan_in(GVISOR, strict=True).require_landlock == 0
    assert plan_in(WHOLE, strict=True).require_landlock == 3


def test_intermediates_of_other_builds_are_hidden() -> None:
    [mount] = [mount for mount in plan_in(GVISOR).mounts if mount.target == "/t/.cargo-sandbox/build"]
    assert (mount.kind, mount.source) == ("tmpfs", "")


@pytest.mark.parametrize(
    ("runtime", "network", "expected"),
    [
        (None, True, ""),
        (WHOLE, True, "crun"),
        (WHOLE, False, "crun"),
        (GVISOR, True, STOCK),
        (GVISOR, False, "runsc"),
    ],
)
def test_only_a_resolve_that_needs_a_network_which_is_not_shared_leaves_the_runtime(
    runtime: RuntimeFacts | None, network: bool, expected: str
) -> None:
    assert resolve_runtime(runtime, network) == expected
