"""What build scripts do in general: for each archetype (cc, cmake, bindgen…) how many of the pack's units show a fact.

Computed from the pack once, by `scripts/gen-population`, into `profiles/baselines/population.json`.
"""

from __future__ import annotations

import json
import os.path
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.baseline.fold import sameness
from sandbox.baseline.model import Baseline, BaselineError
from sandbox.behaviour.model import Fact
from sandbox.behaviour.patterns import VERSION
from sandbox.resources import profile
from sandbox.trace import files

SCHEMA = 1
FILE = "population.json"
ALL = "all"
_MAX_BYTES = 16 << 20

_COMPILERS = frozenset(("cc", "c++", "gcc", "g++", "clang", "clang++", "cc1", "cc1plus", "ar", "as", "nasm"))
_GENERATED = (".rs", ".inc")


@dataclass(frozen=True, slots=True)
class Population:
    """`units`: how many build scripts the pack has; `sizes` and `tokens` by archetype, where `all` is every one."""

    units: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def share(self, fact: Fact, archetypes: Iterable[str] = (ALL,)) -> float | None:
        """The share of units of that kind that do the like, 0 to 1: the highest among the archetypes, or the share of
        all units where the pack has none of these kinds; None where it has no unit at all."""
        name = token(fact)
        shares = [
            self.tokens.get(kind, {}).get(name, 0) / self.sizes[kind] for kind in archetypes if self.sizes.get(kind)
        ]
        if shares:
            return max(shares)
        return self.tokens.get(ALL, {}).get(name, 0) / self.units if self.units else None


def archetypes(facts: Iterable[Fact]) -> tuple[str, ...]:
    """What kind of build script does these things, in order; `pure` is one that only talks to cargo."""
    found: set[str] = set()
    for fact in facts:
        if fact.kind == "exec" and fact.act == "exec":
            program = _program(fact.object)
            if program == "rustc":
                found.add("rustc probe")
            elif program in _COMPILERS:
                found.add("cc")
            elif program in ("cmake", "ninja", "make", "meson", "autoreconf", "perl"):
                found.add("cmake" if program in ("cmake", "ninja") else "make")
            elif program in ("pkg-config", "pkgconf"):
                found.add("pkg-config")
            elif program == "git":
                found.add("git metadata")
            elif program == "protoc":
                found.add("codegen")
        elif fact.kind == "exec" and fact.act == "absent" and _program(fact.object) in ("pkg-config", "pkgconf"):
            found.add("pkg-config")
        elif fact.kind == "read" and ("libclang" in fact.object or "libclang" in dict(fact.detail).get("real", "")):
            found.add("bindgen")
        elif fact.kind == "read" and "/.git/" in fact.object:
            found.add("git metadata")
        elif (
            fact.kind == "write"
            and fact.act in ("write", "rename")
            and fact.owner == "own output"
            and "/probe" not in fact.object
            and (fact.object.endswith(_GENERATED) or dict(fact.detail).get("to", "").endswith(_GENERATED))
        ):
            found.add("codegen")
    return tuple(sorted(found)) or ("pure",)


def token(fact: Fact) -> str:
    """What of a fact can be common to many packages: the class, the act, whose the object is, and a program's, host's
    or call's name; never a path of one package alone."""
    fact = sameness(fact)
    words: list[str] = [fact.kind, fact.act]
    if fact.kind in ("exec", "survivor"):
        words += [fact.owner, _program(fact.object)]
    elif fact.kind in ("read", "write", "denied", "decoy"):
        words += [fact.owner, dict(fact.detail).get("where", ""), _top(fact)]
        if dict(fact.detail).get("exec"):
            words.append("exec")
    elif fact.kind == "directive":
        words.append(_link(fact))
    elif fact.kind == "used":
        words.append(fact.owner)
    else:
        words.append(fact.object)
    return " ".join(word for word in words if word)[:200]


def _program(path: str) -> str:
    name = path.rpartition("/")[2]
    # Names that carry a platform, such as x86_64-linux-gnu-gcc.
    for known in ("gcc", "g++", "pkg-config", "ar", "as"):
        if name.endswith(f"-linux-gnu-{known}"):
            return known
    return name


def _top(fact: Fact) -> str:
    """The first folder of a system path; elsewhere the owner says enough."""
    if fact.owner in ("system", "proc", "device"):
        return "/".join(fact.object.split("/")[:3])
    return os.path.splitext(fact.object)[1][:8] if fact.owner == "own output" and fact.kind == "read" else ""


def _link(fact: Fact) -> str:
    if fact.act in ("rustc-link-lib", "rustc-link-search"):
        kind, equals, _ = fact.object.partition("=")
        return kind if equals and "/" not in kind else ""
    return ""


def compute(baselines: Iterable[Baseline]) -> Population:
    """The population of a pack: each build script of each version counts once."""
    sizes: Counter[str] = Counter()
    tokens: dict[str, Counter[str]] = {}
    for baseline in baselines:
        for version in baseline.versions:
            for unit in version.units:
                if unit.role != "script" or baseline.normaliser != VERSION:
                    continue
                facts = [entry.fact for entry in unit.facts]
                shown = {token(fact) for fact in facts}
                for kind in (ALL, *archetypes(facts)):
                    sizes[kind] += 1
                    tokens.setdefault(kind, Counter()).update(shown)
    return Population(sizes[ALL], dict(sizes), {kind: dict(found) for kind, found in tokens.items()})


def dumps(population: Population) -> str:
    """The text of `population.json`: sorted, a line a token."""
    data = {
        "schema": SCHEMA,
        "normaliser": VERSION,
        "units": population.units,
        "archetypes": {
            kind: {"units": population.sizes[kind], "tokens": dict(sorted(population.tokens[kind].items()))}
            for kind in sorted(population.sizes)
        },
    }
    return json.dumps(data, indent=1, ensure_ascii=True) + "\n"


def loads(text: str) -> Population:
    """The inverse. Raises BaselineError. One of another normaliser is none: its tokens could mean something else."""
    try:
        data: dict[str, Any] = json.loads(text)
        if data["schema"] != SCHEMA:
            raise BaselineError(f"the population has schema {data['schema']!r}, known is {SCHEMA}")
        if data["normaliser"] != VERSION:
            return Population()
        kinds = data["archetypes"]
        sizes = {str(kind): int(one["units"]) for kind, one in kinds.items()}
        tokens = {str(kind): {str(name): int(n) for name, n in one["tokens"].items()} for kind, one in kinds.items()}
        return Population(int(data["units"]), sizes, tokens)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BaselineError(f"the population can't be read: {error}", hint="run scripts/gen-population") from None


@cache
def shipped(folder: Path | None = None) -> Population:
    """The population that ships with us; an empty one where there is no pack. Raises BaselineError for a broken one."""
    place = folder or profile("baselines")
    if not place.is_dir():
        return Population()
    dir_fd = files.open_dir(place)
    try:
        data = files.read_small(FILE, dir_fd, _MAX_BYTES)
    finally:
        os.close(dir_fd)
    return Population() if data is None else loads(data.decode("utf-8", "replace"))
