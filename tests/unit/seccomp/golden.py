"""Reads calls.txt and arguments.txt: what the filters shall do, written by hand."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.unit.seccomp import simulator as sim

_HERE = Path(__file__).parent
_WORDS = {"allow": sim.ALLOW, "guard": sim.NOTIFY, "trace": sim.TRACE}
NEEDED_BY_THE_GUARD = frozenset({"process_vm_readv"})
BY_ARGUMENTS = "by arguments"


@dataclass(frozen=True)
class Row:
    """One line of arguments.txt. None among `args` stands for any value; verdicts are (guard's, Docker's) by level."""

    call: str
    args: tuple[int | None, ...]
    verdicts: dict[str, tuple[int, int]]

    def fillings(self) -> list[tuple[int, ...]]:
        """The arguments with different rubbish in what must not matter."""
        rubbish = (0, 1, 0x5412, 0x7E028000, 0xFFFF_FFFF)
        plain = [tuple(some if arg is None else arg for arg in self.args) for some in rubbish]
        return [tuple(upper << 32 | arg for arg in args) for args in plain for upper in (0, 1, 0xFFFF_FFFF)]


@cache
def calls(level: str) -> dict[str, str]:
    """Name -> words of calls.txt at a level."""
    found: dict[str, str] = {}
    words = ""
    for line in (_HERE / "calls.txt").read_text("ascii").splitlines():
        if line and not line.startswith(("#", " ")):
            standard, _, strict = line.rstrip(":").partition(", strict: ")
            words = strict or standard if level == "strict" else standard
        elif line.startswith(" "):
            for name in line.split():
                assert name not in found, name
                found[name] = words
    return found


@cache
def rows() -> tuple[Row, ...]:
    """arguments.txt."""
    found = []
    for line in (_HERE / "arguments.txt").read_text("utf-8").splitlines():
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        split = next(index for index, field in enumerate(fields) if field in _WORDS)
        args = tuple(None if field == "-" else int(field, 0) for field in fields[1:split])
        verdicts = [_WORDS[field] for field in fields[split:]]
        assert len(verdicts) in (2, 4), line
        standard, strict = (verdicts[0], verdicts[1]), (verdicts[-2], verdicts[-1])
        found.append(Row(fields[0], args, {"standard": standard, "strict": strict}))
    return tuple(found)


def error(words: str) -> int:
    """The errno in `refuse EPERM`; 0 without one."""
    match = re.fullmatch(r"refuse (E\w+)", words)
    return int(getattr(errno, match[1])) if match else 0


def inner_verdict(words: str) -> int:
    """What the guard's filter does with a call that calls.txt describes so."""
    if words.startswith("E"):
        return 0x0005_0000 | int(getattr(errno, words))
    return sim.ALLOW if words == "allow" else sim.NOTIFY


def outer_verdict(name: str, words: str) -> int:
    """What the Docker Engine's filter does with it."""
    if words.startswith("refuse") and name not in NEEDED_BY_THE_GUARD:
        return sim.TRACE
    return inner_verdict(words) if words.startswith("E") else sim.ALLOW
