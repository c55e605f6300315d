"""`scripts/bench benign`: builds of real crates and programs, of which none must be taken for an attack."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.benign_record import BEGIN, HEADING, Outcome, document, read, write
from benchmarks.command import ROOT, BenchError, say
from benchmarks.detection import DOCUMENT, put
from benchmarks.report import Report


def run(options: argparse.Namespace, scratch: Path, env: Mapping[str, str], report: Report) -> None:
    """Build what was asked for. Raises BenchError when there is an alarm in anything that was ever built."""
    from tests.harness import session

    earlier = read(options.results)
    names = chosen(options, earlier)
    if names:
        _install()
    done = {(one.name, one.engine): one for one in earlier}
    with session(options.engine) as lab:
        for name in names:
            say(f"building {name}")
            done[name, options.engine] = outcome = _build(lab, name)
            say(outcome.words)
            # Kept after each one: the whole set takes long, and what was built is to survive an end on the way.
            write(options.results, done.values())
    outcomes = read(options.results)
    report.details["outcomes"] = [asdict(one) for one in outcomes]
    report.notes += [one.words for one in outcomes]
    if options.docs:
        put(DOCUMENT, document(outcomes), BEGIN, HEADING)
    alarmed = [f"{one.name}: {alarm}" for one in outcomes for alarm in one.alarms]
    if alarmed:
        raise BenchError("false alarms:\n" + "\n".join(alarmed))


def _install() -> None:
    """What the crates of the set look for on a machine, with which they were all built. Raises BenchError."""
    wanted = (
        '. "$0/lib.sh" && need cmake=cmake clang=clang make=make pkg-config=pkg-config && '
        "need_libraries openssl=libssl-dev sqlite3=libsqlite3-dev && "
        "{ PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep -q libclang || apt_install libclang-dev; }"
    )
    if subprocess.run(["bash", "-ec", wanted, str(ROOT / "scripts")], check=False).returncode:
        raise BenchError("what the crates of the set need could not be installed")


def chosen(options: argparse.Namespace, earlier: list[Outcome]) -> list[str]:
    """Names of groups and programs to build. Raises BenchError for an unknown one."""
    from tests.benign.staging import groups, programs

    everything = [*groups(), *programs()]
    names = everything if options.whole else options.only or ([] if options.docs else ["standing"])
    unknown = sorted(set(names) - set(everything))
    if unknown:
        raise BenchError(f"neither a group nor a program of tests/benign/set.toml: {', '.join(unknown)}")
    sound = {one.name for one in earlier if one.engine == options.engine and not one.failed}
    return [name for name in names if not (options.left and name in sound)]


def _build(lab: Any, name: str) -> Outcome:
    """First and second build, and a third from nothing with the variables of a CI, against what was accepted of the
    first."""
    from tests.benign import staging

    group = staging.groups().get(name, staging.Group(name, ()))
    stage = staging.Stage(lab)
    today = date.today().isoformat()
    try:
        project = stage.workspace(group) if group.crates else stage.program(name, staging.programs()[name])
    except (OSError, subprocess.CalledProcessError) as error:
        return Outcome(name, lab.engine, (), (), 0, failed=f"no sources: {error}", day=today)
    seconds, alarms, lower, drift, needed, built, scripts = [], [], [], [], set(), [], 0
    failed, compared = "", False
    try:
        for step, ci in (("first", False), ("second", False), ("ci", True)):
            if ci:
                accepted = staging.accept(project)
                compared = accepted.code == 0
                if not compared and not needed:
                    failed = failed or f"ci build: nothing to hold it against: {accepted.stderr[-500:]}"
                shutil.rmtree(project.target)
            done = staging.check(project, ci=ci)
            seconds.append(round(done.seconds, 1))
            if done.run_id is None or (not done.run.units("rustc") and step != "second"):
                failed = f"{step} build: nothing was built, code {done.code}: {_errors(done.stderr)}"
                break
            alarms += [f"{step} build: {text}" for text in staging.shown(staging.alarms(done.run, group))]
            found = staging.unexplained(done.run, group)
            lower += staging.shown([one for one in found if one["code"] not in staging.DRIFT])
            drift += staging.shown([one for one in found if one["code"] in staging.DRIFT])
            needed |= {str(one["package"]) for one in done.run.findings() if staging.excused(one, group)}
            if step == "first":
                units = done.run.units("rustc")
                built = sorted({f"{unit.get('package')} {unit.get('version')}" for unit in units})
                scripts = len({unit.get("package") for unit in done.run.units("script")})
            if done.code != 0 and not needed:
                failed = failed or f"{step} build: code {done.code}: {_errors(done.stderr)}"
            missing = [one for one in staging.missing(done.run, group) if one not in needed]
            if step != "second" and missing and not failed:
                failed = f"{step} build: nothing was compiled of {', '.join(missing)}"
    finally:
        lab.made.append(project)
        lab.forget([project])

    def told(lines: list[str]) -> tuple[str, ...]:
        return tuple(sorted({_without_paths(line, project) for line in lines}))

    compiled = {text.split(" ")[0] for text in built}
    absent = tuple(one.name for one in group.crates if one.name not in compiled and one.name not in needed)
    return Outcome(
        name, lab.engine, tuple(seconds), tuple(built), scripts, told(alarms), told(lower), told(drift),
        compared, tuple(sorted(needed)), absent, failed, today,
    )  # fmt: skip


def _errors(printed: str) -> str:
    """What cargo said of a failure; behind it may come any number of findings."""
    lines = [line for line in printed.splitlines() if line.startswith(("error", "Caused by", "  process didn't"))]
    return " | ".join(lines)[-1000:] or printed[-500:]


def _without_paths(text: str, project: Any) -> str:
    """The text with the folders of this machine by their names."""
    for folder, name in ((project.dir, "$WORKSPACE"), (project.env["CARGO_HOME"], "$CARGO_HOME"), (project.home, "~")):
        text = text.replace(str(folder), name)
    return re.sub(r"registry/src/[^/\s]+", "registry/src/…", text)
