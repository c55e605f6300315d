"""The unmistakable findings, one pass over the events (small on purpose: the rule engine takes its place).

Feed every unit record and every event in order; `Judge.findings()` may be asked at any time. State is bounded: what one
unit wrote into scratch space is remembered up to a cap, and repeated acts are counted on one finding.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sandbox.judge.catalogue import CATALOGUE, KERNEL_CALLS, is_probe
from sandbox.judge.model import Finding
from sandbox.plan.mounts import SCRATCH
from sandbox.plan.secrets import DECOYS, RC_FILES, is_within
from sandbox.record import replace

# The units' own scratch folders, then what all of them share.
_SCRATCH_PLACES = (f"{SCRATCH}/", "/tmp/", "/var/tmp/")
_MAX_EVIDENCE = 5
_MAX_SCRATCH = 20_000
_MAX_FINDINGS = 2_000
# Of a name in a finding; the whole one stands in its event. So all findings of a run fit into a result that is read.
_MAX_WORDS = 1_000
_COMPILERS = frozenset(
    "rustc cc c++ gcc g++ clang clang++ ld ld.bfd ld.gold ld.lld lld rust-lld mold collect2 as ar cmake go "
    "gfortran f951 nvcc".split()
)

# A cargo within a build script (`cargo metadata` of cbindgen and others) tries to take these locks, is refused and goes
# on without, as it does on a read-only disk (cargo's src/cargo/util/cache_lock.rs and core/global_cache_tracker.rs).
_CARGO_LOCKS = (".package-cache", ".package-cache-mutate", ".global-cache", ".global-cache-journal")

# `git describe --dirty`, which build scripts and macros ask for a version, would refresh the index, is refused and goes
# on without (git's builtin/describe.c). A lock that can't be made does nothing.
_GIT_LOCK = "/.git/index.lock"
# As ld.so(8) looks for them: any text may follow, as in libLLVM.so.22.1-rust-1.95.0-stable.
_LIBRARY = re.compile(r"\.so(?:\.[^/]*)?$")

Event = Mapping[str, Any]


def text(value: Any) -> str:
    """A field of an event as text; bytes that are not UTF-8 stay in their base64 form, marked."""
    if isinstance(value, dict):
        return "base64:" + str(value.get("b64", ""))
    return "" if value is None else str(value)


class _Scratch(NamedTuple):
    """A file left in bare scratch space: who wrote it, and by which program."""

    unit: str
    program: str


class Judge:
    """Turns events into findings. `homes` are where decoys stand, `trusted` the directories of real compilers,
    `outputs` the folder that holds the units' own output folders, which is never scratch space."""

    def __init__(
        self, decoy_homes: tuple[str, ...], cargo_home: str, trusted: tuple[str, ...], outputs: str = ""
    ) -> None:
        self._decoys: dict[str, bool] = {}
        for home in decoy_homes:
            for path, _ in DECOYS:
                self._decoys[f"{home}/{path}"] = path in RC_FILES
        self._decoys[f"{cargo_home}/credentials.toml"] = False
        self._harmless = {f"{cargo_home}/{name}" for name in _CARGO_LOCKS}
        self._trusted = (*trusted, "/usr", "/bin", "/lib")
        self._outputs = outputs
        self._units: dict[str, dict[str, Any]] = {}
        self._programs: dict[int, str] = {}
        self._scratch: dict[str, _Scratch] = {}
        self._found: dict[tuple[str, str, str], Finding] = {}
        self._handlers: dict[str, Callable[[Event], Finding | None]] = {
            "open": self._open,
            "exec": self._exec,
            "connect": self._network,
            "bind": self._network,
            "send": self._network,
            "dns": self._network,
            "survivor": self._survivor,
            "forged": self._forged,
            "flood": self._flood,
        }
        self.dropped = 0

    def unit(self, record: Mapping[str, Any]) -> list[Finding]:
        """Take a unit record (start or end). An end may bring findings of its own: survivors it reports."""
        name = text(record.get("unit"))
        if record.get("event") == "start":
            self._units[name] = dict(record)
            return []
        new = []
        for survivor in record.get("survivors") or ():
            argv = " ".join(text(part) for part in survivor.get("argv") or ())
            finding = self._add("CS0105", name, argv or "a process", f"process {survivor.get('pid')}: {argv}", None)
            if finding:
                new.append(finding)
        self._scratch_forget(name)
        return new

    def event(self, event: Event) -> Finding | None:
        """Take one event; returns a finding when this event brought a new one (not a repetition)."""
        kind = event.get("kind")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is not None:
            return handler(event)
        if kind in KERNEL_CALLS:
            return self._kernel(event)
        return self._write_like(event)

    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, in the order of their first event."""
        return tuple(self._found.values())

    def add_external(self, code: str, unit: Mapping[str, Any], subject: str, detail: str) -> Finding | None:
        """A finding that comes from elsewhere than an event: a broken seal, a touched build dir."""
        name = text(unit.get("unit"))
        self._units.setdefault(name, dict(unit))
        return self._add(code, name, subject, detail, None)

    def _open(self, event: Event) -> Finding | None:
        # A link or /proc may lead elsewhere; what was opened is then in path2.
        path = text(event.get("path2")) or text(event.get("path"))
        writes = event.get("access") == "write"
        rc_file = self._decoys.get(path)
        if rc_file is not None and event.get("unit") != "u0" and (writes or not rc_file):
            act = "tried to write" if writes else "read"
            return self._add("CS0101", event["unit"], path, f"{act} {path}", event)
        scratch = self._scratch.get(path)
        if writes:
            if self._is_scratch(path) and len(self._scratch) < _MAX_SCRATCH:
                program = self._programs.get(event.get("pid", 0), "")
                self._scratch[path] = _Scratch(text(event.get("unit")), program)
            return self._write_like(event)
        if scratch is not None and scratch.unit != event.get("unit"):
            detail = f"read {path}, which {self._name(scratch.unit)} left there"
            return self._add("CS0110", event["unit"], path, detail, event)
        return None

    def _exec(self, event: Event) -> Finding | None:
        path = text(event.get("path"))
        unit = text(event.get("unit"))
        if event.get("outcome") == "denied":
            return self._add("CS0107", unit, path, f"tried to start {path}: {text(event.get('note'))}", event)
        self._programs[event.get("pid", 0)] = path
        if event.get("note") == "memfd":
            return self._add("CS0104", unit, path, "ran a program from memory, without a file", event)
        if event.get("note") == "deleted":
            return self._add("CS0104", unit, path, "ran a program whose file it had deleted before", event)
        scratch = self._scratch.get(text(event.get("path2")) or path)
        if scratch is None or self._is_compiler(scratch.program):
            return None
        if scratch.unit == unit:
            detail = f"wrote {path} and then ran it; no compiler made it"
            return self._add("CS0104", unit, path, detail, event)
        return self._add("CS0104", unit, path, f"ran {path}, which {self._name(scratch.unit)} left there", event)

    def _network(self, event: Event) -> Finding | None:
        if event.get("outcome") != "denied":
            return None
        if event.get("kind") == "dns":
            name = text(event.get("dns"))
            return self._add("CS0102", event["unit"], name, f"asked for the address of {name}", event)
        where = text(event.get("addr"))
        if event.get("port") is not None:
            where = f"[{where}]:{event['port']}" if ":" in where else f"{where}:{event['port']}"
        return self._add("CS0102", event["unit"], where, f"{event['kind']} to {where}", event)

    def _write_like(self, event: Event) -> Finding | None:
        if event.get("kind") == "rename" and event.get("outcome") == "allowed":
            moved = self._scratch.pop(text(event.get("path")), None)
            if moved:
                self._scratch[text(event.get("path2"))] = moved
        if event.get("kind") == "link" and event.get("outcome") == "allowed" and len(self._scratch) < _MAX_SCRATCH:
            named = self._scratch.get(text(event.get("path")))
            if named:
                self._scratch[text(event.get("path2"))] = named
        places = _places(event)
        path = places[0]
        if event.get("note") == "foreign output":
            return self._add("CS0112", event["unit"], path, f"opened {path} for writing: another unit's output", event)
        if event.get("note") == "stray output":
            made = places[-1]
            code = "CS0116" if _LIBRARY.search(made) else "CS0114"
            return self._add(code, event["unit"], made, f"made {made}", event)
        if event.get("outcome") != "denied" or event.get("unit") == "u0":
            return None
        if event.get("kind") == "open" and (path in self._harmless or self._is_git_lock(path, event)):
            return None
        if event.get("note") == "set-id":
            return self._add("CS0106", event["unit"], path, f"tried to make {path} a set-id program", event)
        # A hard link changes nothing of what it leads to, but would be a second name for it.
        for place in (*places, text(event.get("path"))):
            if place in self._decoys:
                return self._add("CS0101", event["unit"], place, f"tried to {event['kind']} {place}", event)
        unit = self._units.get(text(event.get("unit")), {})
        own = all(_in_sources(place, text(unit.get("manifest_dir"))) for place in places)
        code = "CS0113" if own and unit.get("role") == "script" else "CS0103"
        shown = places[-1]
        return self._add(code, event["unit"], shown, f"{_verb(event)} {shown}", event)

    def _kernel(self, event: Event) -> Finding | None:
        if event.get("outcome") != "denied":
            return None
        call = text(event.get("call")) or text(event.get("kind"))
        if is_probe(event):
            return self._add("CS0115", event["unit"], call, f"tried {call}", event)
        return self._add("CS0106", event["unit"], call, f"called {call}, which no build needs", event)

    def _survivor(self, event: Event) -> Finding | None:
        argv = " ".join(text(part) for part in event.get("argv") or ())
        return self._add("CS0105", event["unit"], argv or "a process", f"process {event.get('pid')}: {argv}", event)

    def _forged(self, event: Event) -> Finding | None:
        if event.get("outcome") == "allowed":
            return self._add("CS0107", event["unit"], "name", text(event.get("note")) or "gave a false name", event)
        if path := text(event.get("path")):
            return self._add("CS0107", event["unit"], "argument file", f"{text(event.get('note'))}: {path}", event)
        return self._add("CS0107", event["unit"], "hypercall", "tried to speak to the recorder as the guard", event)

    def _flood(self, event: Event) -> Finding | None:
        return self._add("CS0111", event["unit"], "output", text(event.get("note")) or "endless output", event)

    def _is_git_lock(self, path: str, event: Event) -> bool:
        program = self._programs.get(event.get("pid", 0), "")
        trusted = any(is_within(program, top) for top in self._trusted)
        return path.endswith(_GIT_LOCK) and trusted and os.path.basename(program) == "git"

    def _is_scratch(self, path: str) -> bool:
        # The target dir may lie below /tmp; what a script puts into its OUT_DIR is no less its own there.
        return path.startswith(_SCRATCH_PLACES) and not (self._outputs and is_within(path, self._outputs))

    def _is_compiler(self, program: str) -> bool:
        base = os.path.basename(program).rpartition("-")[2] or program
        named = os.path.basename(program) in _COMPILERS or base in _COMPILERS
        return named and any(is_within(program, top) for top in self._trusted)

    def _scratch_forget(self, unit: str) -> None:
        """A unit's own temp dir goes with it; what it left elsewhere in scratch space stays remembered."""
        gone = [
            path for path, entry in self._scratch.items() if entry.unit == unit and path.startswith(_SCRATCH_PLACES[0])
        ]
        for path in gone:
            del self._scratch[path]

    def _name(self, unit: str) -> str:
        record = self._units.get(unit, {})
        return f"{text(record.get('role')) or 'unit'} of {text(record.get('package')) or unit}"

    def _add(self, code: str, unit: str, subject: str, detail: str, event: Event | None) -> Finding | None:
        key = (code, unit, subject)
        sequence = (int(event["seq"]),) if event is not None and "seq" in event else ()
        known = self._found.get(key)
        if known is not None:
            events = known.events if len(known.events) >= _MAX_EVIDENCE else known.events + sequence
            self._found[key] = replace(known, count=known.count + 1, events=events)
            return None
        if len(self._found) >= _MAX_FINDINGS:
            self.dropped += 1
            return None
        record = self._units.get(unit, {})
        entry = CATALOGUE[code]
        finding = Finding(
            code=code,
            severity=entry.severity_of(event, text(record.get("role"))),
            title=entry.title,
            unit=unit,
            role=text(record.get("role")),
            package=text(record.get("package")),
            version=text(record.get("version")),
            manifest_dir=text(record.get("manifest_dir")),
            subject=_cut(subject),
            detail=_cut(detail),
            help=entry.help,
            events=sequence,
            evidence=_evidence(event, self._programs),
            macros=tuple(text(macro) for macro in record.get("macros") or ()),
        )
        self._found[key] = finding
        return finding


