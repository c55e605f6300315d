"""What the tests with a real container share: projects, runs of cargo-sandbox and of plain cargo, terminals, a user.

    with session() as lab:                                  # one folder for everything, removed at the end
        project = lab.project({"Cargo.toml": ..., "src/main.rs": ...})
        done = sandboxed(project, "build")                  # python -m sandbox build
        assert done.code == 0 and done.units("rustc")
        assert plain(project, "build").code == 0            # cargo build, same environment

Projects lie below a fresh HOME each, outside /tmp, since that is another place inside the container.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.plan.facts import BUILDER
from sandbox.trace.reader import RunReader
from sandbox.trace.store import RunStore
from tests.engines import remove_images
from tests.screen import PATIENCE, Terminal
from tests.users import User, daemons_group, me, ordinary

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 240.0
BUILDERS = ("rustc", "script", "rustdoc")
"""Roles of the units that a fresh build does not run again."""

_KEEP = 16 << 20
_RESTING = 8


@dataclass(slots=True)
class Lab:
    """The folder of one test session. `cache` is shared: what is asked of the toolchain is asked once.

    `engine` makes the containers of all its projects.
    """

    base: Path
    engine: str = "auto"
    numbers: Iterator[int] = field(default_factory=itertools.count)
    made: list[Project] = field(default_factory=list)
    free: deque[Path] = field(default_factory=deque)
    """Homes that were used and are gone. Each path costs the Docker engine an image or two of its own."""

    @property
    def cache(self) -> Path:
        return self.base / "cache"

    def project(self, files: Mapping[str, str | bytes], name: str = "ws", user: User | None = None) -> Project:
        """A new project in a home of its own. An executable file's path ends with `*`, which is taken off."""
        home = self.free.popleft() if len(self.free) > _RESTING else self.base / f"h{next(self.numbers)}"
        made = Project(self, home, home / name, user or me())
        made.dir.mkdir(parents=True)
        made.write(files)
        self.made.append(made)
        return made

    def forget(self, made: Sequence[Project]) -> None:
        """Remove projects with all that their builds left, unless somebody wants to look at them."""
        if os.environ.get("CARGO_SANDBOX_TEST_KEEP"):
            return
        for project in made:
            self.made.remove(project)
            remove_tree(project.home)
            self.free.append(project.home)


@dataclass(slots=True)
class Project:
    """A tree of files in `dir`, below the home of the user it belongs to. `env` is added to each of its commands."""

    lab: Lab
    home: Path
    dir: Path
    user: User
    env: dict[str, str] = field(default_factory=dict)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write more files (paths below `dir`, or below `home` when they begin with `~/`)."""
        for name, content in files.items():
            path = self.path(name.removesuffix("*"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            if name.endswith("*"):
                path.chmod(0o755)
        if os.geteuid() != self.user.uid:
            for top, _, names in os.walk(self.home):
                for entry in (top, *(os.path.join(top, name) for name in names)):
                    os.chown(entry, self.user.uid, self.user.gid, follow_symlinks=False)

    def path(self, name: str) -> Path:
        return self.home / name[2:] if name.startswith("~/") else self.dir / name

    def remove(self, *names: str) -> None:
        """Delete files and folders that may be there."""
        for name in names:
            path = self.path(name)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    @property
    def target(self) -> Path:
        return self.dir / "target"

    @property
    def build_dir(self) -> Path:
        """Where its intermediates lie. Under Docker root's build is somebody else's, and has a build dir of its own."""
        other = self.lab.engine == "docker" and self.user.is_root
        return self.target / ".cargo-sandbox" / (f"build-{BUILDER}" if other else "build")

    @property
    def state(self) -> Path:
        """XDG_STATE_HOME of its runs."""
        return Path(self.env.get("XDG_STATE_HOME", self.home / ".local/state"))

    @property
    def store(self) -> RunStore:
        return RunStore(self.state / "cargo-sandbox" / "runs")

    def run(self, run_id: str = "last") -> Run:
        """The record of a run of this project."""
        return Run(self.store.base / self.store.find(run_id))

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """What both cargo-sandbox and plain cargo get: nothing of the tester's but the toolchain and the language."""
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "USER": self.user.name,
            "LOGNAME": self.user.name,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "RUSTUP_AUTO_INSTALL": "0",
        }
        if self.user.prefix:
            env["PATH"] = f"{sysroot()}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        elif rustup := rustup_home():
            env["RUSTUP_HOME"] = rustup
        if daemon := os.environ.get("DOCKER_HOST"):
            env["DOCKER_HOST"] = daemon
        return env | self.env | dict(extra or {})


