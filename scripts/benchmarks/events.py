"""`python -m benchmarks.events COUNT BUILD_DIR`: speaks as a guard does that sees COUNT events, all of them harmless.

Each event has paths of its own and the processes are many, so whoever collects instead of streaming is found out.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from sandbox.trace import frames

_BATCH = 1000
_UNITS = 20
_SEEN_ONCE = '"t_ns":%d,"unit":"%s","pid":%d,"start":%d,"parent":2,'


def lines(first: int, last: int, build_dir: str, unit: str) -> Iterator[str]:
    """A unit's events as JSON lines: mostly reads, some writes and renames, a few programs."""
    package = _out_dir(build_dir, unit)
    for seq in range(first, last + 1):
        pid = 100 + seq // 40 % 30_000
        head = f'{{"seq":{seq},' + _SEEN_ONCE % (seq * 20_000, unit, pid, 5_000 + seq // 40)
        match seq % 20:
            case 0:
                path, more = "/usr/bin/cc", f',"argv":["cc","-c","{seq}.c","-o","{seq}.o"]'
                yield f'{head}"kind":"exec","path":"{path}"{more},"outcome":"allowed"}}\n'
            case 1 | 2:
                path = f"{package}/made-{seq}.o"
                yield (
                    f'{head}"kind":"open","access":"write","flags":["create","truncate"],"path":"{path}",'
                    f'"mode":420,"outcome":"allowed"}}\n'
                )
            case 3:
                one, two = f"{package}/made-{seq}.o", f"{package}/kept-{seq}.o"
                yield f'{head}"kind":"rename","path":"{one}","path2":"{two}","outcome":"allowed"}}\n'
            case 4:
                path = f"/tmp/cs-{pid}-a1b2c3/cc{seq}.s"
                yield (
                    f'{head}"kind":"open","access":"write","flags":["create","excl"],"path":"{path}",'
                    f'"mode":384,"outcome":"allowed"}}\n'
                )
            case _:
                path = f"{package}/include/part-{seq}/header.h"
                yield f'{head}"kind":"open","access":"read","path":"{path}","outcome":"allowed"}}\n'


def _out_dir(build_dir: str, unit: str) -> str:
    """As cargo names it, so that the unit has its place in the ledger and its behaviour is kept."""
    return f"{build_dir}/debug/build/flood-{unit[1:]}-{int(unit[1:]):016x}/out"


def speak(count: int, build_dir: str) -> Iterator[bytes]:
    """The frames of a whole run (see sandbox.trace.frames)."""

    def one(kind: str, value: dict[str, Any]) -> bytes:
        return frames.encode(kind, json.dumps(value).encode())

    yield one(frames.STATE, {"v": 1, "landlock": 7, "sync_wakeup": True, "kernel": "0", "pid2": 2})
    names = [f"u{number + 1}" for number in range(_UNITS)]
    for name in names:
        out_dir = _out_dir(build_dir, name)
        start = {
            "event": "start", "unit": name, "role": "script", "package": f"flood-{name[1:]}", "version": "1.0.0",
            "crate": "build_script_build", "manifest_dir": "/", "out_dir": out_dir, "pid": 3, "t_ns": 1,
        }  # fmt: skip
        yield one(frames.UNIT, start)
    batch: list[str] = []
    last = 0
    for number, name in enumerate(names, 1):
        # The last event of this unit.
        first, last = last + 1, count * number // _UNITS
        for line in lines(first, last, build_dir, name):
            batch.append(line)
            if len(batch) == _BATCH:
                yield frames.encode(frames.EVENTS, "".join(batch).encode())
                batch.clear()
        yield frames.encode(frames.EVENTS, "".join(batch).encode())
        batch.clear()
        yield one(frames.UNIT, {
            "event": "end", "unit": name, "status": 0, "signal": None, "t_ns": last * 20_000, "quiet": 0,
        })  # fmt: skip
    counters = {"seen": count, "written": count, "quiet": 0, "unreadable": 0, "lost": 0}
    yield one(frames.EXIT, {"code": 0, "signal": None, **counters, "processes": 1, "survivors": 0, "fingerprints": []})


def main(count: int, build_dir: str) -> None:
    """Write all frames to standard output, and pass over what the host has to say."""
    threading.Thread(target=_ignore_host, daemon=True).start()
    for frame in speak(count, build_dir):
        sys.stdout.buffer.write(frame)
    sys.stdout.buffer.flush()


def _ignore_host() -> None:
    while os.read(0, 65536):
        continue


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
