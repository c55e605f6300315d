"""The syscall filter that a plan carries: what was generated for one architecture and level, ready for the guard."""

from __future__ import annotations

import functools
import hashlib
import os
import struct

from sandbox.errors import SetupError
from sandbox.record import record
from sandbox.resources import profile

ARCHITECTURES = ("x86_64", "aarch64")
LEVELS = ("standard", "strict")


@record
class Filter:
    """`program` is an array of `struct sock_filter`; `refused` are the calls (number, errno) that the guard records and
    refuses whenever the program asks about them. What else it asks about, the guard judges by the arguments. A program
    that is to stand alone asks about none, and there are none."""

    program: bytes
    refused: tuple[tuple[int, int], ...] = ()

    @property
    def digest(self) -> str:
        """What a plan says of its filter: `sha256:` and the hash of both parts."""
        return "sha256:" + hashlib.sha256(self.program + repr(self.refused).encode()).hexdigest()


@functools.cache
def load(arch: str | None = None, level: str = "standard", alone: bool = False) -> Filter:
    """The inner filter for `arch` (default: this machine), or the one for where the guard can't be asked (`alone`).

    Read once in a process. Source: profiles/seccomp/calls.yaml, made into inner-<level>-<arch>.bpf and
    alone-<level>-<arch>.bpf by scripts/gen-seccomp. Raises SetupError when there is no filter for the architecture or
    the file is damaged.
    """
    arch = arch or os.uname().machine
    if arch not in ARCHITECTURES:
        raise SetupError(
            f"no syscall filter for {arch}",
            wall="kernel surface",
            why=f"filters exist for {' and '.join(ARCHITECTURES)}",
            fix="build on a machine of one of these architectures",
        )
    try:
        return parse(profile(f"seccomp/{'alone' if alone else 'inner'}-{level}-{arch}.bpf").read_text("ascii"))
    except (OSError, ValueError) as error:
        raise SetupError(
            f"the syscall filter for {arch} can't be read",
            wall="kernel surface",
            why=str(error),
            fix="install cargo-sandbox again",
        ) from error


def parse(text: str) -> Filter:
    """The content of a .bpf file: four hex fields a line, or `refuse` and two decimal ones; `;` begins a comment.
    Raises ValueError."""
    program = bytearray()
    refused = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition(";")[0].split()
        if not fields:
            continue
        try:
            if fields[0] == "refuse":
                call, errno = map(int, fields[1:])
                refused.append((call, errno))
                continue
            code, jump_true, jump_false, k = (int(field, 16) for field in fields)
            program += struct.pack("<HBBI", code, jump_true, jump_false, k)
        except (ValueError, struct.error) as error:
            raise ValueError(f"line {number} is not an instruction: {line!r}") from error
    if not program:
        raise ValueError("no instructions")
    return Filter(bytes(program), tuple(refused))
