"""What the last recorded run of a workspace says of its packages."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.baseline.state import ledger_of
from sandbox.judge.model import Completeness, Finding, RunResult, decide
from sandbox.preflight.inventory.model import Code, Inventory, Item, Macro, Ran, Script
from sandbox.report.seen import headline, seen
from sandbox.trace.reader import RunReader, StoreError
from sandbox.trace.store import RunInfo, RunStore

_Key = tuple[str, str]
_LIBRARY = re.compile(r"lib(.+?)(?:-[0-9a-f]{16})?\.(?:so|dylib|dll)")


@dataclass(slots=True)
class Seen:
    """What one run showed. `scripts`, `units`: of packages by name and version. `macros`: the crate names whose
    libraries were loaded; `libraries` the file names themselves, and `made` whose each of them is, where that was
    seen."""

    ran: Ran
    whole: bool
    scripts: dict[_Key, Script] = field(default_factory=dict)
    units: set[_Key] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)
    made: dict[str, _Key] = field(default_factory=dict)
    findings: dict[_Key, tuple[Code, ...]] = field(default_factory=dict)
    verdicts: dict[_Key, str] = field(default_factory=dict)


def last_run(workspace: str, store: RunStore, state_dir: Path) -> Seen | None:
    """The newest recorded run of a workspace that is over; None when there is none. Raises StoreError for one whose
    record can't be read: a damaged record must not pass for none."""
    for info in store.list():
        if info.header.get("workspace") != workspace or info.status == "running":
            continue
        if info.result.get("recorded") is False:
            continue
        try:
            return _seen(info, store, state_dir)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise StoreError(
                f"the record of run {info.id} is damaged: {error}", hint="build again, so that there is a newer one"
            ) from None
    return None


def joined(inventory: Inventory, run: Seen | None) -> Inventory:
    """The inventory with what the run showed; without a run it says so."""
    if run is None:
        note = "no run of this workspace is on record: what ran at build time is not known"
        return replace(inventory, notes=(*inventory.notes, note))
    names: dict[str, int] = defaultdict(int)
    for item in inventory.items:
        if item.proc_macro:
            names[_crate(item.name)] += 1
    items = tuple(_with_run(item, run, names) for item in inventory.items)
    return replace(inventory, items=items, ran=run.ran)


def _with_run(item: Item, run: Seen, names: Mapping[str, int]) -> Item:
    script: Script = run.scripts.get(item.key, "not seen") if item.has_script else item.script
    found = run.findings.get(item.key, ())
    verdict = run.verdicts.get(item.key, "")
    if not verdict:
        verdict = ("clean" if run.whole else "incomplete") if item.key in run.units else "not seen"
    return replace(item, script=script, macro=_macro(item, run, names), verdict=verdict, findings=found)


def _macro(item: Item, run: Seen, names: Mapping[str, int]) -> Macro:
    """By the library's file where its making was seen, else by the crate's name where only one macro has it."""
    if not item.proc_macro:
        return item.macro
    if any(run.made.get(library) == item.key for library in run.libraries):
        return "loaded"
    crate = _crate(item.name)
    if names.get(crate) == 1 and any(
        library not in run.made and (match := _LIBRARY.fullmatch(library)) and match[1] == crate
        for library in run.libraries
    ):
        return "loaded"
    return "not seen"


def _seen(info: RunInfo, store: RunStore, state_dir: Path) -> Seen:
    with RunReader(info.path) as reader:
        if reader.result is not None:
            result = RunResult.from_json(reader.result)
            words = headline(result)
        else:
            result = _interrupted(reader)
            words = info.status
        header = reader.header
        extent = seen(result)
        started = header.get("started")
        told = "all of a build was seen" if extent.extent == "all" else f"{extent.extent} was seen: {extent.why}"
        ran = Ran(info.id, started if isinstance(started, str) else "", info.created_ns // 10**9, words, told)
        found = Seen(ran, result.completeness.whole)
        ends = {}
        starts = []
        for unit in reader.units():
            if unit.get("event") == "end":
                ends[unit.get("unit")] = unit
            else:
                starts.append(unit)
    entries, _ = ledger_of(store, info, state_dir)
    for entry in entries.values():
        found.units.add((entry.package, entry.version))
        if entry.role == "script":
            found.scripts[entry.package, entry.version] = "fresh"
    for unit in starts:
        _note(unit, ends.get(unit.get("unit")), found)
    _judge(found, (*result.findings,), result.completeness)
    return found


def _note(unit: Mapping[str, Any], end: Mapping[str, Any] | None, found: Seen) -> None:
    key = str(unit.get("package") or ""), str(unit.get("version") or "")
    role = unit.get("role")
    if not key[0] or role not in ("script", "rustc", "rustdoc"):
        return
    found.units.add(key)
    if role == "script":
        good = end is not None and end.get("status") == 0 and end.get("signal") is None
        if found.scripts.get(key) != "failed":
            found.scripts[key] = "ran" if good else "failed"
    macros = unit.get("macros")
    for path in macros if isinstance(macros, list) else ():
        if isinstance(path, str):
            found.libraries.add(os.path.basename(path))
    types = unit.get("crate_types")
    if isinstance(types, list) and "proc-macro" in types:
        found.made[f"lib{unit.get('crate')}{unit.get('extra') or ''}.so"] = key


def _judge(found: Seen, findings: Iterable[Finding], complete: Completeness) -> None:
    groups: dict[_Key, list[Finding]] = defaultdict(list)
    for one in findings:
        groups[one.package, one.version].append(one)
    for key, ones in groups.items():
        found.findings[key] = tuple(sorted({Code(one.code, one.severity) for one in ones}))
        found.verdicts[key] = decide(tuple(ones), complete)


def _interrupted(run: RunReader) -> RunResult:
    complete = Completeness(reasons=(f"the run is {run.status}: it has no result",))
    findings = tuple(Finding.from_json(entry) for entry in run.findings())
    return RunResult(
        run=run.id, verdict=decide(findings, complete), findings=findings, completeness=complete,
        exit_code=1, cargo_code=None, cargo_signal=None,
    )  # fmt: skip


def _crate(package: str) -> str:
    return package.replace("-", "_")
