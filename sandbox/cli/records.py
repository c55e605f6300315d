"""`runs`, `report` and `explain`: looking at what was recorded. Nothing here starts anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sandbox.cli.options import Settings
from sandbox.cli.usage import USAGES, hint_of
from sandbox.errors import UsageError
from sandbox.report.render import render_untrusted as safe
from sandbox.trace.reader import RunReader, StoreError
from sandbox.trace.store import Policy, RunInfo, RunStore


def run(words: Sequence[str], settings: Settings) -> int:
    """Dispatch `runs …`, `report RUN …`, `explain RUN#EVENT`. Raises UsageError, StoreError, ReportError."""
    verb, *rest = words
    if verb == "runs":
        return _runs(rest)
    if verb == "report":
        from sandbox.cli import report

        return report.run(rest, settings)
    if len(rest) != 1 or rest[0].startswith("-"):
        raise UsageError("explain needs one RUN#EVENT", hint=f"{USAGES['explain']}, for instance last#12")
    return _explain(rest[0])


def _runs(words: Sequence[str]) -> int:
    act, *names = words or ["list"]
    store = RunStore()
    if act == "list" and not names:
        for info in store.list():
            print(_line(info))
        return 0
    if act == "prune" and names in ([], ["--dry-run"]):
        taken = store.prune(Policy(), datetime.now().astimezone(), dry_run=bool(names))
        for pruned in taken:
            print(f"{'would remove' if names else 'removed'} {pruned.run.id} (over the limit of {pruned.why})")
        print(f"{len(taken)} runs")
        return 0
    if act == "behaviour":
        from sandbox.cli import behaviour

        return behaviour.run(names)
    if act in ("show", "path", "pin", "unpin") and names:
        for name in names:
            if act == "show":
                _show(store.open(name))
            elif act == "path":
                print(store.base / store.find(name))
            else:
                print(f"{act}ned {store.pin(name) if act == 'pin' else store.unpin(name)}")
        return 0
    raise UsageError(
        f"runs {' '.join(words)}: not understood",
        hint=hint_of("runs"),
    )


def _line(info: RunInfo) -> str:
    verdict = str(info.result.get("verdict") or info.status)
    findings = f"{len(info.result.get('findings') or ()):>3} findings"
    if info.result.get("recorded") is False:
        findings = f"{'no record':>12}"
    argv = " ".join(map(str, info.header.get("argv") or ()))
    mark = "*" if info.pinned else " "
    return f"{info.id}{mark} {verdict:<11} {findings}  {info.bytes >> 10:>7} KiB  {safe(argv, 80)}"


def _show(reader: RunReader) -> None:
    with reader as run:
        header, result = run.header, run.result or {}
        print(f"run        {run.id} ({run.status}{', pinned' if run.pinned else ''})")
        print(f"folder     {run.path}")
        print(f"command    {safe(' '.join(map(str, header.get('argv') or ())))}")
        print(f"directory  {safe(header.get('cwd', ''))}")
        print(f"started    {safe(header.get('started', ''))}")
        for name, version in (header.get("versions") or {}).items():
            print(f"           {safe(name)} {safe(version)}")
        tier = header.get("tier") or {}
        print(f"tier       {safe(tier.get('tier', 'not told'))}")
        for reason in tier.get("reasons") or ():
            print(f"           {safe(reason.get('words', ''))}")
        complete = result.get("completeness") or {}
        print(f"verdict    {result.get('verdict', 'none')}, exit code {result.get('exit_code')}")
        for reason in complete.get("reasons") or ():
            print(f"           {safe(reason)}")
        names = ("seen", "listed", "quiet", "unreadable", "lost")
        if result.get("recorded") is False:
            print("events     not recorded")
        else:
            print("events     " + ", ".join(f"{complete.get(name)} {name}" for name in names))
        print("units" + ("      not seen" if result.get("recorded") is False else ""))
        starts: dict[str, dict[str, Any]] = {}
        for unit in run.units():
            if unit.get("event") == "start":
                starts[str(unit.get("unit"))] = unit
                continue
            start = starts.get(str(unit.get("unit")), {})
            seconds = (unit.get("t_ns", 0) - start.get("t_ns", 0)) / 1e9
            name = f"{start.get('package') or '-'} {start.get('version') or ''}".strip()
            status = unit.get("status") if unit.get("signal") is None else f"signal {unit.get('signal')}"
            print(
                f"  {safe(unit.get('unit')):<6} {safe(start.get('role')):<8} {safe(name):<36} {seconds:8.2f}s  {status}"
            )


def _explain(name: str) -> int:
    run_name, found, number = name.partition("#")
    if not found or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise UsageError(f"{name!r} is not RUN#EVENT", hint="for instance: cargo-sandbox explain last#12")
    with RunStore().open(run_name) as run:
        event = next((entry for entry in run.events() if entry.get("seq") == int(number)), None)
        if event is None:
            raise StoreError(f"run {run.id} has no event {number}")
        units = [entry for entry in run.units() if entry.get("unit") == event.get("unit")]
        print(f"event {number} of run {run.id}")
        for key, value in event.items():
            print(f"  {key:<9} {safe(value if isinstance(value, str) else json.dumps(value), 4000)}")
        for entry in units[:1]:
            print("unit")
            for key in ("unit", "role", "package", "version", "crate", "manifest_dir", "out_dir", "exe", "macros"):
                if entry.get(key):
                    value = entry[key]
                    print(f"  {key:<12} {safe(value if isinstance(value, str) else json.dumps(value), 4000)}")
        related = [
            entry for entry in run.findings() if int(number) in (entry.get("events") or ())
        ]  # fmt: skip
        for entry in related:
            print(f"finding {safe(entry.get('code'))}: {safe(entry.get('title'))} ({safe(entry.get('severity'))})")
        _ancestors(run, event)
    return 0


def _ancestors(run: RunReader, event: dict[str, Any]) -> None:
    """The chain of programs above the process, from its exec events."""
    programs: dict[int, tuple[int, Any]] = {}
    for entry in run.events():
        if entry.get("kind") == "exec" and entry.get("outcome") != "denied":
            programs[int(entry.get("pid") or 0)] = (
                int(entry.get("parent") or 0),
                entry.get("argv") or [entry.get("path")],
            )
        if entry.get("seq") == event.get("seq"):
            break
    pid, seen = int(event.get("pid") or 0), set()
    lines = []
    while pid in programs and pid not in seen:
        seen.add(pid)
        parent, argv = programs[pid]
        lines.append(f"  {pid:>7}  {safe(' '.join(map(str, argv)), 300)}")
        pid = parent
    if lines:
        print("process and its ancestors")
        sys.stdout.write("\n".join(lines) + "\n")
