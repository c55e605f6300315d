"""Runs the probe: on the bare host, as a build script in an engine's container, and there with walls removed.

`crates/csbench-probe` tries one thing after the other; what each try ought to come to is in `rows.py`.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.attack import listeners
from tests.attack.arena import application, package
from tests.attack.arena import build as sandboxed_build
from tests.attack.kernel_calls import numbers
from tests.harness import Done, Lab, Project, Run, plain, sysroot

CRATE = Path(__file__).parent / "crates" / "csbench-probe"
_SCRIPT = """\
use std::{env, fs::File, path::Path};

fn main() {
    let mut out = File::create(Path::new(&env::var_os("OUT_DIR").unwrap()).join("csbench-out")).unwrap();
    csbench_probe::probe(Path::new(env!("CARGO_MANIFEST_DIR")), &mut out).unwrap();
}
"""
_SYS_FILES = ("kernel/rcu_expedited", "kernel/mm/ksm/run", "kernel/uevent_helper", "power/pm_async")
_NONCE = itertools.count()


@dataclass(frozen=True)
class Try:
    """How one row ended: `answer` is `ok`, an error's name, `no`, or `signal`; `seen` its words. `events` are the
    record's of the process that tried, and of its children."""

    row: str
    tried: str
    answer: str
    seen: str
    events: tuple[dict[str, Any], ...] = ()

    @property
    def denied(self) -> set[str]:
        """Kinds of the events that were refused."""
        return {event["kind"] for event in self.events if event["outcome"] == "denied"}


