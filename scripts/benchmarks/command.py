"""Running and timing whole commands, from outside, with the operating system's own accounting."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Enough for a toolchain and for finding a C compiler; what else the caller has set must not decide what is built.
_KEPT = (
    "PATH HOME USER LOGNAME LANG LC_ALL CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN CC CXX DOCKER_HOST "
    "CARGO_SANDBOX_TEST_GUARD"
).split()


class BenchError(Exception):
    """Something that was to be measured did not work. The text says what and shows the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One ended command. `cpu_s` is user + system time of the command and all descendants that were waited for;
    `load` the 1-minute load average before it; `steal_s` what a hypervisor took from all cores meanwhile."""

    code: int
    wall_s: float
    cpu_s: float
    load: float
    steal_s: float

    def to_json(self) -> dict[str, Any]:
        """For the JSON report."""
        return asdict(self)


def environment(scratch: Path) -> dict[str, str]:
    """The one environment that both sides get. The sandbox's state and caches lie in `scratch`, cargo is offline."""
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return env | {
        "PATH": env.get("PATH", os.defpath),
        "CARGO_NET_OFFLINE": "true",
        "XDG_STATE_HOME": str(scratch / "state"),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(scratch / "pycache"),
    }


def cargo_sandbox() -> list[str]:
    """How the sandbox is started: the console script beside this Python, else the package by its name.

    Not by PATH: version managers put a shell script there, whose time is not ours.
    """
    script = Path(sys.executable).with_name("cargo-sandbox")
    return [str(script)] if os.access(script, os.X_OK) else [sys.executable, "-P", "-m", "sandbox"]


def timed(argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> Outcome:
    """Run a command to its end, its output into the file `log`. Raises BenchError when it can't be started."""
    with log.open("wb") as out:
        load, stolen = os.getloadavg()[0], _steal_s()
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise BenchError(f"{argv[0]} can't be started: {error}") from error
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return Outcome(process.returncode, wall, usage.ru_utime + usage.ru_stime, load, _steal_s() - stolen)


def succeed(argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> Outcome:
    """As `timed`, but a code other than 0 raises BenchError with the end of the output."""
    done = timed(argv, cwd, env, log)
    if done.code != 0:
        words = " ".join(argv)
        raise BenchError(f"`{words}` in {cwd} ended with {done.code}:\n{tail(log)}")
    return done


def tail(log: Path, size: int = 3000) -> str:
    """The end of a log."""
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - size, 0))
        return file.read().decode("utf-8", "replace")


def say(words: str) -> None:
    """Progress, on stderr."""
    print(f"    {words}", file=sys.stderr, flush=True)


def settle() -> None:
    """Let what the last command wrote reach the disk, so that the next one does not pay for it."""
    os.sync()


@contextlib.contextmanager
def scratch_folder(parent: Path | None) -> Iterator[Path]:
    """A fresh folder, removed at the end. By default below the user's cache: /tmp is another place inside a
    container, and often another file system."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    top = parent or cache / "cargo-sandbox-dev"
    top.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=top.resolve()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Peaks:
    """Watches a running cargo-sandbox: largest resident sizes in KiB of the orchestrator and of the guard (VmHWM of
    proc(5), which only grows, so the last look is nearly the truth). Not for a timed run: it takes processor time."""

    _EVERY_S = 0.1

    def __init__(self, pid: int) -> None:
        self.orchestrator_kb = 0
        self.guard_kb = 0
        self._pid = pid
        self._guard: int | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; the figures are final."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self._EVERY_S):
            self.orchestrator_kb = max(self.orchestrator_kb, _high_water_kb(_status(self._pid)))
            if self._guard is None:
                self._guard = _guard_below(self._pid)
            if self._guard is not None:
                status = _status(self._guard)
                self.guard_kb = max(self.guard_kb, _high_water_kb(status))
                if not status:
                    self._guard = None


def watched(argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> tuple[float, Peaks]:
    """Run a command to its end under `Peaks`; gives the wall time in seconds too. Raises BenchError unless it ends
    with 0."""
    started = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        peaks = Peaks(process.pid)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            peaks.stop()
    if code != 0:
        raise BenchError(f"`{' '.join(argv)}` in {cwd} ended with {code}:\n{tail(log)}")
    return time.perf_counter() - started, peaks


def _guard_below(pid: int) -> int | None:
    """The guard in its first role: process 1 of a PID namespace, and a descendant of `pid`."""
    parents, found = {}, []
    for name in os.listdir("/proc"):
        if name.isdigit() and (status := _status(int(name))):
            parents[int(name)] = int(status.get("PPid", "0"))
            if status.get("Name") == "guard" and status.get("NSpid", "").split()[1:] == ["1"]:
                found.append(int(name))
    for guard in found:
        above = guard
        while above := parents.get(above, 0):
            if above == pid:
                return guard
    return None


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def _high_water_kb(status: Mapping[str, str]) -> int:
    return int(status.get("VmHWM", "0 kB").split()[0])


def _steal_s() -> float:
    """Time that a hypervisor took from this machine so far, all cores together (proc(5), /proc/stat)."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0
