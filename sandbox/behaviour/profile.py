"""From a stored run to the behaviours of its units: a pure function of what the record holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.behaviour.collect import Collector
from sandbox.behaviour.directives import fact_of, links_of
from sandbox.behaviour.model import CLASSES, Behaviour, Class, Key, Profile
from sandbox.behaviour.normalise import Normaliser, stored_text
from sandbox.behaviour.patterns import VERSION
from sandbox.behaviour.processes import Processes, Room
from sandbox.behaviour.roots import roots_of
from sandbox.behaviour.units import Unit, own_roots, read_units
from sandbox.trace.reader import RunReader

MOST_EXECUTED = 100_000
_OF_END: frozenset[Class] = frozenset(("directive", "survivor", "used"))


def profile(
    run: str,
    plan: Mapping[str, Any],
    workspace: str,
    units: Iterable[Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]],
    holes: Iterable[str] = (),
) -> Profile:
    """The behaviours of a run. `plan`: `Plan.to_json`; `units` and `events`: its records, read once and in order,
    `units` first; `holes` is asked for last, when both were read: in words, why they are not whole (then no class is).

    Cargo itself (`u0`) is not judged and has none. Memory is bounded by the caps of `collect`, `processes` and `units`.
    """
    roots = roots_of(plan, workspace)
    known = read_units(units)
    room = Room()
    collectors = {
        name: _collector(unit, Normaliser(roots, own_roots(unit, roots), unit.pid), room)
        for name, unit in known.items()
    }
    executed: set[str] = set()
    strays = 0
    for event in events:
        name = stored_text(event.get("unit"))
        collector = collectors.get(name)
        if collector is None:
            if name == "u0":
                continue
            if name != "u?":
                strays += 1
                continue
            # Whose descent is lost has no record of a start.
            known[name] = _nobody()
            collector = collectors[name] = _collector(known[name], Normaliser(roots), room)
        raw = collector.event(event)
        if raw and len(executed) < MOST_EXECUTED:
            executed.add(raw)
    why = [*holes]
    if strays:
        why.append(f"{strays} events of units that have no start record")
    digests = {path: sha for unit in known.values() for path, sha in unit.outputs.items() if sha}
    found = [
        _behaviour(unit, collectors[name], executed, digests, bool(why), len(executed) >= MOST_EXECUTED)
        for name, unit in known.items()
    ]
    found.sort(key=lambda one: (one.key, one.facts, one.macros))
    return Profile(run, VERSION, tuple(found), tuple(why))


def profile_of(reader: RunReader) -> Profile:
    """The behaviours of an opened run."""
    result = reader.result
    plan = reader.plan

    def holes() -> Iterable[str]:
        for name, problems in reader.problems.items():
            for words in problems.words():
                yield f"{name}: {words}"
        if plan is None:
            yield "plan.json can't be read"
        if result is None:
            yield f"the run is {reader.status}: it has no result"
            return
        complete = result.get("completeness")
        for reason in (complete.get("reasons") if isinstance(complete, dict) else None) or ():
            yield stored_text(reason)

    workspace = stored_text(reader.header.get("workspace"))
    return profile(reader.id, plan or {}, workspace, reader.units(), reader.events(), holes())


def _collector(unit: Unit, names: Normaliser, room: Room) -> Collector:
    return Collector(names, Processes(unit.pid, room))


def _nobody() -> Unit:
    return Unit("u?", Key("", "", "unknown"), 0, {}, ended=True)


def _behaviour(
    unit: Unit,
    collector: Collector,
    executed: set[str],
    digests: Mapping[str, str],
    holes: bool,
    executed_cut: bool,
) -> Behaviour:
    names = collector.names
    for line in unit.directives:
        act, value = fact_of(line, names)
        collector.add("directive", act, value)
    for argv0 in unit.survivors:
        collector.survivor(argv0)
    if unit.start.get("role") == "script":
        links = links_of(unit.directives)
        for path, sha in unit.outputs.items():
            for act, used in (("executed", path in executed), ("linked", links.takes(path))):
                if used:
                    digest = f"sha256:{sha}" if sha else "absent"
                    collector.add("used", act, names.path(path), names.owner(path), digest=digest)
    facts = collector.finish(digests)
    cut = set(collector.cut)
    if not unit.ended:
        cut |= _OF_END
    if unit.directives_cut:
        cut |= {"directive", "used"}
    if unit.outputs_cut or executed_cut:
        cut.add("used")
    if holes:
        cut |= set(CLASSES)
    macros = unit.start.get("macros")
    loaded = sorted(names.path(stored_text(macro)) for macro in macros) if isinstance(macros, list) else []
    return Behaviour(
        unit.key, VERSION, facts, tuple(map(str, loaded)), tuple(name for name in CLASSES if name in cut),
        unit.name, collector.own_reads, unit.quiet,
    )  # fmt: skip
