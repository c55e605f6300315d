"""Behaviours for a person: a block for each unit, a line for each fact."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.behaviour.model import CLASSES, Behaviour, Fact, Profile
from sandbox.report.render import render_untrusted as safe

_WIDTH = 300


def lines(profile: Profile) -> Iterator[str]:
    """All of its units. Probes (cargo asking rustc for its version) are counted only."""
    yield f"behaviours of run {safe(profile.run)} (normaliser {profile.normaliser})"
    for hole in profile.holes:
        yield f"  the record is not whole: {safe(hole)}"
    probes = [one for one in profile.behaviours if one.key.role == "probe"]
    for one in profile.behaviours:
        if one.key.role != "probe":
            yield from _unit(one)
    if probes:
        yield f"{len(probes)} probes of rustc by cargo, {sum(len(one.facts) for one in probes)} facts (in --json)"


def _unit(one: Behaviour) -> Iterator[str]:
    key = one.key
    name = f"{key.package or '-'} {key.version}".strip()
    crate = f" ({key.crate})" if key.crate else ""
    yield f"{safe(key.role)} {safe(name)}{safe(crate)}  {safe(one.unit)}, {len(one.facts)} facts"
    for macro in one.macros:
        yield f"  loads      {safe(macro, _WIDTH)}"
    for kind in CLASSES:
        for fact in one.of(kind):
            yield f"  {kind:<10} {_fact(fact)}"
        if kind in one.cut:
            yield f"  {kind:<10} (not whole: more may have happened)"


def _fact(fact: Fact) -> str:
    words = [fact.act, safe(fact.object, _WIDTH)]
    notes = [fact.owner] if fact.owner else []
    notes += [f"{name}: {value}" for name, value in fact.detail]
    if fact.digest and fact.digest != "absent":
        notes.append(fact.digest[:19])
    elif fact.digest and fact.owner not in ("system", "toolchain", "guard"):
        notes.append("digest absent")
    if notes:
        words.append(f"[{safe('; '.join(notes), _WIDTH)}]")
    if fact.count > 1:
        words.append(f"x{fact.count}")
    if fact.seqs:
        words.append(f"#{fact.seqs[0]}")
    # The programs' last names say enough here; the JSON form has all of each path.
    chain = [link.rpartition("/")[2] or link for link in fact.chain]
    if chain:
        words.append(f"<- {safe(' > '.join(chain), _WIDTH)}")
    return " ".join(words)
