"""How much memory behaviours may take: all of a run's, and each unit's part of it."""

from __future__ import annotations

from dataclasses import dataclass, field

SHARE = 4
"""No unit may hold more than this part of what is left, so that one that does much leaves room for all others."""
ALWAYS = 16 << 10
"""Bytes that each unit may have however much the others took: most units need less."""


@dataclass(slots=True)
class Room:
    """Memory that all units of a run share, in bytes: ours is bounded, whatever a build does."""

    left: int = 72 << 20


@dataclass(slots=True)
class Part:
    """What one unit takes of the room."""

    room: Room = field(default_factory=Room)
    taken: int = 0

    def take(self, size: int) -> bool:
        """Whether there was room for so many bytes, which are then taken."""
        left, taken = self.room.left - size, self.taken + size
        if taken > ALWAYS and taken * SHARE > left:
            return False
        self.room.left, self.taken = left, taken
        return True
