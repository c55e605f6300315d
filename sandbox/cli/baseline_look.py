"""`baseline status | diff | verify`: what stands in the baseline and what does not. Nothing here writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sandbox.baseline.accept import unused
from sandbox.baseline.context import Context, changes, of_entry
from sandbox.baseline.judge import drift
from sandbox.baseline.ladder import Step
from sandbox.baseline.model import BaselineError, VersionEntry
from sandbox.baseline.novelty import Novelty, by_package, novelties
from sandbox.baseline.state import State
from sandbox.baseline.store import Stores
from sandbox.behaviour.canonical import fact_text
from sandbox.behaviour.model import Fact
from sandbox.cli import place
from sandbox.cli.options import Settings
from sandbox.cli.place import Place
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, parse
from sandbox.errors import BaselineMissing, UsageError
from sandbox.report.render import render_untrusted as safe

Contexts = Mapping[tuple[str, str], Context]
_WIDTH = 300
_MOST = 10


def run(act: str, rest: Sequence[str], settings: Settings) -> int:
    """Dispatch. Raises UsageError, BaselineError, BaselineMissing, StoreError, WorkspaceError."""
    usage = USAGES[f"baseline {act}"]
    switches = ("--json", "--locked-baseline") if act == "verify" else ("--json",)
    words = parse(rest, usage, switches, MANIFEST | {"--from": False})
    if words.names and act != "diff":
        raise UsageError(f"baseline {act} takes no names", hint=usage)
    here = place.find(words.manifest)
    state = here.state(words.one("--from"))
    stores = here.stores(state, settings)
    as_json = "--json" in words.switches
    if act == "status":
        return _status(here, state, stores, as_json)
    if act == "diff":
        return _diff(state, stores, words.names, as_json)
    return _verify(here, state, stores, as_json)


def _status(here: Place, state: State, stores: Stores, as_json: bool) -> int:
    rows: list[dict[str, Any]] = []
    under = state.contexts()
    for (package, version), units in by_package(novelties(state.profile, state.checksums, stores)).items():
        step = units[0].step
        rows.append({
            "package": package, "version": version, "checksum": units[0].checksum, "rung": step.rung,
            "store": step.store, "compared_with": step.entry.version if step.entry else None,
            "units": len(units), "new_facts": sum(len(one.new) for one in units), "outdated": step.outdated,
            "context": context_json(under[package, version], step.entry),
            "other_context": list(_other_context(under[package, version], step)),
        })  # fmt: skip
    left = unused({**stores.user, **here.known(False)}, here.checksums)
    if as_json:
        gone = [{"package": package, "version": version, "checksum": checksum} for package, version, checksum in left]
        data = {
            "schema": 1, "run": state.run, "workspace": state.workspace, "baseline": stores.has_own, "packages": rows,
            "unused": gone, "holes": list(state.holes),
        }  # fmt: skip
        print(json.dumps(data, indent=1))
        return 0
    if not stores.has_own:
        print("no baseline: accept today's state with cargo-sandbox baseline init")
    for row in rows:
        against = f" ({safe(row['compared_with'])}, {row['store']})" if row["compared_with"] else ""
        new = f"{row['new_facts']} new facts" if row["new_facts"] else "nothing new"
        print(f"{safe(row['package'])} {safe(row['version'])}: {row['rung']}{against}, {new}")
        for line in row["other_context"]:
            print(f"  {safe(line, _WIDTH)}")
    for package, version, _ in left:
        print(f"{safe(package)} {safe(version)}: unused, Cargo.lock does not have it (cargo-sandbox baseline prune)")
    for hole in state.holes:
        print(f"note: not all is known: {safe(hole)}")
    known = [row for row in rows if row["rung"] == "same version" and not row["new_facts"]]
    # What ships with us was accepted by nobody here.
    packed = sum(row["store"] == "pack" for row in known)
    also = f", {packed} more are as in the pack" if packed else ""
    print(f"{len(known) - packed} of {len(rows)} packages are as accepted{also} (run {state.run})")
    return 0


def _diff(state: State, stores: Stores, names: Sequence[str], as_json: bool) -> int:
    found = novelties(state.profile, state.checksums, stores)
    for name in names:
        if all(one.key.package != name for one in found):
            raise BaselineError(
                f"no unit of {name!r} is on record", hint="cargo-sandbox baseline status names packages"
            )
    chosen = [one for one in found if (not names or one.key.package in names)]
    under = state.contexts()
    if as_json:
        units = [unit_json(one, under) for one in chosen if one.new or one.unseen or one.step.entry is None]
        print(json.dumps({"schema": 1, "run": state.run, "units": units, "holes": list(state.holes)}, indent=1))
        return 0
    shown = 0
    for one in chosen:
        rows = list(lines(one))
        if rows:
            shown += 1
            print(head(one))
            for line in context_lines(one, under):
                print(line)
            for row in rows:
                print(row)
    for hole in state.holes:
        print(f"note: not all is known: {safe(hole)}")
    if not shown:
        print("no difference")
    return 0


def head(one: Novelty) -> str:
    """A unit's line: who it is and what it is compared with."""
    key, entry = one.key, one.step.entry
    crate = f" ({key.crate})" if key.crate else ""
    against = f"{entry.version} in the {one.step.store}'s baseline, {one.step.rung}" if entry else one.step.rung
    return safe(f"{key.role} {key.package} {key.version}{crate}: compared with {against}", _WIDTH)


