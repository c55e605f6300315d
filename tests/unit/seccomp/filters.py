"""The checked-in filters, ready for the simulator, by level and architecture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.plan import seccomp
from tests.unit.seccomp import simulator as sim
from tests.unit.seccomp.runc import compile_profile

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "profiles" / "seccomp"
LEVELS = ("standard", "strict")
ARCHES = {"x86_64": sim.X86_64, "aarch64": sim.AARCH64}

Instructions = list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class Loaded:
    """A filter as the kernel has it. `missing`: names that the machine's libseccomp could not put into it."""

    instructions: Instructions
    arch: int
    missing: frozenset[str] = frozenset()

    def verdict(self, nr: int, *args: int, arch: int | None = None) -> int:
        return sim.run(self.instructions, nr, self.arch if arch is None else arch, args)[0]


@cache
def numbers(arch: str) -> dict[str, int]:
    """Name -> number."""
    table = json.loads((FOLDER / "syscalls.json").read_text())[arch]
    assert isinstance(table, dict)
    return table


@cache
def inner(level: str, arch: str) -> Loaded:
    return Loaded(sim.decode(seccomp.load(arch, level).program), ARCHES[arch])


@cache
def outer(level: str, arch: str) -> Loaded:
    """What runc and libseccomp make of the Docker Engine's profile."""
    profile = json.loads((FOLDER / f"docker-{level}.json").read_text())
    program, missing = compile_profile(profile, f"SCMP_ARCH_{arch.upper()}")
    return Loaded(sim.decode(program), ARCHES[arch], frozenset(missing))
