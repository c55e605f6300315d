"""How much of a build a run has seen. "Clean" says something about what was seen, and nothing about the rest."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sandbox.judge.model import RunResult

_NO_UNITS = frozenset({"cargo", "probe"})


class Seen(NamedTuple):
    """`all`: cargo came to a good end. `part`: what it had not started by its end was not seen. `nothing`: no unit ran
    and none was fresh, or nobody recorded what ran. `why` is empty for `all`."""

    extent: Literal["all", "part", "nothing"]
    why: str = ""


def seen(result: RunResult) -> Seen:
    """Errs towards `part`: a failed test counts as an end before all was started."""
    if result.audit:
        return Seen("all")
    if not result.recorded:
        return Seen("nothing", "the guard could not record there, so no unit was seen")
    why = result.stopped or _end(result)
    if not _ran(result) + result.fresh_units:
        return Seen("nothing", why or "nothing was built, and nothing was fresh")
    return Seen("part", why) if why else Seen("all")


def headline(result: RunResult) -> str:
    """The verdict in words that can't be taken for more than it is."""
    extent = seen(result).extent
    if result.verdict != "clean" or extent == "all":
        return result.verdict
    return "nothing seen" if extent == "nothing" else "clean as far as seen"


def gaps(result: RunResult) -> list[str]:
    """Sentences on what was not seen and what no baseline was there for; empty only when neither is so."""
    extent, why = seen(result)
    words = {"part": f"not all was seen: {why}", "nothing": f"nothing was seen: {why}"}
    found = [words[extent]] if extent in words else []
    return found + ([baseline(result)] if result.no_baseline != 0 else [])


def baseline(result: RunResult) -> str:
    """What the run was compared with, in words."""
    if result.no_baseline is None and result.fresh_units and not _ran(result):
        return "nothing ran, so nothing was compared with a baseline in this run"
    if result.no_baseline is None:
        return "no baseline: this run was not compared with any"
    if result.no_baseline:
        return f"no baseline for {result.no_baseline} unit" + ("s" if result.no_baseline > 1 else "")
    return "every unit was compared with a baseline"


def _ran(result: RunResult) -> int:
    return sum(count for role, count in result.units.items() if role not in _NO_UNITS)


def _end(result: RunResult) -> str:
    if result.cargo_signal:
        return f"cargo was ended by signal {result.cargo_signal}"
    if result.cargo_code is None:
        return "cargo did not come to its end"
    return f"cargo ended with code {result.cargo_code}" if result.cargo_code else ""
