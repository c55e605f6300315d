"""The command line of scripts/bench."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.benign_record import RESULTS
from benchmarks.command import ROOT, BenchError, cargo_sandbox, environment, scratch_folder
from benchmarks.report import Report

_EPILOG = (
    "Exit code: 0 whatever the figures are (nothing here is a timed test), 1 when a build failed or an event was lost, "
    "2 for a mistake on the command line. Quote figures of an idle machine only."
)


def _count(least: int) -> argparse._ActionType:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return parse


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path.resolve()


def parser() -> argparse.ArgumentParser:
    """The whole of it."""
    top = argparse.ArgumentParser(prog="scripts/bench", description="What the sandbox costs.", epilog=_EPILOG)
    tools = top.add_subparsers(
        dest="tool", required=True, metavar="overhead|guard|flood|integrity|audit|detection|benign"
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", type=Path, metavar="FILE", help="write machine facts and every single figure there")
    common.add_argument("--scratch", type=Path, metavar="DIR", help="where to build [the user's cache]")

    def tool(name: str, words: str) -> argparse.ArgumentParser:
        return tools.add_parser(name, parents=[common], help=words, description=words, epilog=_EPILOG)

    overhead = tool("overhead", "cargo-sandbox build against plain cargo build, in pairs: cold, and with nothing to do")
    overhead.add_argument(
        "--pairs",
        type=_count(1),
        default=5,
        metavar="N",
        help="pairs of cold builds, each keeps 1 GB of disk until the end [5]",
    )
    overhead.add_argument("--noop-pairs", type=_count(1), default=20, metavar="N", help="pairs with nothing to do [20]")
    overhead.add_argument("--version-runs", type=_count(1), default=20, metavar="N", help="runs of --version [20]")
    overhead.add_argument(
        "--workspace", type=_folder, default=ROOT / "examples" / "workspace", metavar="DIR",
        help="what to build; it is copied [examples/workspace]",
    )  # fmt: skip
    overhead.add_argument(
        "--engine",
        choices=("bubblewrap", "docker"),
        default="bubblewrap",
        help="what makes the containers [bubblewrap]",
    )
    overhead.add_argument(
        "--beside", type=_count(0), default=0, metavar="N",
        help="rounds of both builds at the same time, a processor each, twice in changed places [0]",
    )  # fmt: skip
    overhead.add_argument("--strace", action="store_true", help="one more cold build, under strace, to compare with")

    guard = tool("guard", "microseconds per notified call, and the guard's resident memory")
    guard.add_argument("--calls", type=_count(1000), default=100_000, metavar="N", help="calls of each kind [100000]")
    guard.add_argument("--rounds", type=_count(1), default=5, metavar="N", help="pairs of containers [5]")

    flood = tool("flood", "a build whose scripts open files without end: is every event recorded, in bounded memory?")
    flood.add_argument("--opens", type=_count(1000), default=200_000, metavar="N", help="files opened [200000]")
    flood.add_argument(
        "--events", type=_count(0), default=1_000_000, metavar="N",
        help="events fed to the orchestrator alone; 0: leave that out [1000000]",
    )  # fmt: skip

    integrity = tool("integrity", "megabytes of unpacked sources compared with their archives in a second")
    integrity.add_argument("--rounds", type=_count(1), default=3, metavar="N", help="rounds after the first [3]")
    integrity.add_argument("--cargo-home", type=_folder, metavar="DIR", help="whose packages [the user's]")

    audit = tool("audit", "the supply-chain checks on a lock file of a thousand real packages")
    audit.add_argument("--packages", type=_count(2), default=1000, metavar="N", help="packages in the lock file [1000]")
    audit.add_argument("--rounds", type=_count(1), default=5, metavar="N", help="rounds [5]")
    audit.add_argument("--db", type=_folder, metavar="DIR", help="an advisory database [none]")
    audit.add_argument("--cargo-home", type=_folder, metavar="DIR", help="whose packages [the user's]")

    detection = tool("detection", "the attacks of tests/attack/scenarios and their benign twins: which are found?")
    detection.add_argument(
        "--engine",
        choices=("bubblewrap", "docker"),
        default="bubblewrap",
        help="what makes the containers [bubblewrap]",
    )
    detection.add_argument("--docs", action="store_true", help="write the attack half of docs/detection.md")

    benign = tool("benign", "real crates and programs of tests/benign: is any of them taken for an attack?")
    benign.add_argument("--whole", action="store_true", help="all of the set, and whole programs [the standing third]")
    benign.add_argument("--left", action="store_true", help="of these, what the results lack or could not count")
    benign.add_argument("--only", action="append", metavar="NAME", help="this group or program alone, again for more")
    benign.add_argument(
        "--results", type=Path, default=RESULTS, metavar="FILE",
        help="where results are kept after each, in place of earlier ones [tests/benign/results.json]",
    )  # fmt: skip
    benign.add_argument(
        "--engine",
        choices=("bubblewrap", "docker"),
        default="bubblewrap",
        help="what makes the containers [bubblewrap]",
    )
    benign.add_argument(
        "--docs", action="store_true",
        help="write the benign half of docs/detection.md from the results; without --whole and --only, do only that",
    )  # fmt: skip
    return top


def main(argv: Sequence[str]) -> int:
    """Run one benchmark; returns the exit code."""
    options = parser().parse_args(argv)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if options.json is not None and not options.json.resolve().parent.is_dir():
        print(f"scripts/bench: no folder for {options.json}", file=sys.stderr)
        return 2
    from benchmarks import audit, benign, detection, flood, guard, integrity, machine, overhead

    tools = {
        "overhead": overhead, "guard": guard, "flood": flood, "integrity": integrity, "audit": audit,
        "detection": detection, "benign": benign,
    }  # fmt: skip
    run = tools[options.tool].run
    with scratch_folder(options.scratch) as scratch:
        env = environment(scratch)
        shown = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        report = Report(options.tool, shown | {"command": cargo_sandbox()}, machine.facts(env))
        try:
            run(options, scratch, env, report)
        except BenchError as error:
            print(f"scripts/bench: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print(report.text())
    if options.json is not None:
        report.write(options.json)
    return 0
