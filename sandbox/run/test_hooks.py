"""Walls taken down one by one, for tests only: an attack that a wall stops must succeed once that wall is away.

Only a source checkout listens to the variable (as with `sandbox.guard.guard.TEST_VARIABLE`): in an installed package
nothing in the environment may weaken a plan. Walls that are the guard's own also need a guard compiled for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sandbox.plan.model import Mount, MountKind, Plan
from sandbox.record import replace
from sandbox.resources import is_checkout, profile

TEST_VARIABLE = "CARGO_SANDBOX_TEST_BREAK"

_OWN_FILES = ("sources", "cargo home")

# How the guard's roles report to init, by prctl: CSBX_REPORT of calls.yaml.
_REPORT = 0x43534258
# struct sock_filter in hex: code (BPF_RET | BPF_K), two jumps, a SECCOMP_RET_* word with its kind in the upper half.
_RETURN, _ERRNO, _ALLOW = b"0600", b"0500", b"060000000000ff7f"


def removed_walls(env: Mapping[str, str]) -> tuple[str, ...]:
    """The names in the variable, separated by commas; none outside a source checkout."""
    text = env.get(TEST_VARIABLE, "")
    return tuple(name for name in text.split(",") if name) if text and is_checkout() else ()


def without_walls(plan: Plan, env: Mapping[str, str]) -> Plan:
    """The plan without the walls in `plan.removed_walls` that are made of mounts, namespaces and variables.

    network      the host's network namespace
    home         the caller's own home directory instead of a fresh one with decoys
    environment  every variable of the caller
    dotenv       `.env*` files unmasked
    readonly     sources and cargo's home writable
    show=PATH    one more directory or file of the host, read-only
    open=PATH    the same, writable
    landlock99   ask for a Landlock that no kernel has

    Other names are left to the engine (bubblewrap: capabilities, userns, ipc, uts, cgroup, pid, proc, masked, root;
    Docker: see `sandbox.engine.docker_removed`), to `owner`, to `without_settings` and to the guard. A plan that names
    no wall comes back as it is.
    """
    for name in plan.removed_walls:
        mounts = plan.mounts
        if name == "network":
            plan = replace(plan, network=True)
        elif name == "home":
            hidden = [mount.target for mount in mounts if mount.why in ("fresh home", "fresh cargo home")]
            kept = tuple(m for m in mounts if m.target not in hidden and m.why not in ("decoy", "cargo home"))
            kind: MountKind = "rw" if "readonly" in plan.removed_walls else "ro"
            own = tuple(Mount(kind, path, path, why="wall removed") for path in hidden)
            place = next(index for index, mount in enumerate(mounts) if mount.target == hidden[0])
            plan = replace(plan, mounts=(*kept[:place], *own, *kept[place:]))
        elif name == "environment":
            plan = replace(plan, env=tuple(sorted((dict(env) | dict(plan.env)).items())))
        elif name == "dotenv":
            plan = replace(plan, mounts=tuple(mount for mount in mounts if mount.why != "masked"))
        elif name == "readonly":
            opened = (replace(m, kind="rw") if m.kind == "ro" and m.why in _OWN_FILES else m for m in mounts)
            plan = replace(plan, mounts=tuple(opened))
        elif name == "landlock99":
            plan = replace(plan, require_landlock=99)
        elif name.startswith(("show=", "open=")):
            way, path = name.split("=", 1)
            mount = Mount("ro" if way == "show" else "rw", path, path, why="wall removed")
            plan = replace(plan, mounts=(*mounts, mount))
    return plan


def owner(found: tuple[int, int], env: Mapping[str, str]) -> tuple[int, int]:
    """Whose the build is: `found`, or without the wall `user` the caller's, also where that is root."""
    return (os.getuid(), os.getgid()) if "user" in removed_walls(env) else found


def without_settings(pairs: Sequence[tuple[str, bytes]], plan: Plan) -> list[tuple[str, bytes]]:
    """The guard's settings (`guard_settings`) without the walls in `plan.removed_walls` that are made by them.

    filter       the kernel lets pass what the syscall filter refuses without asking the guard
    inner        the guard's filter asks for programs alone, without which there would be no record at all
    limits       no limit of ours on files, processes and core dumps
    """
    if "filter" in plan.removed_walls:
        pairs = [(key, _without_refusals(value) if key == "filter" else value) for key, value in pairs]
    if "inner" in plan.removed_walls:
        pairs = [(key, _asking_for_programs() if key == "filter" else value) for key, value in pairs]
    if "limits" in plan.removed_walls:
        pairs = [(key, value) for key, value in pairs if key != "rlimit"]
    return list(pairs)


def _without_refusals(program: bytes) -> bytes:
    """A filter in hex, each instruction 16 digits."""
    lines = (program[at : at + 16] for at in range(0, len(program), 16))
    return b"".join(_ALLOW if line[:4] == _RETURN and line[12:] == _ERRNO else line for line in lines)


def _asking_for_programs() -> bytes:
    """A filter in hex that notifies where a program begins and of the roles' reports, and lets all else pass."""
    import dataclasses

    from sandbox.plan import bpf
    from sandbox.plan.seccomp_source import read_tables

    machine = os.uname().machine
    tables = read_tables(profile("seccomp/syscalls.json").read_text())
    allow, ask = bpf.Rule(bpf.RET_ALLOW), bpf.Rule(bpf.RET_NOTIFY)
    rules = {"execve": ask, "execveat": ask}
    rules["prctl"] = dataclasses.replace(allow, cases=(bpf.Case((bpf.Test(0, (_REPORT,)),), bpf.RET_NOTIFY),))
    numbers = {tables[machine][name]: rule for name, rule in rules.items() if name in tables[machine]}
    program = bpf.assemble(machine, numbers, allow, bpf.RET_ALLOW, bpf.RET_ALLOW, {})
    return b"".join(instruction.pack() for instruction in program).hex().encode()
