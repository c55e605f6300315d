"""`scripts/bench integrity`: how fast unpacked sources are compared with their archives; again when nothing changed.

What is compared is what a cargo home has of crates.io; nothing in it is written to. One round that is not counted makes
the page cache warm.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from benchmarks.command import BenchError, say
from benchmarks.report import Report
from sandbox.cargo.homes import cargo_home
from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.integrity import downloads
from sandbox.preflight.model import Answer, Subject
from sandbox.preflight.sources import folders
from sandbox.preflight.sources.source import GIT_INDEX, SPARSE_INDEX

SECONDS_PER_300_MB = 1.0
_LEAST_MB = 50.0
_CRATE = re.compile(r"(.+?)-(\d+\.\d+\.\d+.*)\.crate")


def run(options: argparse.Namespace, scratch: Path, env: dict[str, str], report: Report) -> None:
    """Measure. Raises BenchError when the home has too little to compare, or something in it differs."""
    home = options.cargo_home or cargo_home(os.environ, Path.cwd())
    packages = tuple(archives(home))
    cold: list[float] = []
    known: list[float] = []
    speed: list[float] = []
    processor: list[float] = []
    for number in range(options.rounds + 1):
        subject = Subject(Path("/nowhere"), packages, date.today(), cargo_home=home, cache=scratch / f"kept-{number}")
        used = time.process_time()
        seconds, answer = _timed(subject)
        used = time.process_time() - used
        size = int(answer.notes[0].split()[0])
        if size < _LEAST_MB:
            raise BenchError(
                f"{home} has {size} MB of unpacked sources, and {_LEAST_MB:.0f} MB are the least to measure"
            )
        again, _ = _timed(subject)
        if number:
            cold.append(seconds)
            known.append(again)
            speed.append(size / seconds)
            processor.append(size / used)
        say(f"round {number}/{options.rounds}: {size} MB in {seconds:.2f} s, {again:.2f} s when known")
    report.row("all files read and compared", cold, "s")
    median = report.row("unpacked bytes", speed, "MB/s").median
    report.row("unpacked bytes, per second of one core", processor, "MB/s")
    report.row("nothing changed since", known, "s")
    # Thresholds are upper ones, and what is asked for is a speed of 300 MB/s.
    report.promise("unpacked sources", SECONDS_PER_300_MB, "s for 300 MB", 300 / median if median else None)
    report.details |= {"packages": len(packages), "megabytes": size, "cold_s": cold, "known_s": known}


def _timed(subject: Subject) -> tuple[float, Answer]:
    begun = time.perf_counter()
    answer = downloads.run(subject)
    seconds = time.perf_counter() - begun
    if answer.findings or answer.state != "done":
        words = answer.findings[0].detail if answer.findings else answer.why
        raise BenchError(f"this home is not as cargo left it, so nothing is measured: {words}")
    return seconds, answer


def archives(home: Path) -> Iterator[LockedPackage]:
    """Every archive of crates.io that is unpacked too, as a lock file would name it."""
    for folder in folders.of_registry(SPARSE_INDEX):
        for path in sorted((home / "registry/cache" / folder).glob("*.crate")):
            found = _CRATE.fullmatch(path.name)
            if found and (home / "registry/src" / folder / path.stem).is_dir():
                checksum = hashlib.sha256(path.read_bytes()).hexdigest()
                yield LockedPackage(found[1], found[2], f"registry+{GIT_INDEX}", checksum)
