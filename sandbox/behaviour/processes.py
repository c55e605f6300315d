"""The processes of one unit: which program ran in which, so that each exec has its chain.

Chains are worked out at the end. A fork that never execs is only known by its other acts, which may come before or
after those of its children; what is known in the end does not depend on that order.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

UNKNOWN = "?"
CUT = "…"
MOST_PROCESSES = 20_000
MOST_IMAGES = 20_000
_MOST_LINKS = 16
_MOST_DEPTH = 128

Chain = tuple[str, ...]


@dataclass(slots=True)
class Room:
    """Memory that all units of a run share, in characters."""

    left: int = 256 << 20

    def take(self, size: int) -> bool:
        """Whether there was room for so much, which is then taken."""
        if self.left < size:
            return False
        self.left -= size
        return True


_LIFE = 300
"""About what a process takes, in characters."""


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
    room: Room = field(default_factory=Room)
    cut: bool = False
    _lives: dict[int, dict[int, _Process]] = field(default_factory=dict)
    _lived: int = 0
    _ran: int = 0

    def seen(self, pid: int, start: int, parent: int, seq: int) -> None:
        """A process acted."""
        lives = self._lives.setdefault(pid, {})
        life = lives.get(start)
        if life is not None:
            life.first = min(life.first, seq)
        elif self._lived < MOST_PROCESSES and self.room.take(_LIFE):
            self._lived += 1
            lives[start] = _Process(parent, seq)
        else:
            self.cut = True

    def ran(self, pid: int, start: int, seq: int, program: str) -> None:
        """A process became a program."""
        life = self._lives.get(pid, {}).get(start)
        if life is None or self._ran >= MOST_IMAGES:
            self.cut = True
            return
        self._ran += 1
        insort(life.images, (seq, program))

    def chain(self, pid: int, start: int, seq: int) -> Chain:
        """Programs from the unit's first process to what this process was just before event `seq`."""
        links: list[str] = []
        seen: set[tuple[int, int]] = set()
        for _ in range(_MOST_DEPTH):
            life = self._lives.get(pid, {}).get(start)
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
        lives = self._lives.get(pid, {})
        before = [(life.first, start) for start, life in lives.items() if life.first <= seq]
        if before:
            return max(before)[1]
        return min(((life.first, start) for start, life in lives.items()), default=(0, -1))[1]
