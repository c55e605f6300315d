"""What is left out of baselines, and which facts count as the same one when two are compared.

The facts themselves are never changed: what is stored is what was seen. Both sides go through this at each comparison,
so it may change without making stored baselines worthless.
"""

from __future__ import annotations

import re

from sandbox.behaviour.model import Behaviour, Fact, Key

ROLES = ("script", "rustc", "rustdoc")
"""Roles that have a baseline: a program is what its user asked for, a probe is cargo's own question to rustc."""

_LINKERS = frozenset((
    "cc", "gcc", "clang", "collect2", "ld", "ld.bfd", "ld.gold", "ld.lld", "ld.mold", "mold", "lld", "rust-lld",
))  # fmt: skip
_LINKED = frozenset(("bin", "proc-macro", "cdylib", "dylib"))
_SYSROOT_SOURCE = re.compile(r"/rustc/<sha1>/library/.*\.rs", re.DOTALL)
_PROFILE = re.compile(
    r"\$BUILD/(?:[A-Za-z0-9_.-]+-[A-Za-z0-9_.-]+/)?[A-Za-z0-9_-]+/(deps|build|examples|incremental)(?=/|$)"
)
_VALUED = ("rustc-env", "metadata")


def is_plain(fact: Fact, key: Key) -> bool:
    """Whether every unit of this role does so: how it is started, how its compiler links, what cargo is asked to watch.

    Such facts say nothing about a package, so they stand in no baseline and are no novelty.
    """
    if fact.kind == "directive":
        # They make cargo look again, which weakens nothing.
        return fact.act in ("rerun-if-changed", "rerun-if-env-changed")
    if key.role == "script":
        if fact.kind == "write" and fact.act == "unlink" and fact.owner == "own output" and ".rcgu." in fact.object:
            # A rustc that a probe starts takes away its intermediate files: as many as it had come to make.
            return True
        started = fact.kind == "exec" and fact.act == "exec" and fact.owner == "own script" and len(fact.chain) < 2
        return started and fact.object.startswith("$SCRIPT/")
    if fact.kind == "read":
        return fact.act == "read" and fact.owner == "other" and bool(_SYSROOT_SOURCE.fullmatch(fact.object))
    return fact.kind == "exec" and _is_compilers(fact, key)


def _is_compilers(fact: Fact, key: Key) -> bool:
    above = tuple(link for link in fact.chain if link not in ("$GUARD", "$GUARD_RUSTDOC"))
    if not above and fact.owner in ("guard", "toolchain"):
        return True
    # A library is not linked: there, a linker is somebody else's idea (a proc macro's).
    if not above or not _LINKED.intersection(key.crate_types) or not above[0].startswith("$SYSROOT/bin/"):
        return False
    return all(_is_linker(program) for program in (*above[1:], fact.object))


def _is_linker(program: str) -> bool:
    folder, _, name = program.rpartition("/")
    return name in _LINKERS and folder.startswith(("$SYSROOT/", "/usr/", "$PATH", "/bin", "/nix/", "/gnu/"))


def telling(one: Behaviour) -> tuple[Fact, ...]:
    """The facts of a unit that stand in a baseline, without their evidence's order changed."""
    return tuple(fact for fact in one.facts if not is_plain(fact, one.key))


def sameness(fact: Fact) -> Fact:
    """What a fact is compared by: without the profile and platform in paths of the build dir, the value of a variable
    or metadata that a script sets (a commit, a date: rules look at dangerous names), and the text of a warning."""
    what = fact.object
    if fact.kind == "directive":
        if fact.act in _VALUED:
            what = what.partition("=")[0] + "="
        elif fact.act == "warning":
            what = ""
    detail = tuple((name, _place(value)) for name, value in fact.detail)
    return Fact(fact.kind, fact.act, _place(what), fact.owner, tuple(map(_place, fact.chain)), detail)


def _place(text: str) -> str:
    return _PROFILE.sub(r"$BUILD/<profile>/\1", text) if "$BUILD/" in text else text
