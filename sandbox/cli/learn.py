"""`baseline learn --runs N`: clean builds, each in a target dir of its own, taken together: seen n of m."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sandbox.baseline.accept import plan
from sandbox.baseline.convert import learn as learn_from
from sandbox.baseline.model import BaselineError
from sandbox.baseline.state import State, ledger_folder
from sandbox.cli import place
from sandbox.cli.options import Settings
from sandbox.cli.place import Place
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, parse
from sandbox.errors import UsageError
from sandbox.report.render import render_untrusted as safe
from sandbox.trace.store import RunStore

_USAGE = USAGES["baseline learn"]
_MOST = 20
_PACKAGE = Path(__file__).resolve().parent.parent.parent


def run(rest: Sequence[str], settings: Settings) -> int:
    """Build N times and show what would be accepted; accept it only with a reason. Raises UsageError, BaselineError."""
    words = parse(rest, _USAGE, ("--user", "--json"), MANIFEST | {"--runs": False, "--reason": False})
    number = words.one("--runs") or "2"
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= _MOST or words.names:
        raise UsageError(f"--runs {safe(number)}: a number from 1 to {_MOST}", hint=_USAGE)
    reason = (words.one("--reason") or "").strip()
    here = place.find(words.manifest)
    command = words.rest or ["build"]
    if here.manifest is not None:
        command = [command[0], f"--manifest-path={here.manifest}", *command[1:]]
    states = [_build(here, settings, command, index + 1, int(number)) for index in range(int(number))]
    last = states[-1]
    learned = learn_from(
        [state.profile for state in states], last.checksums, accepted=place.today(), reason=reason or "-",
        toolchain=last.toolchain, host=last.host,
    )  # fmt: skip
    user = "--user" in words.switches
    changes = plan(last, here.known(user), accepted=place.today(), reason=reason or "-", learned=learned)
    holes = tuple(dict.fromkeys(hole for state in states for hole in state.holes))
    if reason:
        from sandbox.cli.baseline import commit

        return commit(here, replace(last, holes=holes), changes, user, "--json" in words.switches, settings)
    wavering = [
        f"{name} {entry.version}: {fact.fact.kind} {fact.fact.act} {fact.fact.object} in {fact.seen} of {entry.runs}"
        for name, baseline in learned.items()
        for entry in baseline.versions
        for unit in entry.units
        for fact in unit.facts
        if fact.seen < entry.runs
    ]
    for line in wavering:
        print(f"not in every run: {safe(line)}")
    for change in changes:
        print(f"would accept {safe(change.package)} {safe(', '.join(change.versions))}: {change.facts} new entries")
    for hole in holes:
        print(f"note: not all is known: {safe(hole)}")
    print(f"{len(changes)} packages would be accepted; nothing was: give --reason TEXT")
    return 0


def _build(here: Place, settings: Settings, command: Sequence[str], number: int, of: int) -> State:
    """One clean build in a process of its own, as the user would start it."""
    runs = RunStore(here.state_dir / "runs")
    before = set(runs.ids())
    cache = Path(here.env.get("XDG_CACHE_HOME") or Path(here.env.get("HOME", "/")) / ".cache") / "cargo-sandbox-learn"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = tempfile.mkdtemp(prefix="target-", dir=cache)
    os.rmdir(target)
    print(f"build {number} of {of}", file=sys.stderr)
    env = here.env | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_PACKAGE), here.env.get("PYTHONPATH"))))}
    program = "import sys; sys.argv[0] = 'cargo-sandbox'; from sandbox.cli.main import entry; entry()"
    options = [f"--engine={settings.engine}", *([f"--image={settings.image}"] if settings.image else [])]
    words = [sys.executable, "-P", "-c", program, *options, command[0], "--target-dir", target, *command[1:]]
    try:
        status = subprocess.run(words, env=env, stdout=sys.stderr, check=False).returncode
        new = sorted(set(runs.ids()) - before)
        if status != 0:
            raise BaselineError(
                f"build {number} ended with {status}: nothing is learned of a build that failed",
                hint="build first: cargo-sandbox build",
            )
        for name in new:
            with runs.open(name) as reader:
                mine = (reader.plan or {}).get("target_dir") == os.path.realpath(target)
                build_dir = str((reader.plan or {}).get("build_dir") or "")
            if mine:
                state = here.after_build().state(name)
                shutil.rmtree(ledger_folder(here.state_dir, build_dir), ignore_errors=True)
                return state
        raise BaselineError("the build left no record", hint="see cargo-sandbox runs list")
    finally:
        shutil.rmtree(target, ignore_errors=True)
