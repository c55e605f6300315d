"""Tiers: what an engine is worth on a host, in one word and with reasons.

Named tuples, for every run imports this and a dataclass takes several times as long to make.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Tier = Literal["none", "degraded", "standard", "strong"]
TIERS: tuple[Tier, ...] = ("none", "degraded", "standard", "strong")
"""From the weakest. `none`: the engine can't be used. `degraded`: some wall or the record is weaker, or was not
seen. `standard`: every wall of DESIGN §6 stands. `strong`: gVisor or a virtual machine around the build as well."""

ENGINES = ("bubblewrap", "docker")
"""In the order in which `--engine auto` takes them."""


class Reason(NamedTuple):
    """Why a tier is not a better one. `check` is the id of the check that says so, empty for a wall without one."""

    check: str
    words: str
    means: str = ""
    fix: str = ""


class Standing(NamedTuple):
    """What an engine is worth on this host."""

    engine: str
    tier: Tier
    reasons: tuple[Reason, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the engine can be used."""
        return self.tier != "none"

    def reaches(self, tier: str) -> bool:
        """Whether it is at least of this tier. Raises ValueError for a word that is no tier."""
        names: tuple[str, ...] = TIERS
        return names.index(self.tier) >= names.index(tier)

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "engine": self.engine,
            "tier": self.tier,
            "usable": self.usable,
            "reasons": [reason._asdict() for reason in self.reasons],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Standing:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
        tier = data["tier"]
        if tier not in TIERS:
            raise ValueError(tier)
        reasons = tuple(Reason(*(str(entry[name]) for name in Reason._fields)) for entry in data["reasons"])
        return cls(str(data["engine"]), tier, reasons)
