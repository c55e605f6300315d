"""Runs a seccomp filter as the kernel would, one instruction after the other.

Written from seccomp(2) and the kernel's Documentation/networking/filter.rst, not from the assembler, so that the two
can disagree. It checks what `bpf_check_classic` and `seccomp_check_filter` check before a program is accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

X86_64 = 0xC000003E
AARCH64 = 0xC00000B7
I386 = 0x40000003
ARM = 0x40000028

KILL = 0x80000000
KILL_THREAD = 0x00000000
NOTIFY = 0x7FC00000
ALLOW = 0x7FFF0000
ENOSYS = 0x00050026
EPERM = 0x00050001
TRACE = 0x7FF00000


def decode(program: bytes) -> list[tuple[int, int, int, int]]:
    """The instructions of a program that the kernel would accept; AssertionError otherwise."""
    assert program and len(program) % 8 == 0
    instructions = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    assert len(instructions) <= 4096
    for at, (code, jump_true, jump_false, k) in enumerate(instructions):
        after = len(instructions) - at - 1
        match code:
            case 0x20:
                assert k % 4 == 0 and k < 64, "loads an aligned word of struct seccomp_data"
            case 0x05:
                assert k < after
            case 0x15 | 0x25 | 0x35 | 0x45:
                assert max(jump_true, jump_false) < after
            case 0x06 | 0x54:
                pass
            case _:
                raise AssertionError(f"instruction {at}: code {code:#x} is not one that a filter of ours should use")
    assert instructions[-1][0] == 0x06
    return instructions


def run(
    instructions: Sequence[tuple[int, int, int, int]], nr: int, arch: int, args: Sequence[int] = ()
) -> tuple[int, int, bool]:
    """Verdict, number of instructions executed, and whether an argument was looked at."""
    padded = [*args, *([0] * (6 - len(args)))]
    data = struct.pack("<IIQ6Q", nr, arch, 0, *padded)
    accumulator, at, steps, arguments = 0, 0, 0, False
    while True:
        code, jump_true, jump_false, k = instructions[at]
        steps += 1
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, k)
                arguments = arguments or k >= 16
            case 0x05:
                at += k
            case 0x54:
                accumulator &= k
            case 0x15:
                at += jump_true if accumulator == k else jump_false
            case 0x25:
                at += jump_true if accumulator > k else jump_false
            case 0x35:
                at += jump_true if accumulator >= k else jump_false
            case 0x45:
                at += jump_true if accumulator & k else jump_false
            case 0x06:
                return k, steps, arguments