def context_lines(one: Novelty, under: Contexts) -> Iterator[str]:
    """Under what a unit's package was built, and what of that is another than when it was accepted."""
    now = under[one.key.package, one.key.version]
    told = "; ".join(f"{name}: {value}" for name, value in now.rows() if value)
    if told:
        yield safe(f"  built with {told}", _WIDTH)
    for line in _other_context(now, one.step):
        yield safe(f"  other {line}", _WIDTH)


def context_json(now: Context, entry: VersionEntry | None) -> dict[str, Any]:
    """The context of today and, where there is an entry, that of its acceptance, for a machine."""
    return {"now": asdict(now), "accepted": asdict(of_entry(entry)) if entry is not None else None}


def _other_context(now: Context, step: Step) -> Iterator[str]:
    """Of the pack's entries only what they tell: they have no features on record."""
    if step.entry is not None:
        yield from changes(of_entry(step.entry), now, known_only=step.store == "pack")


def lines(one: Novelty) -> Iterator[str]:
    """A unit's differences: `+` new, `-` accepted and not seen this time."""
    for fact in one.new:
        yield f"  + {words(fact)}"
    for fact in one.unseen:
        unsure = " (not all of this class was recorded)" if fact.kind in one.cut else ""
        yield f"  - {words(fact)}{unsure}"
    if one.step.entry is None and not one.new:
        yield "  does nothing that could be told"


def words(fact: Fact) -> str:
    """A fact in one line."""
    notes = [fact.owner] if fact.owner else []
    notes += [f"{name}: {value}" for name, value in fact.detail]
    text = f"{fact.kind} {fact.act} {fact.object}" + (f" [{'; '.join(notes)}]" if notes else "")
    chain = " > ".join(link.rpartition("/")[2] or link for link in fact.chain)
    return safe(text + (f" <- {chain}" if chain else ""), _WIDTH)


def unit_json(one: Novelty, under: Contexts) -> dict[str, Any]:
    """A unit's differences for a machine."""
    key, entry = one.key, one.step.entry
    return {
        "package": key.package, "version": key.version, "checksum": one.checksum, "role": key.role, "crate": key.crate,
        "crate_types": list(key.crate_types), "units": list(one.units), "rung": one.step.rung,
        "store": one.step.store, "compared_with": entry.version if entry else None, "cut": list(one.cut),
        "context": context_json(under[key.package, key.version], entry),
        "new": [json.loads(fact_text(fact)) | {"seqs": list(fact.seqs)} for fact in one.new],
        "not_seen": [json.loads(fact_text(fact)) for fact in one.unseen],
    }  # fmt: skip


def problems(state: State, stores: Stores) -> list[str]:
    """Why a locked baseline does not cover a state, in words; empty if it does. The pack does not count: what ships
    with us was accepted by nobody here."""
    own = Stores(stores.tree, stores.user, {}, True, stores.population)
    found = []
    for (package, version), units in by_package(novelties(state.profile, state.checksums, own)).items():
        step = units[0].step
        new = sum(len(one.new) for one in units)
        lacking = [one for one in units if step.entry is not None and step.entry.unit(one.key) is None]
        if step.outdated and step.rung != "same version":
            found.append(f"{package} {version}: its entry is of another normaliser")
        elif step.entry is None:
            found.append(f"{package} {version}: no baseline")
        elif step.rung != "same version":
            found.append(f"{package} {version}: not in the baseline ({step.rung}, {step.entry.version})")
        elif new:
            found.append(f"{package} {version}: {new} facts are not in the baseline")
        elif any(one.key.role == "script" for one in lacking):
            found.append(f"{package} {version}: its build script is not in the baseline")
    return found + [f"not all is known: {hole}" for hole in state.holes]


def _verify(here: Place, state: State, stores: Stores, as_json: bool) -> int:
    found = problems(state, stores)
    if as_json:
        findings = [one.to_json() for one in drift(state.profile, state.checksums, stores).findings]
        data = {"schema": 1, "run": state.run, "good": not found, "problems": found, "findings": findings}
        print(json.dumps(data, indent=1))
        return BaselineMissing.exit_code if found else 0
    if found:
        for line in found[:_MOST]:
            print(safe(line, _WIDTH))
        if len(found) > _MOST:
            print(f"and {len(found) - _MOST} more")
        raise BaselineMissing(
            f"the baseline in {here.folder(False)} does not cover run {state.run}: {len(found)} problems",
            hint="go through them with cargo-sandbox review, then commit the baseline",
        )
    print(f"the baseline covers run {state.run}")
    return 0
