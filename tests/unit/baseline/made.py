"""Small profiles and baselines by hand."""

from __future__ import annotations

from typing import Any

from sandbox.baseline.convert import learn
from sandbox.baseline.model import Baseline
from sandbox.behaviour.model import Behaviour, Class, Fact, Key, Profile
from sandbox.behaviour.patterns import VERSION

SUM = "a" * 64
OTHER_SUM = "b" * 64
CHAIN = ("$SCRIPT/build-script-build", "$SCRIPT/build_script_build-<hash>.real")


def fact(kind: Class, act: str, object: str, owner: str = "", **detail: str) -> Fact:
    chain = CHAIN if kind == "exec" else ()
    return Fact(kind, act, object, owner, chain, tuple(sorted(detail.items())), (7,), 2)


CURL = fact("exec", "exec", "/usr/bin/curl", "system")
CC = fact("exec", "exec", "/usr/bin/cc", "system")
INSIDE = fact("write", "write", "$OUT_DIR/gen.rs", "own output", where="inside")
OUTSIDE = fact("write", "write", "$TMP/x", "scratch", where="outside")
CFG = fact("directive", "rustc-cfg", "fast")
LINK = fact("directive", "rustc-link-arg", "-Wl,-z,now")
DNS = fact("dns", "ask", "evil.example", outcome="denied")


def script(package: str, version: str, *facts: Fact, cut: tuple[Class, ...] = (), **more: Any) -> Behaviour:
    key = Key(package, version, "script")
    return Behaviour(key, VERSION, tuple(sorted(facts)), cut=cut, unit=more.get("unit", "u1"))


def rustc(package: str, version: str, *facts: Fact, macros: tuple[str, ...] = ()) -> Behaviour:
    return Behaviour(Key(package, version, "rustc", package, ("lib",)), VERSION, tuple(sorted(facts)), macros)


def profile(*units: Behaviour, holes: tuple[str, ...] = ()) -> Profile:
    return Profile("run", VERSION, tuple(sorted(units, key=lambda one: one.key)), holes)


def accepted(*units: Behaviour, sums: dict[tuple[str, str], str] | None = None) -> dict[str, Baseline]:
    """The baselines of one run with these units, every package with the checksum SUM unless told otherwise."""
    checksums = {(one.key.package, one.key.version): SUM for one in units} | (sums or {})
    return learn([profile(*units)], checksums, accepted="2026-11-29", reason="as it was")
