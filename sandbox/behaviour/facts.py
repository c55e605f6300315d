"""The different facts of one unit while the events go by, kept small: a run may have hundreds of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from sys import getsizeof

from sandbox.behaviour.model import Class, Fact
from sandbox.behaviour.processes import Chain
from sandbox.behaviour.room import Part

MOST_FACTS = 5_000
"""Different facts of one class that are kept for a unit."""

MOST_SEQS = 3
_MOST_SHAPES = 200
_ENTRY = 220
"""Bytes that a fact takes besides its object: its key and place in the table, then as a `Fact`."""
_SHAPE = 150
"""Bytes that a shape takes which no other fact shares, besides its details' texts."""
_EVIDENCE = 150
"""Bytes that more sightings than one take."""

Detail = tuple[tuple[str, str], ...]
_Shape = tuple[Class, str, str, Chain, Detail]
_Key = tuple[str, _Shape]


@dataclass(slots=True)
class _Evidence:
    seqs: tuple[int, ...]
    count: int
    digest: str


@dataclass(slots=True)
class Facts:
    """Feed `add`, then `drain` once. What does not fit is said in `cut`.

    Most facts are seen once, differ in their object only, and have no digest: of these the table holds the object, the
    `_Shape` that many share, and the number of the event.
    """

    part: Part
    cut: set[Class] = field(default_factory=set)
    _found: dict[_Key, int | _Evidence] = field(default_factory=dict)
    _sizes: dict[Class, int] = field(default_factory=dict)
    _shapes: dict[_Shape, _Shape] = field(default_factory=dict)

    def add(
        self,
        kind: Class,
        act: str,
        object: str,
        owner: str = "",
        detail: Detail = (),
        seq: int = 0,
        chain: Chain = (),
        digest: str = "",
        paid: bool = False,
    ) -> None:
        """Count one fact. `seq`: the event that shows it, 0 if none does; `paid`: its room was taken before."""
        shape = (kind, act, owner, chain, detail)
        shared = self._shapes.get(shape)
        key = (str(object), shared or shape)
        found = self._found.get(key)
        if found is None:
            size = self._sizes.get(kind, 0)
            taken = _ENTRY + getsizeof(key[0])
            if shared is None:
                taken += _SHAPE + sum(map(len, chain)) + sum(getsizeof(value) for _, value in detail)
            if size >= MOST_FACTS or not (paid or self.part.take(taken)):
                self.cut.add(kind)
                return
            if shared is None and len(self._shapes) < _MOST_SHAPES:
                self._shapes[shape] = shape
            self._sizes[kind] = size + 1
            self._found[key] = seq if not digest else _Evidence((seq,) if seq else (), 1, digest)
            return
        if isinstance(found, int):
            if not (paid or self.part.take(_EVIDENCE)):
                self.cut.add(kind)
                return
            found = self._found[key] = _Evidence((found,) if found else (), 1, "")
        found.count += 1
        if seq and len(found.seqs) < MOST_SEQS:
            found.seqs += (seq,)
        # Of several files behind one name the digests may differ; one that is said must hold for all.
        if found.digest != digest:
            found.digest = "several"

    def drain(self) -> tuple[Fact, ...]:
        """All facts, in order. Afterwards there are none here: a run's facts need not be in memory twice."""
        made = sorted(self._drained())
        self._shapes.clear()
        return tuple(made)

    def _drained(self) -> Iterator[Fact]:
        while self._found:
            (object, (kind, act, owner, chain, detail)), found = self._found.popitem()
            if isinstance(found, int):
                yield Fact(kind, act, object, owner, chain, detail, (found,) if found else ())
            else:
                seqs = tuple(sorted(found.seqs))
                yield Fact(kind, act, object, owner, chain, detail, seqs, found.count, found.digest)
