"""From one unit's events to its facts. State is bounded; what does not fit is said in `Facts.cut`."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import getsizeof
from typing import Any

from sandbox.behaviour.facts import Facts
from sandbox.behaviour.model import Class, Fact
from sandbox.behaviour.normalise import Normaliser, escape, stored_text
from sandbox.behaviour.processes import Processes
from sandbox.trace.events import CALL_KINDS, FILE_KINDS

MOST_EXECS = 20_000
"""Execs of a unit that are kept until the end, when their chains are known."""

_EXEC = 240
"""Bytes that an exec takes besides its texts: as it waits for its chain, and then as a fact."""

_EXECUTABLE = 0o111
_EPHEMERAL = 32768
_LOOPBACK = ("127.", "::1")
# Calls whose arguments are numbers with a meaning; those of others are addresses.
_NUMBERED = ("socket", "namespace", "personality")


@dataclass(frozen=True, slots=True)
class _Exec:
    """An exec whose chain is not worked out yet. `raw`: the file; `searched`: the name looked for in PATH."""

    pid: int
    start: int
    seq: int
    raw: str
    program: str
    owner: str
    detail: tuple[tuple[str, str], ...]
    searched: str
    absent: bool

    @property
    def size(self) -> int:
        """What it takes, in bytes."""
        return _EXEC + sum(map(getsizeof, (self.raw, self.program, *(value for _, value in self.detail))))


@dataclass(slots=True)
class Collector:
    """Feed `event`, then `finish` once."""

    names: Normaliser
    processes: Processes
    facts: Facts
    own_reads: int = 0
    _execs: list[_Exec] = field(default_factory=list)

    def event(self, event: Mapping[str, Any]) -> str:
        """Take one event; gives the raw path of a file that it executed, or nothing."""
        pid, start, seq = (_int(event.get(name)) for name in ("pid", "start", "seq"))
        self.processes.seen(pid, start, _int(event.get("parent")), seq)
        kind = stored_text(event.get("kind"))
        denied = event.get("outcome") == "denied"
        if kind == "exec" and not denied:
            return self._exec(event, pid, start, seq)
        if kind in FILE_KINDS or (kind == "other" and event.get("call") == "utimensat" and event.get("path")):
            self._file(event, kind, denied, pid, seq)
        elif kind == "dns":
            self.facts.add("dns", "ask", escape(stored_text(event.get("dns"))), seq=seq, detail=_outcome(denied))
        elif kind in ("connect", "bind", "send"):
            self.facts.add("network", kind, self._peer(event), seq=seq, detail=_outcome(denied))
        elif kind == "survivor":
            argv = event.get("argv")
            self.survivor(stored_text(argv[0]) if isinstance(argv, list) and argv else "", seq)
        elif kind == "kill":
            group: Class = "denied" if denied else "kernel"
            self.facts.add(group, kind, _target(event.get("target")), "", (*_signal(event), *_note(event)), seq)
        elif kind == "exec":
            path = stored_text(event.get("path"))
            self.facts.add("denied", kind, self.names.path(path, pid), self._owner(path), _note(event), seq)
        else:
            self._kernel(event, kind, denied, pid, seq)
        return ""

    def _exec(self, event: Mapping[str, Any], pid: int, start: int, seq: int) -> str:
        path, real = stored_text(event.get("path")), stored_text(event.get("path2"))
        note = stored_text(event.get("note"))
        folder, _, base = path.rpartition("/")
        in_path = folder in self.names.roots.search
        argv = event.get("argv")
        called = os.path.basename(stored_text(argv[0])) if isinstance(argv, list) and argv else base
        detail = []
        if called != base:
            detail.append(("called", str(self.names.path(called))))
        absent = note == "absent"
        if note and not absent:
            detail.append(("note", str(escape(note))))
        if real and real != path:
            detail.append(("real", str(self.names.path(real, pid))))
        program = f"$PATH/{self.names.path(base)}" if absent and in_path else self.names.path(path, pid)
        owner = "" if absent else self._owner(real or path)
        if note == "memfd":
            owner = "memory"
        found = _Exec(pid, start, seq, real or path, program, owner, tuple(detail), base if in_path else "", absent)
        if len(self._execs) >= MOST_EXECS or not self.facts.part.take(found.size):
            self.facts.cut.add("exec")
        else:
            self._execs.append(found)
        if absent:
            return ""
        self.processes.ran(pid, start, seq, program)
        return real or path

    def _file(self, event: Mapping[str, Any], kind: str, denied: bool, pid: int, seq: int) -> None:
        path, second = stored_text(event.get("path")), stored_text(event.get("path2"))
        two = kind in ("rename", "link", "symlink")
        reads = kind == "open" and event.get("access") != "write"
        places = [path] if kind == "symlink" or not second else [path, second]
        detail = {}
        if second and second != path:
            label = {"rename": "to", "link": "name", "symlink": "text"}.get(kind, "real")
            normal = self.names.leads(path, second) if kind == "symlink" else self.names.path(second, pid)
            detail[label] = str(normal)
        mode = event.get("mode")
        if type(mode) is int and mode & _EXECUTABLE and kind in ("open", "chmod", "mknod"):
            detail["exec"] = "yes"
        act = ("read" if reads else "write") if kind == "open" else "times" if kind == "other" else kind
        # Where links lead is what is opened or changed; a hard link or rename acts on both places.
        owners = [self._owner(place) for place in places]
        owner = owners[0] if two else owners[-1]
        if two and len(owners) > 1:
            detail["second"] = owners[1]
        group: Class
        if any(place in self.names.roots.decoys for place in places):
            group = "decoy"
            detail |= dict(_outcome(denied))
        elif denied:
            group = "denied"
        elif reads:
            # What git, editors and cargo keep beside the sources (`.git/config`) is no source.
            if set(owners) == {"own source"} and not any("/." in self.names.below(place) for place in places):
                self.own_reads += 1
                return
            group = "read"
        else:
            group = "write"
            detail["where"] = "inside" if set(owners) == {"own output"} else "outside"
        if event.get("note"):
            detail["note"] = str(escape(stored_text(event.get("note"))))
        self.facts.add(group, act, self.names.path(path, pid), owner, tuple(sorted(detail.items())), seq)

    def _kernel(self, event: Mapping[str, Any], kind: str, denied: bool, pid: int, seq: int) -> None:
        call = stored_text(event.get("call"))
        path = stored_text(event.get("path"))
        shown = str(self.names.path(path, pid)) if path else ""
        detail = dict(_note(event) + _outcome(denied))
        if path and call:
            detail["path"] = shown
        family = stored_text(event.get("family"))
        if family:
            detail["family"] = str(escape(family))
        args = event.get("args")
        if kind in _NUMBERED and isinstance(args, list):
            detail["args"] = " ".join(str(_int(arg)) for arg in args[:3])
        act = kind if kind in CALL_KINDS or kind in ("memfd", "forged", "flood") else escape(kind) or "unnamed"
        if kind == "flood":
            # From here on the guard counted and did not list.
            self.facts.cut |= {"read", "write"}
        self.facts.add("kernel", act, escape(call) if call else shown, "", tuple(sorted(detail.items())), seq)

    def _peer(self, event: Mapping[str, Any]) -> str:
        address, port = stored_text(event.get("addr")), event.get("port")
        if not address:
            path = stored_text(event.get("path"))
            return f"{escape(stored_text(event.get('family')))} {self.names.path(path)}".strip()
        shown = escape(address)
        if type(port) is not int:
            return shown
        # A port that the system chose, between processes of the build.
        number = "<port>" if port >= _EPHEMERAL and address.startswith(_LOOPBACK) else str(port)
        return f"[{shown}]:{number}" if ":" in address else f"{shown}:{number}"

    def survivor(self, argv0: str, seq: int = 0) -> None:
        """A process that outlived the unit, by the name it had."""
        self.facts.add("survivor", "survive", self.names.path(argv0) or "process", self._owner(argv0), seq=seq)

    def finish(self, digests: Mapping[str, str]) -> tuple[Fact, ...]:
        """All facts, in order. `digests`: raw path -> SHA-256 of what was executed or linked."""
        ran = {(one.pid, one.start, one.searched) for one in self._execs if one.searched and not one.absent}
        for one in sorted(self._execs, key=lambda one: one.seq):
            # The search of a program that was found is a matter of PATH, and so of the machine.
            if one.absent and one.searched and (one.pid, one.start, one.searched) in ran:
                continue
            chain = self.processes.chain(one.pid, one.start, one.seq)
            known = digests.get(one.raw)
            digest = "" if one.absent else f"sha256:{known}" if known else "absent"
            act = "absent" if one.absent else "exec"
            self.facts.add("exec", act, one.program, one.owner, one.detail, one.seq, chain, digest, paid=True)
        self._execs.clear()
        if self.processes.cut:
            self.facts.cut.add("exec")
        return self.facts.drain()

    def _owner(self, path: str) -> str:
        return self.names.owner(path) if path else ""


def _outcome(denied: bool) -> tuple[tuple[str, str], ...]:
    return (("outcome", "denied"),) if denied else ()


def _target(target: Any) -> str:
    """Whom a signal was meant for, as far as it is the same in each build (kill(2))."""
    if type(target) is not int or target > 1:
        return "process"
    return {1: "init", 0: "own group", -1: "everybody"}.get(target, "group")


def _signal(event: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    args = event.get("args")
    return (("args", " ".join(str(_int(arg)) for arg in args[:1])),) if isinstance(args, list) and args else ()


def _note(event: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    note = stored_text(event.get("note"))
    return (("note", str(escape(note))),) if note else ()


def _int(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 63 else 0
