"""Follows build-time code into the libraries that it calls: a build script may leave the deed to a build-dependency.

Libraries hold much that nobody calls, so only the functions that a script names are taken from them, and what those
call within the same library. Methods are not followed: whose they are is not to be seen without types.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from sandbox.preflight.reader.cache import Cache
from sandbox.preflight.reader.facts import Call, Sighting
from sandbox.preflight.reader.kinds import RANKS
from sandbox.preflight.reader.lexicon import WELL_KNOWN, longest, program_kind
from sandbox.preflight.reader.packages import Place, Root
from sandbox.preflight.reader.ranks import Judgement, judge
from sandbox.preflight.reader.unit import Unit, read_unit

_COMMON = frozenset("unsafe extern xor unknown-import decode alphabet raw-call".split())
"""What libraries of all kinds have, and what says nothing about the one function."""
CRATES_IO = frozenset({"registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"})
MAX_FUNCTIONS = 400
"""Most functions that one script is followed into, over all libraries."""


class Helpers:
    """Units of the packages at `places`, with what they reach for in other libraries. Each library is read once."""

    def __init__(self, places: Sequence[Place], cache: Cache) -> None:
        self._places, self._cache = places, cache
        self._libraries: dict[int, Library] = {}

    def units(self, at: int, root: Root) -> list[Unit]:
        """A script or macro as it stands, and once more with the functions that it names in each helper.

        Helpers are kept apart: what two libraries that know nothing of each other can do together means nothing.
        """
        place = self._places[at]
        own = read_unit(place.folder, root.source, place.renamed, self._cache)
        own = replace(own, sightings=(*own.sightings, *_arguments(own)))
        units = [own]
        for name, index in place.helpers:
            if is_known(name, self._places[index], place):
                continue
            wanted = [call for _, call in own.calls if len(call.path) > 1 and call.path[0] == name]
            library = self._library(index) if wanted else None
            if library:
                missed = tuple((f"{name}: {file}", why) for file, why in library.undone)
                units[0] = replace(units[0], undone=(*units[0].undone, *missed))
                extra = [one for call in wanted[:MAX_FUNCTIONS] for one in library.behind(call, name)]
                if extra:
                    units.append(replace(own, sightings=(*own.sightings, *extra)))
        return units

    def judged(self, at: int, root: Root) -> tuple[Unit, Judgement]:
        """A script or macro as it stands, and the gravest judgement of it with any of its helpers."""
        units = self.units(at, root)
        judgements = [judge(unit.sightings) for unit in units]
        return units[0], max(judgements, key=lambda one: RANKS.index(one.rank))

    def _library(self, index: int) -> Library | None:
        if index not in self._libraries:
            place = self._places[index]
            if place.library is None:
                return None
            self._libraries[index] = Library(read_unit(place.folder, place.library, place.renamed, self._cache))
        return self._libraries[index]


def is_known(name: str, helper: Place, user: Place) -> bool:
    """Whether a helper is known for what it does, so that its name says all: a package of crates.io, used by its own
    name. The same name from elsewhere is read."""
    if name in user.renamed or (helper.package.source or "") not in CRATES_IO:
        return False
    return name in WELL_KNOWN or bool(longest((name,)))


class Library:
    """The functions of a library, and which of them name which."""

    def __init__(self, unit: Unit) -> None:
        self._functions, self.undone = unit.functions, unit.undone
        self._inner: dict[str, set[str]] = {}
        self._seen: dict[str, list[Sighting]] = {}
        for _, call in unit.calls:
            self._inner.setdefault(call.function, set()).add(_function(call.path, unit.functions))
        for one in unit.sightings:
            if not one.emitted and one.kind not in _COMMON:
                self._seen.setdefault(one.function, []).append(one)

    def behind(self, call: Call, name: str) -> list[Sighting]:
        """What a function, and those that it names in the same library, reach for."""
        first = _function(call.path, self._functions)
        if not first:
            return []
        reached, waiting = {first: None}, deque([first])
        while waiting:
            for other in sorted(self._inner.get(waiting.popleft(), ())):
                if other and other not in reached and len(reached) < MAX_FUNCTIONS:
                    reached[other] = None
                    waiting.append(other)
        found = [one._replace(via=name) for function in reached for one in self._seen.get(function, ())]
        if call.text:
            found = [_named(one, call.text) if one.function == first else one for one in found]
        return found


def _named(one: Sighting, program: str) -> Sighting:
    """A function that starts what it is given, given a name."""
    return one._replace(kind=program_kind(program), text=program) if one.kind == "spawn-computed" else one


def _function(path: tuple[str, ...], functions: frozenset[str]) -> str:
    """The function that a path names in a library; empty for none of its own."""
    typed = "::".join(path[-2:])
    if typed in functions:
        return typed
    return path[-1] if path[-1] in functions and not (len(path) > 1 and path[-2][:1].isupper()) else ""


def _arguments(unit: Unit) -> list[Sighting]:
    """Programs that are named where the unit calls a function of its own that starts what it is given."""
    starters = {one.function for one in unit.sightings if one.kind == "spawn-computed" and one.function}
    return [
        Sighting(program_kind(call.text), call.line, call.text, call.function, False, file)
        for file, call in unit.calls
        if call.text and _function(call.path, unit.functions) in starters
    ]
