"""What rules may ask about what is known already: baselines and the population. The baseline part implements it."""

from __future__ import annotations

from typing import Protocol

from sandbox.behaviour.model import Fact, Key


class Known(Protocol):
    """Answers from baselines and from the pack. Pure over its stores: the same for the same question."""

    def rung(self, key: Key) -> str:
        """The rung of the ladder on which a unit stands: `same version`, `earlier version`, `population` or
        `default rules`."""

    def holds(self, key: Key, fact: Fact) -> bool:
        """Whether the accepted baseline of that unit has this fact. Never by population alone."""

    def rarity(self, fact: Fact) -> float:
        """Share of the population's units that do not do the like, 0 to 1; 1.0 where nothing is known."""


class NothingKnown:
    """No baseline and no pack."""

    def rung(self, key: Key) -> str:
        return "default rules"

    def holds(self, key: Key, fact: Fact) -> bool:
        return False

    def rarity(self, fact: Fact) -> float:
        return 1.0
