"""Each switch takes down its own wall of a Docker container and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sandbox.engine import docker_config, docker_removed
from sandbox.engine.docker_config import Daemon
from sandbox.plan.model import Limits, Mount, Plan

DAEMON = Daemon("20.10.24", (1, 41), "/run/docker.sock")
PLAN = Plan(
    command=("/opt/cargo", "build"),
    cwd="/project",
    mounts=(Mount("ro", "/usr", "/usr"), Mount("tmpfs", "/tmp", size=5, mode=0o1777), Mount("proc", "/proc")),
    env=(("A", "1"),),
    limits=Limits(memory_bytes=8 << 30),
    recorded=True,
    uid=1000,
    gid=1000,
)


def asked(*removed: str, plan: Plan = PLAN) -> dict[str, Any]:
    """The host's part of the container without these walls."""
    wanted = replace(plan, removed_walls=removed)
    made = docker_removed.container(wanted, DAEMON, image="i:1", profile="{}", labels={})
    return dict(made.body["HostConfig"]) | {"Hostname": made.body["Hostname"]}


def test_without_a_switch_the_container_is_what_it_always_is() -> None:
    made = docker_config.container(PLAN, DAEMON, image="i:1", profile="{}", labels={})
    assert docker_removed.container(PLAN, DAEMON, image="i:1", profile="{}", labels={}) == made


@pytest.mark.parametrize(
    ("wall", "changed"),
    [
        ("capabilities", {"CapAdd", "SecurityOpt"}),
        ("outer", {"SecurityOpt"}),
        ("no-new-privs", {"SecurityOpt"}),
        ("ipc", {"IpcMode"}),
        ("uts", {"UTSMode", "Hostname"}),
        ("cgroup", {"CgroupnsMode"}),
        ("masked", {"MaskedPaths"}),
        ("proc", {"ReadonlyPaths"}),
        ("root", {"ReadonlyRootfs"}),
        ("below", {"Mounts"}),
        ("container-limits", {"Memory", "MemorySwap", "PidsLimit", "Ulimits"}),
        ("pid", set()),
        ("deny", set()),
    ],
)
def test_each_switch_changes_what_it_names_and_nothing_else(wall: str, changed: set[str]) -> None:
    whole, without = asked(), asked(wall)
    assert {key for key in whole if whole[key] != without.get(key)} == changed
    assert set(without) <= set(whole)


def test_the_process_namespace_goes_only_where_no_guard_would_end_what_it_sees() -> None:
    assert asked("pid", plan=replace(PLAN, recorded=False))["PidMode"] == "host"


def test_the_filter_and_the_flag_are_named_apart() -> None:
    assert asked("outer")["SecurityOpt"] == ["no-new-privileges:true", "seccomp=unconfined"]
    assert asked("no-new-privs")["SecurityOpt"] == ["seccomp={}"]


def test_what_no_plan_may_mount_is_shown_with_all_that_lies_below_it() -> None:
    shown = tuple(Mount("rw", path, path, why=docker_removed.WHY) for path in ("/sys", "/run/docker.sock", "/srv"))
    host = asked("open=/sys", plan=replace(PLAN, mounts=(*PLAN.mounts, *shown)))
    found = {mount["Target"]: mount for mount in host["Mounts"]}
    assert found["/sys"] == {"Type": "bind", "Source": "/sys", "Target": "/sys", "ReadOnly": False}
    assert "/run/docker.sock" in found and found["/srv"]["BindOptions"]["NonRecursive"]
    assert "/sys" not in host["MaskedPaths"] and "/proc/keys" in host["MaskedPaths"]
