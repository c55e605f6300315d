"""The syscall filter that a plan carries: the generated program for one architecture, ready for the guard."""

from __future__ import annotations

import hashlib
import os
import struct

from sandbox.errors import SetupError
from sandbox.resources import profile

ARCHITECTURES = ("x86_64", "aarch64")


def load(arch: str | None = None) -> bytes:
    """The inner filter for `arch` (default: this machine) as an array of `struct sock_filter`.

    Source: profiles/seccomp/inner.yaml, made into inner-<arch>.bpf by scripts/gen-seccomp. Raises SetupError when there
    is no filter for the architecture or the file is damaged.
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
        return parse(profile(f"seccomp/inner-{arch}.bpf").read_text("ascii"))
    except (OSError, ValueError) as error:
        raise SetupError(
            f"the syscall filter for {arch} can't be read",
            wall="kernel surface",
            why=str(error),
            fix="install cargo-sandbox again",
        ) from error


def digest(program: bytes) -> str:
    """What a plan says of its filter: `sha256:` and the hash of the program."""
    return "sha256:" + hashlib.sha256(program).hexdigest()


def parse(text: str) -> bytes:
    """The program in the text of a .bpf file: four hex fields a line, `;` begins a comment. Raises ValueError."""
    program = bytearray()
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.partition(";")[0].split()
        if not fields:
            continue
        try:
            code, jump_true, jump_false, k = (int(field, 16) for field in fields)
            program += struct.pack("<HBBI", code, jump_true, jump_false, k)
        except (ValueError, struct.error) as error:
            raise ValueError(f"line {number} is not an instruction: {line!r}") from error
    if not program:
        raise ValueError("no instructions")
    return bytes(program)
