"""From a stored run to the behaviours of its units: a pure function of what the record holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from sandbox.behaviour.collect import Collector
from sandbox.behaviour.compiled import compiled
from sandbox.behaviour.directives import fact_of, links_of
from sandbox.behaviour.facts import Facts
from sandbox.behaviour.model import CLASSES, Behaviour, Class, Key, Profile
from sandbox.behaviour.normalise import Normaliser, stored_text
from sandbox.behaviour.patterns import VERSION
from sandbox.behaviour.processes import Processes
from sandbox.behaviour.room import Part, Room
from sandbox.behaviour.roots import roots_of
from sandbox.behaviour.units import Unit, Units, own_roots
from sandbox.trace.reader import RunReader

MOST_EXECUTED = 100_000
MOST_EARLY = 10_000
"""Events that are kept for units whose start was not told yet."""

_NONE: Mapping[str, str] = MappingProxyType({})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OF_END: frozenset[Class] = frozenset(("directive", "survivor", "used"))


class Profiler:
    """Makes the behaviours of a run while it goes on. Feed `unit` and `event` as the guard tells them, then `finish`
    once. `plan`: `Plan.to_json`; `workspace`: the run header's.

    Cargo itself (`u0`) is not judged and has none. Memory is bounded by `room` and by the caps of `units` and of this
    module.
    """

    def __init__(self, plan: Mapping[str, Any], workspace: str) -> None:
        self._roots = roots_of(plan, workspace)
        self._units = Units()
        self._room = Room()
        self._compilers: dict[str, Unit] = {}
        self._collectors: dict[str, Collector] = {}
        self._early: dict[str, list[Mapping[str, Any]]] = {}
        self._early_events = 0
        self._executed: set[str] = set()
        self._links: dict[str, str] = {}
        self._strays = 0

    def unit(self, record: Mapping[str, Any]) -> None:
        """A unit begins or ends."""
        unit = self._units.take(record)
        if unit is None:
            ended = self._collectors.get(stored_text(record.get("unit")))
            if ended is not None:
                ended.names.forget()
            return
        names = Normaliser(self._roots, own_roots(unit, self._roots), unit.pid)
        if unit.key.role == "rustc":
            self._compilers[unit.name] = unit
        self._collectors[unit.name] = self._collector(names, unit.pid)
        for event in self._early.pop(unit.name, ()):
            self.event(event)

    def event(self, event: Mapping[str, Any]) -> None:
        """One event."""
        name = event.get("unit")
        collector = self._collectors.get(name) if isinstance(name, str) else None
        if collector is None:
            if name == "u0":
                self._linked(event)
                return
            if name != "u?":
                self._before_its_start(stored_text(name), event)
                return
            # Whose descent is lost has no record of a start.
            self._units.known["u?"] = _nobody()
            collector = self._collectors["u?"] = self._collector(Normaliser(self._roots), 0)
        if self._compilers and name in self._compilers and event.get("kind") == "exec":
            self._started(self._compilers.pop(name), event, collector.names)
        raw = collector.event(event)
        if raw and len(self._executed) < MOST_EXECUTED:
            self._executed.add(raw)

    def was_executed(self, path: str) -> bool:
        """Whether a unit has executed this file so far."""
        return path in self._executed

    @property
    def executed(self) -> frozenset[str]:
        """The files that units have executed so far, at most MOST_EXECUTED."""
        return frozenset(self._executed)

    def finish(self, run: str, holes: Iterable[str] = (), programs: Mapping[str, str] = _NONE) -> Profile:
        """The behaviours, in order. `holes`: in words, why the record is not whole (then no class is). `programs`:
        path -> SHA-256 of programs that no unit made."""
        why = [*holes]
        strays = self._strays + sum(map(len, self._early.values()))
        if strays:
            why.append(f"{strays} events of units that have no start record")
        known = self._units.known
        made = {path: sha for unit in known.values() for path, sha in unit.outputs.items() if sha}
        linked = {name: made[path] for name, path in self._links.items() if path in made}
        digests = {**programs, **linked, **made}
        cut = len(self._executed) >= MOST_EXECUTED
        found = [
            _behaviour(unit, self._collectors.pop(name), self._executed, digests, bool(why), cut)
            for name, unit in known.items()
        ]
        found.sort(key=lambda one: (one.key, one.facts, one.macros))
        return Profile(run, VERSION, tuple(found), tuple(why))

    def _collector(self, names: Normaliser, pid: int) -> Collector:
        part = Part(self._room)
        return Collector(names, Processes(pid, part), Facts(part))

    def _started(self, unit: Unit, event: Mapping[str, Any], names: Normaliser) -> None:
        """A compile's first exec is cargo's: with it the compiler was started."""
        if event.get("pid") == unit.pid:
            unit.compiled = compiled(event.get("argv"), names)

    def _linked(self, event: Mapping[str, Any]) -> None:
        """Cargo starts a build script by a hard link of what the compiler left."""
        if event.get("kind") == "link" and len(self._links) < MOST_EXECUTED:
            self._links[stored_text(event.get("path2"))] = stored_text(event.get("path"))

    def _before_its_start(self, name: str, event: Mapping[str, Any]) -> None:
        if self._early_events >= MOST_EARLY:
            self._strays += 1
            return
        self._early_events += 1
        self._early.setdefault(name, []).append(event)


def profile(
    run: str,
    plan: Mapping[str, Any],
    workspace: str,
    units: Iterable[Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]],
    holes: Iterable[str] = (),
    programs: Mapping[str, str] = _NONE,
) -> Profile:
    """The behaviours of a run from its records, which are read once and in order, `units` first; `holes` is asked for
    last, when both were read."""
    profiler = Profiler(plan, workspace)
    for record in units:
        profiler.unit(record)
    for event in events:
        profiler.event(event)
    return profiler.finish(run, holes, programs)


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
    given = (result or {}).get("programs")
    programs = {stored_text(path): str(sha) for path, sha in given.items()} if isinstance(given, dict) else {}
    programs = {path: sha for path, sha in programs.items() if _SHA256.fullmatch(sha)}
    return profile(reader.id, plan or {}, workspace, reader.units(), reader.events(), holes(), programs)


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
        collector.facts.add("directive", act, value)
    for argv0 in unit.survivors:
        collector.survivor(argv0)
    if unit.start.get("role") == "script":
        links = links_of(unit.directives)
        for path, sha in unit.outputs.items():
            for act, used in (("executed", path in executed), ("linked", links.takes(path))):
                if used:
                    digest = f"sha256:{sha}" if sha else "absent"
                    collector.facts.add("used", act, names.path(path), names.owner(path), digest=digest)
    facts = collector.finish(digests)
    cut = set(collector.facts.cut)
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
        unit.name, collector.own_reads, unit.quiet, *unit.compiled,
    )  # fmt: skip