@dataclass(frozen=True, slots=True)
class Run:
    """A run's record, read whole (tests are small)."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def result(self) -> dict[str, Any]:
        with RunReader(self.path) as run:
            return run.result or {}

    @property
    def header(self) -> dict[str, Any]:
        with RunReader(self.path) as run:
            return run.header

    @property
    def plan(self) -> dict[str, Any]:
        with RunReader(self.path) as run:
            return run.plan or {}

    @property
    def status(self) -> str:
        with RunReader(self.path) as run:
            return run.status

    def events(self, kind: str | None = None, unit: str | None = None) -> list[dict[str, Any]]:
        """Events, of one kind and one unit if asked for."""
        with RunReader(self.path) as run:
            return [
                event
                for event in run.events()
                if (kind is None or event["kind"] == kind) and (unit is None or event["unit"] == unit)
            ]

    def units(self, role: str | None = None, package: str | None = None) -> list[dict[str, Any]]:
        """Start records of the units, each joined with its end record under the key `end`."""
        with RunReader(self.path) as run:
            records = list(run.units())
        ends = {record["unit"]: record for record in records if record["event"] == "end"}
        return [
            record | {"end": ends.get(record["unit"])}
            for record in records
            if record["event"] == "start"
            and (role is None or record["role"] == role)
            and (package is None or record.get("package") == package)
        ]

    def built(self) -> list[str]:
        """`role package` of everything that a fresh build would not run again: compilers, scripts, rustdoc."""
        return [f"{unit['role']} {unit.get('package')}" for unit in self.units() if unit["role"] in BUILDERS]

    def findings(self, code: str | None = None) -> list[dict[str, Any]]:
        """Findings of the result if there is one, else those stored so far."""
        found = self.result.get("findings")
        if found is None:
            with RunReader(self.path) as run:
                found = list(run.findings())
        return [entry for entry in found if code is None or entry["code"] == code]

    def acts(self) -> list[dict[str, Any]]:
        """The findings of single acts, as they are judged while they happen (CS01xx). For what *was* found; that
        nothing was is a matter of `findings`."""
        return [entry for entry in self.findings() if entry["code"].startswith("CS01")]

    def output(self) -> bytes:
        with RunReader(self.path) as run:
            return b"".join(run.output())


@dataclass(frozen=True, slots=True)
class Done:
    """An ended command. `code` is negative for a signal, as in subprocess; on a terminal all output is `out`.

    Of longer output the first 16 MiB are kept; `out_size` and `err_size` are the whole lengths. `peak_kb`: the largest
    resident size of the command's first process, in KiB (the orchestrator's).
    """

    code: int
    out: bytes
    err: bytes
    seconds: float
    project: Project
    run_id: str | None = None
    peak_kb: int = 0
    out_size: int = 0
    err_size: int = 0

    @property
    def stderr(self) -> str:
        return self.err.decode("utf-8", "replace")

    @property
    def stdout(self) -> str:
        return self.out.decode("utf-8", "replace")

    @property
    def run(self) -> Run:
        """The record that this command made."""
        assert self.run_id is not None, f"no run was recorded; code {self.code}, stderr: {self.stderr[-3000:]}"
        return self.project.run(self.run_id)

    @property
    def shown(self) -> str:
        """Everything, for the message of an assertion."""
        return f"code {self.code}\n--- stdout\n{self.stdout[-3000:]}\n--- stderr\n{self.stderr[-6000:]}"

    def units(self, role: str | None = None, package: str | None = None) -> list[dict[str, Any]]:
        return self.run.units(role, package)


class Running:
    """A command that runs in a process group of its own; `wait` ends with a Done. Not for a terminal."""

    def __init__(
        self,
        project: Project,
        argv: Sequence[str],
        cwd: Path,
        env: dict[str, str],
        stdin: bytes | int | None = None,
        stdout: int | None = None,
    ) -> None:
        self.project = project
        self._before = set(project.store.ids())
        self._started = time.monotonic()
        self._input = stdin if isinstance(stdin, bytes) else None
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 (closed by wait)
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE if isinstance(stdin, bytes) else stdin
        self.process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=source, stdout=self._out if stdout is None else stdout, stderr=self._err,
            start_new_session=True,
        )  # fmt: skip
        self._peak = 0
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _watch(self) -> None:
        """VmHWM only grows, so the last look before the end is nearly the truth (proc(5))."""
        while self.process.returncode is None:
            with contextlib.suppress(OSError, IndexError, ValueError):
                for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self._peak = max(self._peak, int(line.split()[1]))
            time.sleep(0.02)

    def so_far(self, number: int = 2) -> bytes:
        """What has come on standard output (1) or error (2) until now."""
        stream = self._out if number == 1 else self._err
        return os.pread(stream.fileno(), _KEEP, 0)

    def signal_group(self, number: int) -> None:
        """As the terminal does for Ctrl-C."""
        os.killpg(self.pid, number)

    def wait(self, timeout: float = TIMEOUT_S) -> Done:
        """Wait for the end; everything is killed when it takes longer than `timeout` seconds."""
        try:
            if self._input is not None:
                self.process.communicate(self._input, timeout=timeout * PATIENCE)
            else:
                self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {timeout} s; stderr: {self.so_far()[-3000:]!r}") from None
        seconds = time.monotonic() - self._started
        self._watcher.join()
        out, err = self.so_far(1), self.so_far(2)
        sizes = [os.fstat(stream.fileno()).st_size for stream in (self._out, self._err)]
        self._out.close()
        self._err.close()
        run_id = _new_run(self.project, self._before)
        return Done(self.process.returncode, out, err, seconds, self.project, run_id, self._peak, *sizes)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


def start(
    project: Project,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | Path = "",
    stdin: bytes | int | None = None,
    stdout: int | None = None,
    options: Sequence[str] = (),
) -> Running:
    """Start `cargo-sandbox OPTIONS ARGS…` and don't wait for its end. Output is kept, or goes to the fd `stdout`."""
    argv, full = _command(project, args, env, options)
    return Running(project, argv, project.dir / cwd, full, stdin, stdout)


