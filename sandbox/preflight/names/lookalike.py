"""CS0520 and CS0521: packages whose names look like a well-known crate's, or like one of the project's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cache

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding
from sandbox.policy.model import Permit
from sandbox.preflight.changes.pairs import dependents
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.names.distance import one_edit
from sandbox.preflight.names.known import Known, known
from sandbox.preflight.names.resemble import Index, Resemblance
from sandbox.preflight.names.shape import ascii_twin, joined, looks, lower

MOST = 20_000
"""Different names that are looked at; a graph of more is no project's."""

CRATES_IO = (
    "registry+https://github.com/rust-lang/crates.io-index",
    "sparse+https://index.crates.io/",
    "registry+sparse+https://index.crates.io/",
)
_OWN, _MEMBER = 100, 4
_BRINGERS = 3


def run(subject: Subject) -> Answer:
    """Compares each name that comes from elsewhere. The workspace's own packages are the project's to name."""
    foreign = tuple(one for one in subject.locked if one.source is not None)
    if len({one.name for one in foreign}) > MOST:
        return Answer("names", "not done", why=f"the lock file has more than {MOST} different names")
    stranger = tuple(one for one in foreign if not is_known(one, known()))
    own = own_names(subject)
    found: list[Finding] = []
    notes: list[str] = []
    if stranger:
        famous, ours, parents = well_known(), Index(own), dependents(subject.locked)
        for package in stranger:
            made = _judge(package, famous, ours, subject)
            if made is None:
                continue
            made = replace(made, tree=_brought(parents.get(package.name, ())))
            let = allowance(subject.wishes.names, package.name, subject.today)
            if let is None:
                found.append(made)
            else:
                notes.append(f"`{package.name}` is allowed by [names]: {let.reason}")
    notes += _expired(subject)
    return Answer("names", "done", tuple(found), notes=tuple(notes), looked_at=len(foreign))


@cache
def well_known() -> Index:
    """The well-known crates, ready for comparing (made once: about 30 ms)."""
    return Index(known().targets)


def is_known(package: LockedPackage, names: Known) -> bool:
    """Whether it is a well-known crate itself. crates.io has one package for all spellings with `-` and `_`; elsewhere
    another spelling may be another package."""
    return package.name in names.projects or (package.source in CRATES_IO and lower(package.name) in names.spelt)


def own_names(subject: Subject) -> dict[str, int]:
    """The project's own: those that its rules name, and the packages that lie in the workspace."""
    own = {one.name: _MEMBER for one in subject.locked if one.source is None}
    return own | dict.fromkeys((name for name in subject.wishes.internal if "*" not in name), _OWN)


def allowance(allowed: Iterable[Permit], name: str, today: date) -> Permit | None:
    """What lets this name pass today, if anything does. It needs a reason."""
    return next((one for one in allowed if one.what == name and one.reason.strip() and one.holds(today)), None)


def _judge(package: LockedPackage, famous: Index, ours: Index, subject: Subject) -> Finding | None:
    if package.name in subject.wishes.internal:
        return None
    mine = ours.find(package.name) or _pattern(package.name, subject.wishes.internal)
    like = mine or famous.find(package.name)
    if like is None or like.target == package.name:
        return None
    code = "CS0521" if mine else "CS0520"
    return finding(code, package, like.sentence(package.name), severity=like.severity)


def _pattern(name: str, internal: tuple[str, ...]) -> Resemblance | None:
    """For a pattern `acme-*`: a name whose beginning only looks like `acme-`."""
    form = lower(ascii_twin(name))
    for pattern in internal:
        stem = lower(pattern.partition("*")[0])
        if len(joined(stem)) < 4 or not pattern.endswith("*") or lower(name).startswith(stem):
            continue
        lengths = range(len(stem) - 2, len(stem) + 3)
        if form.startswith(stem) or any(looks(form[:length]) == looks(stem) for length in lengths):
            return Resemblance(pattern, "internal", "high", "begins as if it were one of the internal names")
        edit = one_edit(stem.rstrip("-"), _head(form, stem)) if stem.endswith("-") else None
        if edit is not None:
            return Resemblance(pattern, "internal", "high" if len(stem) > 6 else "medium", "begins almost like")
    return None


def _head(form: str, stem: str) -> str:
    """The first words of a name, as many as the stem has; empty for one that has no more."""
    parts = form.split("-")
    return "-".join(parts[: stem.count("-")]) if len(parts) > stem.count("-") else ""


def _brought(by: tuple[str, ...]) -> tuple[str, ...]:
    more = [f"and by {len(by) - _BRINGERS} more"] if len(by) > _BRINGERS else []
    return tuple([f"needed by {one}" for one in by[:_BRINGERS]] + more)


def _expired(subject: Subject) -> list[str]:
    return [
        f"the allowance of `{one.what}` in [names] expired on {one.expires}"
        for one in subject.wishes.names
        if not one.holds(subject.today)
    ]
