"""The filter for where nobody can be asked: it refuses all that the guard would always refuse, and asks nobody."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from sandbox.plan import seccomp
from tests.unit.seccomp import golden
from tests.unit.seccomp import simulator as sim
from tests.unit.seccomp.filters import ARCHES, LEVELS, Loaded, inner, numbers

ERRNO = 0x0005_0000
every_filter = pytest.mark.parametrize(("level", "arch"), [(level, arch) for level in LEVELS for arch in ARCHES])


@dataclass(frozen=True)
class Row:
    """One line of alone.txt."""

    call: str
    args: tuple[int | None, ...]
    verdict: int

    def fillings(self) -> list[tuple[int, ...]]:
        return golden.Row(self.call, self.args, {}).fillings()


@cache
def rows() -> tuple[Row, ...]:
    found = []
    for line in (Path(__file__).parent / "alone.txt").read_text("ascii").splitlines():
        call, *words = line.partition("#")[0].split() or [""]
        if call:
            args = tuple(None if word == "-" else int(word, 0) for word in words[:-1])
            verdict = sim.ALLOW if words[-1] == "allow" else ERRNO | int(getattr(errno, words[-1]))
            found.append(Row(call, args, verdict))
    return tuple(found)


@cache
def alone(level: str, arch: str) -> Loaded:
    loaded = seccomp.load(arch, level, alone=True)
    assert loaded.refused == ()
    return Loaded(sim.decode(loaded.program), ARCHES[arch])


def verdict_of(words: str) -> int:
    """What calls.txt's words mean where nobody is asked."""
    if words.startswith("refuse"):
        return ERRNO | golden.error(words)
    return sim.ALLOW if words == "ask" else golden.inner_verdict(words)


@every_filter
def test_every_number_gets_its_verdict_and_none_asks(level: str, arch: str) -> None:
    loaded, names = alone(level, arch), {nr: name for name, nr in numbers(arch).items()}
    words, apart = golden.calls(level), {row.call for row in rows()}
    for nr in [*range(1200), 4095, 0x3FFF_FFFF]:
        name = names.get(nr, "")
        for filler in (0, 1, 0xFFFF_FFFF_FFFF_FFFF):
            verdict = loaded.verdict(nr, *[filler] * 6)
            assert verdict == sim.ALLOW or verdict & 0xFFFF_0000 == ERRNO, (nr, name)
            if not name:
                assert verdict == sim.ENOSYS
            elif name not in apart and words[name] != golden.BY_ARGUMENTS:
                assert verdict == verdict_of(words[name]), (nr, name)


@every_filter
def test_every_argument_rule_holds_at_its_edges_whatever_the_upper_halves(level: str, arch: str) -> None:
    loaded, table = alone(level, arch), numbers(arch)
    for row in rows():
        for args in row.fillings() if row.call in table else ():
            assert loaded.verdict(table[row.call], *args) == row.verdict, (row, list(map(hex, args)))


@every_filter
def test_it_is_never_weaker_than_what_is_refused_where_the_guard_is_asked(level: str, arch: str) -> None:
    """Whatever the arguments: always refused there, with the same errno here; refused by the kernel there, so here."""
    asking, loaded, table = inner(level, arch), alone(level, arch), numbers(arch)
    refused = dict(seccomp.load(arch, level).refused)
    tried = [(table[row.call], args) for row in golden.rows() if row.call in table for args in row.fillings()]
    tried += [(nr, args) for nr in range(600) for args in ((0,) * 6, (1,) * 6, (0x7E02_8011,) * 6, (0o6777,) * 6)]
    seen = 0
    for nr, args in tried:
        there, here = asking.verdict(nr, *args), loaded.verdict(nr, *args)
        if there == sim.NOTIFY and nr in refused:
            assert here == ERRNO | refused[nr], nr
            seen += 1
        elif there & 0xFFFF_0000 == ERRNO:
            assert here == there, nr
        elif there == sim.ALLOW:
            assert here == sim.ALLOW, nr
    assert seen > 500


@every_filter
def test_other_abis_are_refused(level: str, arch: str) -> None:
    for foreign in {sim.I386, sim.ARM, 0, *ARCHES.values()} - {ARCHES[arch]}:
        assert {alone(level, arch).verdict(nr, arch=foreign) for nr in range(1200)} == {sim.ENOSYS}
    if arch == "x86_64":
        assert {alone(level, arch).verdict(0x4000_0000 | nr) for nr in range(1200)} == {sim.ENOSYS}