def sandboxed(
    project: Project,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | Path = "",
    stdin: bytes | int | None = None,
    tty: bool = False,
    options: Sequence[str] = (),
    timeout: float = TIMEOUT_S,
) -> Done:
    """Run `cargo-sandbox OPTIONS ARGS…` in the project's folder (or `cwd` below it). `stdin` None is /dev/null.

    With `tty` all three streams are one new terminal of 24 rows and 80 columns, and `stdin` is typed into it at once.
    """
    if not tty:
        return start(project, *args, env=env, cwd=cwd, stdin=stdin, options=options).wait(timeout)
    before = set(project.store.ids())
    with terminal(project, *args, env=env, cwd=cwd, options=options) as screen:
        if isinstance(stdin, bytes):
            screen.type(stdin)
        code = screen.wait(timeout)
        return Done(code, screen.seen, b"", screen.seconds, project, _new_run(project, before))


def terminal(
    project: Project,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | Path = "",
    options: Sequence[str] = (),
    rows: int = 24,
    columns: int = 80,
) -> Terminal:
    """Start `cargo-sandbox` as the foreground program of a new terminal."""
    argv, full = _command(project, args, env, options)
    return Terminal(argv, project.dir / cwd, full, rows, columns)


def plain(
    project: Project,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | Path = "",
    stdin: bytes | int | None = None,
    tty: bool = False,
    timeout: float = TIMEOUT_S,
) -> Done:
    """Run cargo itself, without any sandbox, with the same environment."""
    argv, full = [*project.user.prefix, "cargo", *args], project.environment(env)
    if not tty:
        return Running(project, argv, project.dir / cwd, full, stdin).wait(timeout)
    with Terminal(argv, project.dir / cwd, full) as screen:
        if isinstance(stdin, bytes):
            screen.type(stdin)
        return Done(screen.wait(timeout), screen.seen, b"", screen.seconds, project)


