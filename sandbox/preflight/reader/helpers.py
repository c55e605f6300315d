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
from sandbox.preflight.reader.lexicon import program_kind
from sandbox.preflight.reader.packages import Place, Root
from sandbox.preflight.reader.unit import Unit, read_unit

MAX_FUNCTIONS = 400
"""Most functions that one script is followed into, over all libraries."""


class Helpers:
    """Units of the packages at `places`, with what they reach for in other libraries. Each library is read once."""

    def __init__(self, places: Sequence[Place], cache: Cache) -> None:
        self._places, self._cache = places, cache
        self._libraries: dict[int, Unit] = {}

    def unit(self, at: int, root: Root) -> Unit:
        """A script or macro as it stands, and the functions that it names in its helpers."""
        place = self._places[at]
        own = read_unit(place.folder, root.source, place.renamed, self._cache)
        extra = list(_arguments(own))
        followed = 0
        for name, index in place.helpers:
            wanted = [call for _, call in own.calls if len(call.path) > 1 and call.path[0] == name]
            if not wanted:
                continue
            library = self._library(index)
            if library is None:
                continue
            for call in wanted:
                if followed < MAX_FUNCTIONS:
                    followed += 1
                    extra.extend(_of_function(library, call, name))
        return replace(own, sightings=(*own.sightings, *extra))

    def _library(self, index: int) -> Unit | None:
        if index not in self._libraries:
            place = self._places[index]
            if place.library is None:
                return None
            self._libraries[index] = read_unit(place.folder, place.library, place.renamed, self._cache)
        return self._libraries[index]


def _of_function(library: Unit, call: Call, name: str) -> list[Sighting]:
    """What a function of a library, and those that it calls there, reach for."""
    if call.path[-1] not in library.functions:
        return []
    reached, waiting = {call.path[-1]}, deque([call.path[-1]])
    inner: dict[str, set[str]] = {}
    for _, other_call in library.calls:
        inner.setdefault(other_call.function, set()).add(other_call.path[-1])
    while waiting:
        for other in inner.get(waiting.popleft(), ()):
            if other in library.functions and other not in reached and len(reached) < MAX_FUNCTIONS:
                reached.add(other)
                waiting.append(other)
    found = []
    for one in library.sightings:
        if one.function in reached and not one.emitted:
            if one.kind == "spawn-computed" and call.text and one.function == call.path[-1]:
                one = one._replace(kind=program_kind(call.text), text=call.text)
            found.append(one._replace(via=name))
    return found


def _arguments(unit: Unit) -> list[Sighting]:
    """Programs that are named where the unit calls a function of its own that starts what it is given."""
    starters = {one.function for one in unit.sightings if one.kind == "spawn-computed" and one.function}
    return [
        Sighting(program_kind(call.text), call.line, call.text, call.function, False, file)
        for file, call in unit.calls
        if call.text and call.path[-1] in starters
    ]