@dataclass
class Prober:
    """A workspace with the probe in it, and what it is tried on. `engine` is the engine's name."""

    project: Project
    guard: Path
    engine: str
    targets: dict[str, str]
    host_targets: dict[str, str]
    env: dict[str, str]

    def inside(self, removed: Sequence[str] = ()) -> dict[str, Try]:
        """In a container, as a build script; gives the rows' ends by name."""
        built = self.build_dir(removed)
        if not built.is_dir():
            self.prepare(removed)
        self._tell(self.targets | _outputs(built))
        done = self._build(removed)
        [told] = built.rglob("csbench-out")
        return _tries(told.read_text(), done.run)

    def prepare(self, removed: Sequence[str] = ()) -> None:
        """A build in which nothing is tried."""
        self._tell({"rows": "none", "work": "{out}/work"})
        self._build(removed)

    def build_dir(self, removed: Sequence[str] = ()) -> Path:
        """Each user has one of his own (docs/design.md section 11)."""
        return self.project.target / ".cargo-sandbox/build" if "user" in removed else self.project.build_dir

    def _build(self, removed: Sequence[str]) -> Done:
        options = ("--deny", "never", "--on-violation", "report", "--engine", self.engine)
        done = sandboxed_build(self.project, self.guard, "build", removed=removed, options=options, env=self.env)
        assert done.code == 0, done.shown
        return done

    def on_host(self) -> dict[str, Try]:
        """Without any wall, as whoever runs the tests."""
        done = plain(self.project, "build", "-q", "-p", "csbench-probe", "--target-dir", "plain-target")
        assert done.code == 0, done.shown
        program = self.program
        self.lend(program)
        folder = self._tell(self.host_targets)
        spare = os.open("/usr", os.O_PATH)  # what a careless parent leaves open
        try:
            ended = subprocess.run(
                [program, folder],
                env=self.project.environment({"CSBENCH": "1", **self.env}),
                pass_fds=(spare,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=120,
            )
        finally:
            os.close(spare)
        return _tries(ended.stdout, None)

    @property
    def program(self) -> Path:
        """The probe as `on_host` has built it."""
        return self.project.dir / "plain-target/debug/csbench-probe"

    def lend(self, program: Path) -> None:
        """Make a set-user-id program of somebody else's."""
        if os.geteuid() == 0:
            lent = Path(self.targets["set-id-program"])
            lent.write_bytes(program.read_bytes())
            os.chown(lent, 65534, 65534)
            lent.chmod(0o4755)

    def _tell(self, targets: Mapping[str, str]) -> Path:
        folder = self.project.dir / "csbench-probed"
        lines = [f"nonce={next(_NONCE)}", *(f"{key}={value}" for key, value in targets.items())]
        (folder / "targets").write_text("\n".join(lines) + "\n")
        return folder


def _tries(text: str, run: Run | None) -> dict[str, Try]:
    by_pid: dict[int, list[dict[str, Any]]] = {}
    if run is not None:
        [unit] = run.units("script", "csbench-probed")
        for event in run.events(unit=unit["unit"]):
            by_pid.setdefault(event["pid"], []).append(event)
            by_pid.setdefault(event["parent"], []).append(event)
    found = {}
    for entry in map(json.loads, text.splitlines()):
        answer = entry["outcome"]
        if answer == "errno":
            answer = errno.errorcode.get(int(entry["seen"]), entry["seen"])
        events = tuple(by_pid.get(entry["pid"], ()))
        found[entry["row"]] = Try(entry["row"], entry["tried"], answer, entry["seen"], events)
    return found


@contextlib.contextmanager
def prober(lab: Lab, guard: Path, engine: str) -> Iterator[Prober]:
    """A workspace that has been built once, and things on the host to reach for."""
    canary, mark = secrets.token_hex(8), f"csbench-{secrets.token_hex(8)}"
    project = lab.project(_workspace(canary))
    lab.made.remove(project)  # it outlives the test that needs it first
    host_file = lab.base / f"elsewhere-{mark}"
    host_file.write_text(canary)
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(listeners.tcp())
        udp = stack.enter_context(_echo())
        abstract = stack.enter_context(listeners.abstract())
        unix = stack.enter_context(listeners.unix(project.path("~/agent.sock")))
        shared = stack.enter_context(_shared_memory())
        boss = stack.enter_context(_sleeper(mark))
        below = stack.enter_context(_mounted(project.dir / "csbench-below"))
        env = {"CSBENCH_ACCESS_TOKEN": canary}
        common = {f"nr.{name}": str(number) for name, number in numbers().items()} | {
            "canary": canary,
            "host-mark": mark,
            "host-name": os.uname().nodename,
            "shm-key": str(shared),
            "host-file": str(host_file),
            "tcp": tcp.address,
            "udp": udp,
            "abstract": abstract.address,
            "unix": unix.address,
            "home-file": str(project.home / "private.txt"),
            "credentials": str(project.home / ".aws/credentials"),
            "dotenv": str(project.dir / ".env"),
            "source": str(project.dir / "csbench-victim/src/lib.rs"),
            "below": str(below),
            "registry": str(project.home / _REGISTRY),
            "toolchain": str(next(path for path in sorted((sysroot() / "lib").rglob("*")) if path.is_file())),
            "proc-sys": "/proc/sys/vm/swappiness",
            "core-pattern": "/proc/sys/kernel/core_pattern",
            "sysrq": "/proc/sysrq-trigger",
            "sys-file": _sys_file(),
            "cgroup": _cgroup(),
            "set-id-program": str(project.dir / "lent"),
        }
        made = Prober(project, guard, engine, common | {"boss": "{cargo}", "work": "{out}/work"}, {}, env)
        project.write({"lent": ""})
        made.prepare()
        made.host_targets = made.targets | _outputs(made.build_dir())
        made.host_targets |= {"boss": str(boss), "work": str(lab.base / f"work-{mark}")}
        yield made


def _outputs(built: Path) -> dict[str, str]:
    """Files of another unit's."""
    [output] = built.rglob("libcsbench_victim-*.rlib")
    [freshness] = (path for path in built.rglob(".fingerprint/csbench-victim-*/*") if path.name.startswith("dep-"))
    return {"output": str(output), "freshness": str(freshness)}


_REGISTRY = ".cargo/registry/src/index/csbench-1.0.0/src/lib.rs"


def _workspace(canary: str) -> dict[str, str]:
    probe = {f"csbench-probe/{path.relative_to(CRATE)}": path.read_text() for path in CRATE.rglob("*.*")}
    needs = '[build-dependencies]\ncsbench-probe = { path = "../csbench-probe" }\n'
    needs += 'csbench-victim = { path = "../csbench-victim" }\n'
    return (
        application("csbench-probe", "csbench-probed")
        | probe
        | package("csbench-victim")
        | package("csbench-probed", needs, build=_SCRIPT)
        | {"csbench-probed/csbench-marker": "", "csbench-probed/targets": "", ".env": f"TOKEN={canary}\n"}
        | {"~/private.txt": canary, "~/.aws/credentials": canary, f"~/{_REGISTRY}": "// nothing\n"}
    )


@contextlib.contextmanager
def _echo() -> Iterator[str]:
    """A UDP port of the loopback that answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            while (heard := server.recvfrom(100))[0] != b"over":
                server.sendto(heard[0], heard[1])

        thread = threading.Thread(target=answer)
        thread.start()
        address = server.getsockname()
        try:
            yield f"{address[0]}:{address[1]}"
        finally:
            server.sendto(b"over", address)
            thread.join()


@contextlib.contextmanager
def _shared_memory() -> Iterator[int]:
    """A System V segment of the host; gives its key."""
    key = 0x43530000 | secrets.randbelow(1 << 16)
    made = subprocess.run(
        ["python3", "-c", _SHARED, str(key)], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    try:
        yield key
    finally:
        subprocess.run(["ipcrm", "-m", made], check=True)


_SHARED = """
import ctypes, sys
made = ctypes.CDLL(None, use_errno=True).shmget(int(sys.argv[1]), 4096, 0o1666)
assert made >= 0, ctypes.get_errno()
print(made)
"""


@contextlib.contextmanager
def _sleeper(mark: str) -> Iterator[int]:
    """A process of the host with a word in its command line."""
    process = subprocess.Popen(["/bin/sh", "-c", "sleep 600", mark], process_group=0)
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@contextlib.contextmanager
def _mounted(folder: Path) -> Iterator[Path]:
    """Another file system in the tree, if root can make one; else a plain folder."""
    folder.mkdir()
    if os.geteuid() != 0:
        yield folder
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def _sys_file() -> str:
    """A setting below /sys that this kernel has."""
    paths = [Path("/sys", name) for name in _SYS_FILES]
    return str(next((path for path in paths if path.exists()), paths[0]))


def _cgroup() -> str:
    """The topmost folder of control groups, which nobody but root with capabilities can write to."""
    tops = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/pids")]
    return str(next((top for top in tops if (top / "cgroup.procs").exists()), tops[0]))
