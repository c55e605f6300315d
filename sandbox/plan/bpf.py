"""The assembler of syscall filters: rules for syscall numbers -> a classic BPF program for seccomp.

Written after seccomp(2), the kernel's Documentation/userspace-api/seccomp_filter.rst and its headers
linux/filter.h, linux/seccomp.h and linux/audit.h.
The program loads nothing but the number and the architecture before a plain `allow`, so Linux >= 5.11 answers such
calls from its bitmap (kernel/seccomp.c, `seccomp_is_const_allow`) without running the program at all.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

RET_KILL_PROCESS = 0x80000000
RET_NOTIFY = 0x7FC00000
RET_ERRNO = 0x00050000
RET_ALLOW = 0x7FFF0000

# AUDIT_ARCH_* of the architectures that we have tables for; both are little-endian.
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP = 0x05  # BPF_JMP | BPF_JA
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_IF_BITS = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_MASK = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

# Offsets in struct seccomp_data: nr, arch, instruction pointer, then six 64-bit arguments, low half first.
_AT_NR = 0
_AT_ARCH = 4
_AT_ARGS = 16
_MAX_SHORT_JUMP = 255
_MAX_PROGRAM = 4096


class Instruction(NamedTuple):
    """One `struct sock_filter`, and a note for the reader."""

    code: int
    jump_true: int
    jump_false: int
    k: int
    note: str = ""

    def pack(self) -> bytes:
        """The eight bytes that the kernel reads."""
        return struct.pack("<HBBI", self.code, self.jump_true, self.jump_false, self.k)

    def text(self) -> str:
        """One line of a .bpf file: the four fields in hex, then the note."""
        return f"{self.code:04x} {self.jump_true:02x} {self.jump_false:02x} {self.k:08x}  ; {self.note}"


@dataclass(frozen=True, slots=True)
class Test:
    """On the bits `mask` of the low 32 of argument `arg` (0..5): they are one of `values`, or with `negated` none."""

    arg: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A verdict (a SECCOMP_RET_* word) for the calls whose arguments pass all `tests`."""

    tests: tuple[Test, ...]
    verdict: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a call: the verdict of the first case that holds, else `verdict`."""

    verdict: int
    cases: tuple[Case, ...] = ()


def describe(verdict: int) -> str:
    """The name of a SECCOMP_RET_* word."""
    names = {RET_KILL_PROCESS: "kill", RET_NOTIFY: "notify", RET_ALLOW: "allow"}
    return names.get(verdict) or f"errno {verdict & 0xFFFF}"


def assemble(
    arch: str, rules: Mapping[int, Rule], unknown: Rule, foreign: int, x32: int, names: Mapping[int, str]
) -> list[Instruction]:
    """The program for `arch`.

    `rules` maps every known number to its rule, `unknown` is for all others; `foreign` and `x32` are the verdicts for
    calls of another architecture and (x86_64) of the x32 ABI. `names` are for the notes. Raises ValueError when the
    program would not fit into what the kernel takes.
    """
    program = [
        Instruction(_LOAD, 0, 0, _AT_ARCH, "arch"),
        Instruction(_IF_EQUAL, 1, 0, AUDIT_ARCH[arch], f"{arch}?"),
        Instruction(_RETURN, 0, 0, foreign, describe(foreign) + ": foreign architecture"),
        Instruction(_LOAD, 0, 0, _AT_NR, "number"),
    ]
    if arch == "x86_64":
        program.append(Instruction(_IF_BITS, 0, 1, X32_BIT, "x32?"))
        program.append(Instruction(_RETURN, 0, 0, x32, describe(x32) + ": x32 ABI"))
    program += _tree(_segments(rules, unknown, names))
    if len(program) > _MAX_PROGRAM:
        raise ValueError(f"the filter has {len(program)} instructions, the kernel takes {_MAX_PROGRAM}")
    return program


class _Segment(NamedTuple):
    """Numbers from `start` up to the next segment, all with one rule."""

    start: int
    rule: Rule
    note: str


def _segments(rules: Mapping[int, Rule], unknown: Rule, names: Mapping[int, str]) -> list[_Segment]:
    """The whole range of numbers, cut where the rule changes."""
    end = max(rules, default=-1) + 1
    starts = [nr for nr in range(end + 1) if nr == 0 or rules.get(nr, unknown) != rules.get(nr - 1, unknown)]
    segments = []
    for start, stop in zip(starts, [*starts[1:], None], strict=True):
        last = end if stop is None else stop - 1
        label = names.get(start, str(start))
        if last != start:
            label += f" .. {'' if stop is None else names.get(last, str(last))}".rstrip()
        segments.append(_Segment(start, rules.get(start, unknown), label))
    return segments


def _tree(segments: Sequence[_Segment]) -> list[Instruction]:
    """A balanced search tree over the segments; the number is in the accumulator."""
    if len(segments) == 1:
        return _leaf(segments[0])
    middle = len(segments) // 2
    pivot = segments[middle]
    left, right = _tree(segments[:middle]), _tree(segments[middle:])
    note = f"from {pivot.note.split(' ..')[0]} on?"
    if len(left) <= _MAX_SHORT_JUMP:
        return [Instruction(_IF_AT_LEAST, len(left), 0, pivot.start, note), *left, *right]
    far = Instruction(_JUMP, 0, 0, len(left), "past the lower half")
    return [Instruction(_IF_AT_LEAST, 0, 1, pivot.start, note), far, *left, *right]


def _leaf(segment: _Segment) -> list[Instruction]:
    """The end of a search: the cases one after the other, then the verdict for all else."""
    rule = segment.rule
    program = [instruction for case in rule.cases for instruction in _case(segment.note, case)]
    return [*program, Instruction(_RETURN, 0, 0, rule.verdict, f"{describe(rule.verdict)}: {segment.note}")]


def _case(note: str, case: Case) -> list[Instruction]:
    """Its tests, each of which leaves to the instruction behind the case when it fails, and its verdict."""
    program = [Instruction(_RETURN, 0, 0, case.verdict, f"{describe(case.verdict)}: so in {note}")]
    for test in reversed(case.tests):
        program = [*_test(note, test, len(program)), *program]
    return program


def _test(note: str, test: Test, left: int) -> list[Instruction]:
    """One test; `left` instructions of its case follow, which are jumped over when it fails."""
    load = [Instruction(_LOAD, 0, 0, _AT_ARGS + 8 * test.arg, f"{note}: argument {test.arg}, low half")]
    if test.mask != 0xFFFF_FFFF:
        load.append(Instruction(_MASK, 0, 0, test.mask, f"its bits {test.mask:#x}"))
    count = len(test.values)
    if not 0 < count + left <= _MAX_SHORT_JUMP:
        raise ValueError(f"{note}: {count} values to compare and {left} instructions behind them are too many")
    compare = []
    for index, value in enumerate(test.values):
        rest = count - 1 - index
        hit = rest + (left if test.negated else 0)
        miss = 0 if rest or test.negated else left
        compare.append(Instruction(_IF_EQUAL, hit, miss, value, f"{value:#x}?"))
    return [*load, *compare]
