"""Shared pieces of the tests of records and ledger."""

from __future__ import annotations

import stat
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sandbox.trace.store import RunStore

GUARD_SEALS = r'''
"""Does what `guard seals` does (it has its own tests): compares seals with files."""
import hashlib, os, re, stat, sys

assert sys.argv[1:] == ["seals"]
out = sys.stdout.buffer
for line in sys.stdin.buffer.read().split(b"\n")[:-1]:
    ino, size, mtime, ctime, digest, escaped = line.split(b"\t")
    path = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), escaped)
    try:
        now = os.lstat(path)
    except OSError:
        out.write(b"missing\t" + escaped + b"\n")
        continue
    same = (now.st_ino, now.st_size) == (int(ino), int(size))
    if same and (now.st_mtime_ns, now.st_ctime_ns) != (int(mtime), int(ctime)):
        times = b" %d %d\t" % (now.st_mtime_ns, now.st_ctime_ns)
        if digest == b"-":
            out.write(b"linked" + times + escaped + b"\n")
            continue
        same = stat.S_ISREG(now.st_mode) and hashlib.sha256(open(path, "rb").read()).hexdigest().encode() == digest
        if same:
            out.write(b"moved" + times + escaped + b"\n")
    if not same:
        out.write(b"changed\t" + escaped + b"\n")
'''


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 20, 23, 59, 59, 123456, timezone(timedelta(hours=2)))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "state" / "runs")


@pytest.fixture
def guard(tmp_path: Path) -> Path:
    """A program that checks seals as the guard does."""
    path = tmp_path / "guard"
    path.write_text(f"#!{sys.executable}\n{GUARD_SEALS}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