def _cut(words: str) -> str:
    half = _MAX_WORDS // 2
    return words if len(words) <= _MAX_WORDS else f"{words[:half]}…{words[-half:]}"


def _places(event: Event) -> list[str]:
    """The places that a write-like act would change, the last one being the one to name. A symbolic link's text is
    not one of them, nor is what a hard link leads to."""
    path, second = text(event.get("path")), text(event.get("path2"))
    kind = event.get("kind")
    if kind == "rename":
        return [path, second]
    return [path] if kind == "symlink" or not second else [second]


def _in_sources(path: str, top: str) -> bool:
    """Whether a path lies among a package's own sources; what git, cargo and editors keep there (`.git`, `.cargo`,
    `.vscode`) is no source, and a write to it is how a build would stay on the machine."""
    return bool(top) and is_within(path, top) and "/." not in path[len(top) :]


def _verb(event: Event) -> str:
    if event.get("kind") == "open":
        return "tried to write" if "create" not in (event.get("flags") or ()) else "tried to create"
    return f"tried to {event.get('kind')}"


def _evidence(event: Event | None, programs: Mapping[int, str]) -> tuple[str, ...]:
    if event is None:
        return ()
    program = programs.get(event.get("pid", 0), "")
    by = f" by {os.path.basename(program)}" if program else ""
    seconds = int(event.get("t_ns", 0)) / 1e9
    return (f"+{seconds:.3f}s process {event.get('pid')}{by}: {event.get('kind')} {event.get('outcome', '')}".rstrip(),)
