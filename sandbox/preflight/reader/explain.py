"""Says for people what build-time code reaches for. Everything that comes from a package is made safe to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.reader.cache import Cache
from sandbox.preflight.reader.facts import Sighting
from sandbox.preflight.reader.helpers import Helpers
from sandbox.preflight.reader.kinds import KINDS
from sandbox.preflight.reader.packages import Place, place_of
from sandbox.preflight.reader.payload import Carried, examine
from sandbox.preflight.reader.ranks import Judgement
from sandbox.preflight.reader.unit import Unit
from sandbox.report.render import render_untrusted as safe

_MOST = 40


def explain_package(directory: Path | str, whole: bool = False) -> tuple[str, ...]:
    """The ranked lines about one unpacked package: its build script, its macro, and what it carries, with what was not
    read of it. `whole`: as in `examine`, it comes from a registry or git. Libraries that its code may call are named,
    not followed: where they are is the graph's to say. An empty package gives one line that says so; nothing is run,
    and nothing raised for what the package may hold."""
    folder = Path(directory)
    place = place_of(folder, LockedPackage(folder.name, ""))
    lines: list[str] = [f"not read: {safe(place.fault)}"] if place.fault else []
    helpers = Helpers([place], Cache(None))
    for root in place.roots:
        unit, judged = helpers.judged(0, root)
        lines.append(f"{root.role}: {judged.rank} ({len(unit.files)} file{'s' * (len(unit.files) != 1)} read)")
        lines.extend(f"  {line}" for line in reason_lines(judged))
        lines.extend(
            f"  not read: {safe(file)}: {safe(why)}" for file, why in (*unit.unread, *unit.doubts, *unit.undone)
        )
    called = tuple(dict.fromkeys(name for _, name in place.uses))
    if called:
        names = ", ".join(safe(name, 60) for name in called[:_MOST]) + ", and more" * (len(called) > _MOST)
        lines.append(f"not followed: what it calls in {names} (cargo-sandbox audit does)")
    carried = examine(str(folder), whole=whole)
    lines.extend(f"not looked at: {safe(what, 300)}" for what in carried.undone[:_MOST])
    lines.extend(["not looked at: and more"] * (len(carried.undone) > _MOST))
    lines.extend(carried_lines(carried.files))
    return tuple(lines) or ("nothing of it runs while it is built, and it carries sources only",)


def reason_lines(judged: Judgement) -> Iterator[str]:
    """Rules that hold, highest first, each with the lines it goes by, and then what else was seen."""
    shown: set[Sighting] = set()
    lines = 0
    for reason in judged.reasons:
        if len(reason.rule.needs) > 1 or reason.rule.emitted:
            yield f"{reason.rule.rank}: {reason.rule.why}"
            for one in reason.evidence:
                yield f"  {line_of(one)}"
            shown.update(reason.evidence)
    for one in judged.sightings:
        if one not in shown and not one.emitted and KINDS[one.kind].alone != "ordinary":
            lines += 1
            if lines > _MOST:
                yield "and more"
                return
            yield line_of(one)


def line_of(one: Sighting) -> str:
    """`build.rs:12 starts a program: git` in safe signs."""
    text = f": {safe(one.text, 120)}" if one.text else ""
    via = f" (by way of {safe(one.via, 60)})" if one.via else ""
    made = " (in code that it makes for others)" if one.emitted else ""
    return f"{safe(one.file, 200)}:{one.line} {KINDS[one.kind].words}{text}{via}{made}"


def carried_lines(files: Iterable[Carried]) -> Iterator[str]:
    """A line per carried file: form, path, size in bytes and digest."""
    for at, one in enumerate(files):
        if at == _MOST:
            yield "and more"
            return
        digest = f"sha256 {one.digest}" if one.digest else "too large for a digest"
        what = one.form if one.what == "data" else f"{one.form} ({safe(one.what, 80)})"
        yield f"carries {what}: {safe(one.path, 200)}, {one.size} bytes, {digest}"


__all__ = ["Place", "Unit", "carried_lines", "explain_package", "line_of", "reason_lines"]
