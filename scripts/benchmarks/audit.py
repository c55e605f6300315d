"""`scripts/bench audit`: the supply-chain checks on a large lock file, the fast ones as before a build, and all.

The lock file names packages of crates.io that a cargo home really has. "Cold" is without anything kept from before.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command import BenchError, cargo_sandbox, say, timed
from benchmarks.integrity import archives
from benchmarks.report import Report
from sandbox.cargo.lockfile import LockedPackage

FAST = "sources,replacements,registries,transport,requirements,advisories,names,swapped,yanked,fresh"
"""What builds make; the others read sources, or the network."""

_FAST_S, _ALL_S = 1.5, 3.0
_SOURCES = ("unpacked", "build-code", "payloads")
"""Checks that read sources, which the promise for a whole audit leaves out."""


def run(options: argparse.Namespace, scratch: Path, env: dict[str, str], report: Report) -> None:
    """Measure. Raises BenchError when the home has too few packages, or an audit fails."""
    from sandbox.cargo.homes import cargo_home

    home = options.cargo_home or cargo_home(env, Path.cwd())
    found = tuple(archives(home))
    if len(found) < options.packages:
        raise BenchError(f"{home} has {len(found)} packages, and {options.packages} are wanted: --packages N")
    lock, half = scratch / "Cargo.lock", scratch / "half.lock"
    lock.write_text(_lock(found[: options.packages]))
    half.write_text(_lock(found[: options.packages // 2]))
    env = env | {"CARGO_HOME": str(home)} | ({"CARGO_SANDBOX_ADVISORY_DB": str(options.db)} if options.db else {})
    every = ",".join(name for name in _names() if name not in _SOURCES)
    times: dict[str, list[float]] = {"fast": [], "all": [], "warm": [], "start": []}
    for _ in range(options.rounds):
        times["fast"].append(_audit(half, FAST, env, scratch, cold=True))
        times["all"].append(_audit(lock, every, env, scratch, cold=True))
        times["warm"].append(_audit(lock, every, env, scratch, cold=False))
        times["start"].append(_audit(half, "requirements", env, scratch, cold=False))
    count = options.packages
    fast = report.row(f"fast checks, cold, {count // 2} packages", times["fast"], "s")
    whole = report.row(f"all but reading sources, cold, {count} packages", times["all"], "s")
    report.row("the same again", times["warm"], "s")
    report.row("one check that needs nothing: what starting costs", times["start"], "s")
    report.promise("fast checks", _FAST_S, "s", fast.median)
    report.promise("audit without sources", _ALL_S, "s", whole.median)
    report.details |= {"packages": count, "database": str(options.db or "none"), **times}


def _audit(lock: Path, only: str, env: dict[str, str], scratch: Path, *, cold: bool) -> float:
    if cold:
        shutil.rmtree(scratch / "cache", ignore_errors=True)
    log, told = scratch / "audit.log", scratch / "audit.json"
    told.unlink(missing_ok=True)
    command = [*cargo_sandbox(), "audit", "--lock", str(lock), "--only", only, "--deny", "never"]
    done = timed([*command, "--report", f"json:{told}"], scratch, env, log)
    # 122: a check that was asked for was not done, for want of a database for instance, or one failed.
    if done.code not in (0, 122):
        raise BenchError(f"the audit ended with {done.code}: {log.read_text(errors='replace')[-400:]}")
    failed = _failed(told)
    if failed:
        raise BenchError(f"what failed is not measured: {'; '.join(failed)}")
    say(f"{lock.name}: {done.wall_s:.2f} s")
    return done.wall_s


def _failed(told: Path) -> list[str]:
    """The checks that failed by an audit's report, with the reason. Raises BenchError for no report."""
    try:
        checks = json.loads(told.read_bytes())["checks"]
        return [f"{one['name']}: {one['why']}" for one in checks if one["state"] == "failed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"the audit left no report: {error}") from None


def _names() -> list[str]:
    from sandbox.preflight.checks import all_checks

    return [check.name for check in all_checks()]


def _lock(found: Sequence[LockedPackage]) -> str:
    parts = ["version = 4\n"]
    parts += [
        f'[[package]]\nname = "{one.name}"\nversion = "{one.version}"\nsource = "{one.source}"\n'
        f'checksum = "{one.checksum}"\n'
        for one in found
    ]
    return "\n".join(parts)