def _command(
    project: Project, args: Sequence[str], env: Mapping[str, str] | None, options: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    cache = project.lab.base / f"cache-{project.user.name}" if project.user.prefix else project.lab.cache
    cache.mkdir(exist_ok=True)
    if os.geteuid() != project.user.uid:
        os.chown(cache, project.user.uid, project.user.gid)
    full = {
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(cache / "pycache"),
        "XDG_CACHE_HOME": project.env.get("XDG_CACHE_HOME", str(cache)),
        "XDG_STATE_HOME": str(project.state),
        "CARGO_SANDBOX_DEBUG": "1",
        "CARGO_SANDBOX_ENGINE": project.lab.engine,
        "CARGO_SANDBOX_TEST_GUARD": str(guard_binary()),
    }
    # -P: the project may have a folder named `sandbox`, and `-m` would look there first.
    argv = [*project.user.prefix, sys.executable, "-P", "-m", "sandbox", *options, *args]
    return argv, project.environment(full | dict(env or {}))


def _new_run(project: Project, before: set[str]) -> str | None:
    fresh = [name for name in project.store.ids() if name not in before]
    if len(fresh) < 2:
        return fresh[0] if fresh else None
    newest = project.store.find("last")
    return newest if newest in fresh else fresh[0]


@functools.cache
def guard_binary() -> Path:
    """The guard under test: CARGO_SANDBOX_TEST_GUARD, or the one that an editable install compiled."""
    named = os.environ.get("CARGO_SANDBOX_TEST_GUARD")
    path = Path(named) if named else ROOT / "sandbox" / "guard" / "bin" / "guard"
    assert path.is_absolute() and os.access(path, os.X_OK), f"no guard at {path}; make one with: pip install -e ."
    return path


@functools.cache
def sysroot() -> Path:
    """The folder of the default toolchain."""
    env = dict(os.environ)
    env.pop("RUSTUP_TOOLCHAIN", None)
    printed = subprocess.run(
        ["rustc", "--print", "sysroot"], cwd="/", env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(printed.stdout.strip())


def has_rustup() -> bool:
    """Whether `cargo` is rustup's, which obeys the `rust-toolchain` files of a tree."""
    return shutil.which("rustup") is not None


@functools.cache
def host_triple() -> str:
    """The triple that the default toolchain runs on."""
    printed = subprocess.run(["rustc", "-vV"], cwd="/", stdout=subprocess.PIPE, text=True, check=True).stdout
    return next(line.split()[1] for line in printed.splitlines() if line.startswith("host:"))


@functools.cache
def rustup_home() -> str | None:
    home = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    return str(home) if home.is_dir() else None


def processes(marker: str) -> list[int]:
    """Pids of live processes whose command line holds `marker`; zombies have none."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                if marker.encode() in Path("/proc", entry, "cmdline").read_bytes():
                    found.append(int(entry))
    return found


def wait_for(condition: Any, timeout: float = 30.0, what: str = "the condition") -> Any:
    """Ask `condition()` until it gives something true, and give that; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout * PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {timeout} s")


@contextlib.contextmanager
def session(engine: str = "auto") -> Iterator[Lab]:
    """The folder of one test session, below CARGO_SANDBOX_TEST_DIR or the user's cache; removed at the end."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    top = Path(os.environ.get("CARGO_SANDBOX_TEST_DIR") or cache / "cargo-sandbox-dev" / "tests")
    top.mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(dir=top.resolve()))
    base.chmod(0o755)
    began = time.time()
    try:
        yield Lab(base, engine)
    finally:
        if engine == "docker":
            remove_images(base, began)
        if os.environ.get("CARGO_SANDBOX_TEST_KEEP"):
            print(f"kept: {base}", file=sys.stderr)
        else:
            remove_tree(base)


def remove_tree(top: Path) -> None:
    """Remove a folder with everything in it, closed folders too."""
    for folder, _, _ in os.walk(top):
        os.chmod(folder, 0o755)
    shutil.rmtree(top)


def ordinary_user(lab: Lab) -> User:
    """An unprivileged user: the tester, or somebody whom root becomes; a member of the daemon's group where that is
    what makes the containers."""
    if os.geteuid() != 0:
        return me()
    groups = [daemons_group()] if lab.engine == "docker" else []
    return ordinary(lab.base, needed(lab.base), groups)


def needed(*more: Path) -> set[Path]:
    """What a user of the tests has to reach: Python, checkout, toolchain, guard and `more`."""
    return {Path(sys.prefix), Path(sys.base_prefix), ROOT, sysroot(), guard_binary().parent, *more}
