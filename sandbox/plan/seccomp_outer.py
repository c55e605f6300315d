"""The container's filter as scripts/gen-seccomp writes it: docker-<level>.json, in the form of the Docker Engine.

Format: https://docs.docker.com/engine/security/seccomp/ and the OCI runtime specification, config-linux.md, "Seccomp".
How runc carries it out (libcontainer/seccomp/seccomp_linux.go) shapes what is written here:
- several conditions on one argument of one rule are ORed. So a rule has one condition an argument, always
  SCMP_CMP_MASKED_EQ on the low 32 bits, and "none of these values" is written as patterns of bits.
- a rule with the default's action is skipped. The patterns of a call don't overlap, so that changes nothing.
- a name that libseccomp does not know is skipped. It then gets the default action, which refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.plan import bpf
from sandbox.plan.seccomp_source import Action, Decision, Source

_ALL = 0xFFFF_FFFF

# Argument -> (mask, value): the calls whose arguments have these bits. A tuple of (argument, mask, value), sorted.
Pattern = tuple[tuple[int, int, int], ...]


def profile(source: Source) -> str:
    """The text of the file."""
    rules: dict[tuple[tuple[str, int], Pattern], list[str]] = {}
    for name, decision in source.calls.items():
        for pattern, action in partition(decision):
            rules.setdefault((_outer(action), pattern), []).append(name)
    head = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": source.unknown.error,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
    }
    lines = [json.dumps(_rule(sorted(names), *key)) for key, names in sorted(rules.items())]
    return json.dumps(head, indent=1)[:-2] + ',\n "syscalls": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"


def partition(decision: Decision) -> list[tuple[Pattern, Action]]:
    """The decision as patterns that exclude each other and together are all calls, each with its action."""
    if decision.guard:
        return [((), Action("allow"))]
    base = _outer(decision.action)
    cases = list(decision.cases)
    while cases and _outer(cases[-1][1]) == base:
        cases.pop()
    left: list[Pattern] = [()]
    found = []
    for tests, action in cases:
        for wanted in _patterns(tests):
            found += [(part, action) for piece in left if (part := _both(piece, wanted)) is not None]
            left = [part for piece in left for part in _without(piece, wanted)]
    return found + [(piece, decision.action) for piece in left]


def _outer(action: Action) -> tuple[str, int]:
    """The action's name and errno in the profile."""
    if action.word == "errno":
        return "SCMP_ACT_ERRNO", action.error
    return ("SCMP_ACT_TRACE" if action.word == "refuse" else "SCMP_ACT_ALLOW"), 0


def _rule(names: list[str], action: tuple[str, int], pattern: Pattern) -> dict[str, Any]:
    word, error = action
    found: dict[str, Any] = {"names": names, "action": word}
    if error:
        found["errnoRet"] = error
    if pattern:
        found["args"] = [
            {"index": arg, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"} for arg, mask, value in pattern
        ]
    return found


def _patterns(tests: Iterable[bpf.Test]) -> list[Pattern]:
    """All patterns that pass every test."""
    found: list[Pattern] = [()]
    for test in tests:
        alone: list[Pattern] = [((test.arg, test.mask, value),) for value in test.values]
        if test.negated:
            pieces: list[Pattern] = [()]
            for pattern in alone:
                pieces = [part for piece in pieces for part in _without(piece, pattern)]
            alone = pieces
        found = [part for one in found for other in alone if (part := _both(one, other)) is not None]
    return found


def _both(one: Pattern, other: Pattern) -> Pattern | None:
    """What fits both; None when nothing does."""
    found = {arg: (mask, value) for arg, mask, value in one}
    for arg, mask, value in other:
        had_mask, had_value = found.get(arg, (0, 0))
        if (had_value ^ value) & had_mask & mask:
            return None
        found[arg] = (had_mask | mask, had_value | value)
    return tuple((arg, mask, value) for arg, (mask, value) in sorted(found.items()) if mask)


def _without(one: Pattern, other: Pattern) -> Iterator[Pattern]:
    """What fits `one` and not `other`, in patterns that exclude each other: bit by bit, from the highest."""
    if _both(one, other) is None:
        yield one
        return
    fixed: Pattern = one
    for arg, mask, value in other:
        held = next((mask for index, mask, _ in one if index == arg), 0)
        for bit in (1 << place for place in range(31, -1, -1)):
            if mask & bit and not held & bit:
                different = _both(fixed, ((arg, bit, ~value & bit),))
                same = _both(fixed, ((arg, bit, value & bit),))
                assert different is not None and same is not None, "the bit was free"
                yield different
                fixed = same
