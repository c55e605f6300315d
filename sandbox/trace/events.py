"""Events and unit records: their kinds and fields, and the few helpers that read them.

An event stays the plain dict that `json` made of its line: a run may have a million of them. `Event` is its type.
The formats are described by `schema/events-v1.schema.json` and `schema/units-v1.schema.json` beside this module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypedDict

from sandbox.trace.texts import Encoded as Encoded
from sandbox.trace.texts import Text as Text
from sandbox.trace.texts import raw as raw
from sandbox.trace.texts import stored as stored
from sandbox.trace.texts import text as text

Kind = Literal[
    "exec", "open", "unlink", "rmdir", "rename", "link", "symlink", "mkdir", "chmod", "chown", "truncate", "mknod",
    "xattr", "memfd", "connect", "bind", "send", "dns", "kill", "ptrace", "process_vm", "mount", "namespace",
    "io_uring", "bpf", "keyctl", "userfaultfd", "perf", "socket", "seccomp", "module", "handle", "dumpable",
    "personality", "other", "forged", "survivor", "flood",
]  # fmt: skip

FILE_KINDS = frozenset((
    "open", "unlink", "rmdir", "rename", "link", "symlink", "mkdir", "chmod", "chown", "truncate", "mknod", "xattr",
))  # fmt: skip
"""Acts on the file system; all but `open` for reading change it."""

NETWORK_KINDS = frozenset(("connect", "bind", "send", "dns"))
"""Acts that name a peer."""

CALL_KINDS = frozenset((
    "ptrace", "process_vm", "mount", "namespace", "io_uring", "bpf", "keyctl", "userfaultfd", "perf", "socket",
    "seccomp", "module", "handle", "dumpable", "personality", "other",
))  # fmt: skip
"""Kernel calls that builds have no use for; `call` tells which."""

Role = Literal["cargo", "rustc", "script", "rustdoc", "program", "probe"]
Outcome = Literal["allowed", "denied"]
By = Literal["guard", "landlock", "readonly"]


class _Always(TypedDict):
    seq: int
    t_ns: int
    unit: str
    pid: int
    start: int
    parent: int
    kind: Kind
    outcome: Outcome


class Event(_Always, total=False):
    """One recorded act. Fields that do not apply are absent; readers pass over fields that they don't know.

    `seq` counts from 1 without a gap; `t_ns`: monotonic nanoseconds since the guard started; `pid`, `parent`: as seen
    inside the container; `start`: the process's start in clock ticks (proc(5), stat field 22); `path`: absolute,
    without `..`, links not followed; `path2`: where links on that way lead, or the second place of an act that has two
    (then links on both ways are followed), or a symbolic link's text; `by`: who denied it; `errno`: the error's name.
    """

    access: Literal["read", "write"]
    flags: list[str]
    path: Text
    path2: Text
    argv: list[Text]
    argv_cut: bool
    mode: int
    addr: str
    port: int
    family: str
    dns: str
    target: int
    call: str
    args: list[int]
    by: By
    errno: str
    note: str


class Output(TypedDict):
    """A file that a unit left. `sha256` is null where the guard was not told to compute it."""

    path: Text
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str | None


class Survivor(TypedDict):
    """A process that outlived its unit and was killed."""

    pid: int
    argv: list[Text]


class UnitStart(TypedDict, total=False):
    """Begin of a unit. `src` is the root source of a compile, `extra` rustc's `-C extra-filename`, `macros` the
    proc-macro libraries that it loads, `primary` tells that the user asked for this package."""

    event: Literal["start"]
    unit: str
    role: Role
    package: str
    version: str
    crate: str
    src: Text
    manifest_dir: Text
    crate_types: list[str]
    out_dir: Text
    extra: str
    incremental: Text
    primary: bool
    macros: list[Text]
    exe: Text
    pid: int
    t_ns: int


class UnitEnd(TypedDict, total=False):
    """End of a unit. `status` is null if a signal ended it or nobody knows; `quiet` counts the acts not listed."""

    event: Literal["end"]
    unit: str
    status: int | None
    signal: int | None
    t_ns: int
    quiet: int
    maxrss_kb: int
    cpu_ms: int
    outputs: list[Output]
    outputs_cut: bool
    directives: list[Text]
    directives_cut: bool
    survivors: list[Survivor]


def argv(event: Event) -> list[str]:
    """The arguments of an event as text; none if it has none."""
    return [text(part) for part in event.get("argv", ())]


def is_write(event: Event) -> bool:
    """Whether an event would change the file system."""
    kind = event["kind"]
    return event.get("access") == "write" if kind == "open" else kind in FILE_KINDS


def schema(name: Literal["events-v1", "run-v1", "units-v1"]) -> dict[str, Any]:
    """A format's JSON Schema (draft 2020-12)."""
    path = Path(__file__).parent / "schema" / f"{name}.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded
