"""The mounts of a live container, read from outside, by what the plan says of each (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.engine.bubblewrap import _MACHINE_SETTINGS, _MASKED, mounted_on_settings

_FLAGS = ("ro", "rw", "nosuid", "nodev", "noexec")
_NAMED = ("tmpfs", "proc", "devpts", "mqueue", "sysfs", "cgroup2")
# Which of these a kernel has differs.
_SETTINGS = {f"/proc/{name}" for name in _MACHINE_SETTINGS}
_COVERED = {f"/proc/{name}" for name in _MASKED}
# What this machine has mounted there; a container has it covered or not at all.
_MOUNTED = {f"/proc/{name}" for name in mounted_on_settings(Path("/proc/self/mountinfo").read_bytes())}


@dataclass(frozen=True)
class _Line:
    """One line of mountinfo."""

    number: str
    parent: str
    root: str
    place: str
    flags: tuple[str, ...]
    spreads: bool
    kind: str
    options: str


def mounts(pid: int, plan: Mapping[str, Any], by_docker: bool) -> dict[str, list[str]]:
    """Flags of the mounts by what the plan says of each; mounts that it does not name, by their place.

    Docker shows a place of the host with the flags that it has there, and adds no more than read-only.
    """
    planned = {mount["target"]: mount for mount in plan["mounts"]}
    home = dict(plan["env"])["HOME"]
    found: dict[str, set[str]] = {}
    for line in seen(pid):
        mount = planned.get(line.place)
        name = f"{mount['kind']} {mount['why'] or line.place}" if mount else _named(line, home)
        is_hosts = by_docker and mount is not None and mount["kind"] in ("ro", "rw")
        flags = line.flags[0] if is_hosts else _flags(line)
        if line.place in _SETTINGS and not by_docker:
            flags = flags.replace(" noexec", "")  # a bind has it where the machine's own /proc has it
        found.setdefault(name, set()).add(flags)
    return {name: sorted(found[name]) for name in sorted(found)}


def _named(line: _Line, home: str) -> str:
    if line.place in _SETTINGS:
        return "settings of the machine below /proc"
    if line.place in _COVERED | _MOUNTED:
        return "facts of the machine below /proc"
    is_between = line.place.startswith(f"{home}/") and line.kind == "tmpfs"
    return "folders of the fresh home" if is_between else line.place


def _flags(line: _Line) -> str:
    is_empty = line.kind == "tmpfs" and "ro" in line.flags
    if line.place in _COVERED | _MOUNTED and (is_empty or line.root == "/null"):
        return "covered"
    shown = [flag for flag in _FLAGS if flag in line.flags]
    shown += [line.kind] if line.kind in _NAMED else []
    if line.kind == "tmpfs" and "rw" in line.flags:
        shown.append("sized" if re.search(r"\bsize=", line.options) else "unsized")
        shown += ["counted"] if re.search(r"\bnr_inodes=", line.options) else []
    shown += ["spreads"] if line.spreads else []
    return " ".join(shown)


def open_places(pid: int) -> set[str]:
    """Settings and facts of the machine below /proc that this kernel has and that lie open."""
    shown = {line.place for line in seen(pid)}
    return {path for path in _SETTINGS | _COVERED if Path(path).exists() and path not in shown}


def seen(pid: int) -> list[_Line]:
    """The mounts that can be reached: no other one lies over them."""
    lines = {line.number: line for line in _lines(pid)}
    siblings: dict[str, list[_Line]] = {}
    for line in lines.values():
        siblings.setdefault(line.parent, []).append(line)

    def is_hidden(line: _Line) -> bool:
        parent = lines.get(line.parent)
        others = [other for other in siblings[line.parent] if other is not line]
        if any(line.place.startswith(f"{other.place.rstrip('/')}/") for other in others):
            return True
        return parent is not None and (is_hidden(parent) or any(other.place == parent.place for other in others))

    def is_covered(line: _Line) -> bool:
        return any(other.place == line.place for other in siblings.get(line.number, []))

    return [line for line in lines.values() if not is_hidden(line) and not is_covered(line)]


def _lines(pid: int) -> Iterator[_Line]:
    for text in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before, _, after = text.partition(" - ")
        number, parent, _, root, place, flags, *spread = before.split(" ")
        kind, _, options = after.split(" ")[:3]
        spreads = any(word.startswith("shared") for word in spread)
        place = place.encode().decode("unicode_escape")
        yield _Line(number, parent, root, place, tuple(flags.split(",")), spreads, kind, options)
