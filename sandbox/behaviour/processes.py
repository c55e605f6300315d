"""The processes of one unit: which program ran in which, so that each exec has its chain.

Chains are worked out at the end. A fork that never execs is only known by its other acts, which may come before or
after those of its children; what is known in the end does not depend on that order.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from sandbox.behaviour.room import Part

UNKNOWN = "?"
CUT = "…"
MOST_PROCESSES = 20_000
MOST_IMAGES = 20_000
_MOST_LINKS = 16
_MOST_DEPTH = 128

Chain = tuple[str, ...]


_LIFE = 280
"""Bytes that a process takes."""
_IMAGE = 100
"""Bytes that a program takes which a process became, besides its name."""


@dataclass(slots=True)
class _Process:
    """One life of a pid. `images`: (number of the event, program), in order."""

    parent: int
    first: int
    images: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Processes:
    """All processes of a unit; `cut` tells that there were more than are kept, whose chains are then unknown."""

    root: int
    part: Part = field(default_factory=Part)
    cut: bool = False
    _lives: dict[tuple[int, int], _Process] = field(default_factory=dict)
    _ran: int = 0
    _by_pid: dict[int, list[int]] | None = None

    def seen(self, pid: int, start: int, parent: int, seq: int) -> None:
        """A process acted."""
        life = self._lives.get((pid, start))
        if life is not None:
            life.first = min(life.first, seq)
        elif len(self._lives) < MOST_PROCESSES and self.part.take(_LIFE):
            self._lives[pid, start] = _Process(parent, seq)
        else:
            self.cut = True

    def ran(self, pid: int, start: int, seq: int, program: str) -> None:
        """A process became a program."""
        life = self._lives.get((pid, start))
        if life is None or self._ran >= MOST_IMAGES or not self.part.take(_IMAGE + len(program)):
            self.cut = True
            return
        self._ran += 1
        insort(life.images, (seq, program))

    def chain(self, pid: int, start: int, seq: int) -> Chain:
        """Programs from the unit's first process to what this process was just before event `seq`. Ask when all was
        seen."""
        links: list[str] = []
        seen: set[tuple[int, int]] = set()
        for _ in range(_MOST_DEPTH):
            life = self._lives.get((pid, start))
            if life is None or (pid, start) in seen:
                if pid != self.root:
                    links.append(UNKNOWN)
                break
            seen.add((pid, start))
            before = bisect_left(life.images, (seq, ""))
            links += [program for _, program in reversed(life.images[max(0, before - _MOST_LINKS) : before])]
            if before > _MOST_LINKS:
                links.append(CUT)
            if pid == self.root:
                break
            pid, seq = life.parent, life.first
            start = self._life_at(pid, seq)
        else:
            links.append(CUT)
        links.reverse()
        if len(links) > _MOST_LINKS:
            half = _MOST_LINKS // 2
            links = [*links[:half], CUT, *links[-half:]]
        return tuple(links)

    def _life_at(self, pid: int, seq: int) -> int:
        """Start time of the life of `pid` that was on at event `seq`; of its first one if that was not heard of yet."""
        if self._by_pid is None:
            self._by_pid = {}
            for known, begun in self._lives:
                self._by_pid.setdefault(known, []).append(begun)
        firsts = [(self._lives[pid, start].first, start) for start in self._by_pid.get(pid, ())]
        before = [life for life in firsts if life[0] <= seq]
        return max(before)[1] if before else min(firsts, default=(0, -1))[1]
