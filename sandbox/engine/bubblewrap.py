"""The bubblewrap engine: namespaces and mounts by an unprivileged program, no daemon (bwrap(1))."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

from sandbox.engine.protocol import EngineInfo
from sandbox.errors import EngineUnavailable, SetupError
from sandbox.plan.model import Mount, Plan
from sandbox.plan.mounts import GUARD

# By the name of the wall.
_NAMESPACES = (
    ("userns", "--unshare-user"), ("ipc", "--unshare-ipc"), ("pid", "--unshare-pid"), ("uts", "--unshare-uts"),
    ("cgroup", "--unshare-cgroup-try"),
)  # fmt: skip

# As under Docker (moby, daemon/pkg/oci/defaults.go): read-only, and not shown.
_MACHINE_SETTINGS = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_MASKED = (
    "acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list",
    "timer_stats",
)  # fmt: skip


# bubblewrap.c, MAX_ARGS: more than 9000 words in all end bwrap, whether they come by --args or not.
_MOST_WORDS = 8_900


class BubblewrapSession:
    """One running bwrap."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self.pid = process.pid
        self.limit = ""
        self.broken = ""
        self.stdin_fd = process.stdin.fileno()
        self.stdout_fd = process.stdout.fileno()
        self.stderr_fd = process.stderr.fileno()

    def begun(self) -> None:
        # What goes wrong the guard says, or bwrap on its error output.
        pass

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        # bwrap dies with its whole PID namespace: the guard is pid 1 there and carries PR_SET_PDEATHSIG.
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        self._process.wait()


class Bubblewrap:
    """Engine `bubblewrap`. `program` is the path of bwrap; found on PATH when not given."""

    def __init__(self, program: str | None = None, why: str = "") -> None:
        found = program or _on_path()
        if not found:
            from sandbox.engine.bwrap_failures import HINT

            raise EngineUnavailable("bubblewrap is not installed", hint=HINT)
        self.program = found
        self.info = EngineInfo("bubblewrap", "", "bubblewrap", why)

    def version(self) -> str:
        """What `bwrap --version` says."""
        done = subprocess.run([self.program, "--version"], capture_output=True, check=False)
        return done.stdout.decode("ascii", "replace").strip().removeprefix("bubblewrap ")

    def owner(self, workspace: str) -> tuple[int, int]:
        """The caller, whose id the container keeps (root's too, without its powers)."""
        return os.getuid(), os.getgid()

    def start(self, plan: Plan) -> BubblewrapSession:
        words = list(_arguments(plan))
        if len(words) > _MOST_WORDS:
            raise SetupError(
                f"the container would have {len(plan.mounts)} mounts, more than bubblewrap takes",
                wall="host files",
                why=f"bwrap takes {_MOST_WORDS} words; each .env file, and each entry of a workspace without a current "
                "Cargo.lock, is a mount",
                fix="bring Cargo.lock up to date (cargo generate-lockfile in a copy), or move files out of it",
            )
        arguments = b"".join(os.fsencode(word) + b"\0" for word in words)
        memory = os.memfd_create("bwrap-args", 0)
        try:
            os.write(memory, arguments)
            os.lseek(memory, 0, os.SEEK_SET)
            command = [self.program, "--args", str(memory), "--", *_command(plan)]
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=(memory,),
                env={},
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(memory)
        return BubblewrapSession(process)


def _search_path() -> str:
    """The usual places, then the caller's PATH without relative entries: these would let the tree choose."""
    caller = [part for part in os.environ.get("PATH", "").split(":") if part.startswith("/")]
    return ":".join(["/usr/local/bin", "/usr/bin", "/bin", *caller])


def _on_path() -> str:
    """Where bwrap is, empty when it is nowhere: `shutil.which`, which loads three compressors first."""
    places = (f"{folder}/bwrap" for folder in _search_path().split(":"))
    return next((path for path in places if os.path.isfile(path) and os.access(path, os.X_OK)), "")


def _command(plan: Plan) -> list[str]:
    return [GUARD, "init"] if plan.recorded else list(plan.command)


def _arguments(plan: Plan) -> Iterator[str]:
    """bwrap's options for a plan. `--args` reads them from a file, so their number and length don't matter."""
    away = plan.removed_walls  # by tests only; see sandbox.run.test_hooks
    yield from (name for wall, name in _NAMESPACES if wall not in away)
    if not plan.network:
        yield "--unshare-net"
    yield from ("--cap-add" if "capabilities" in away else "--cap-drop", "ALL")
    yield from ("--die-with-parent", "--new-session", "--clearenv")
    if "uts" not in away:
        yield from ("--hostname", "build")
    if plan.recorded:
        yield "--as-pid-1"
    for mount in plan.mounts:
        yield from _mount_arguments(mount)
    for mount in plan.mounts:
        if mount.kind == "proc" and "proc" not in away:
            yield from _machine_settings_read_only(mount.target)
        if mount.kind == "proc" and "masked" not in away:
            yield from _machine_covered(mount.target)
        if mount.kind == "dev":
            yield from ("--remount-ro", mount.target)
    if "root" not in away:
        yield from ("--remount-ro", "/")
    if plan.recorded:
        yield from ("--chdir", "/")
    else:
        for name, value in plan.env:
            yield from ("--setenv", name, value)
        yield from ("--chdir", plan.cwd)


def _machine_settings_read_only(proc: str) -> Iterator[str]:
    """These hold settings of the whole machine, and the kernel lets the user that is the host's root write them without
    any capability (a core pattern is a program that the host runs). bwrap covers them only where it finds the folder
    itself writable, which /proc/sys never is."""
    for name in _MACHINE_SETTINGS:
        yield from ("--ro-bind-try", f"/proc/{name}", f"{proc}/{name}")
    with open("/proc/self/mountinfo", "rb") as table:
        for name in mounted_on_settings(table.read()):
            yield from ("--tmpfs", f"{proc}/{name}", "--remount-ro", f"{proc}/{name}")


def mounted_on_settings(mountinfo: bytes) -> list[str]:
    """Folders below /proc, named from there, on which this machine has mounted something of its own (systemd: the
    programs that run foreign executables, on sys/fs/binfmt_misc; an NFS server: its controls, on fs/nfsd). A bind takes
    them along, and a container's own /proc has none. `mountinfo` is as proc_pid_mountinfo(5) says. These places are
    empty folders by themselves: where something lies over anything else, the kernel gives a user namespace no /proc.
    """
    tops = tuple(f"/proc/{name}/" for name in _MACHINE_SETTINGS)
    places = (os.fsdecode(line.split(b" ")[4]) for line in mountinfo.splitlines())
    found: list[str] = []
    for place in sorted({place.removeprefix("/proc/") for place in places if place.startswith(tops)}):
        if not any(place.startswith(f"{outer}/") for outer in found):
            found.append(place)
    return found


def _machine_covered(proc: str) -> Iterator[str]:
    """What a kernel has of these, which tell of the machine and of other people's work on it: a device without a right
    to use it lies over a file, an empty folder over a folder."""
    for name in _MASKED:
        if os.path.isdir(f"/proc/{name}"):
            yield from ("--tmpfs", f"{proc}/{name}", "--remount-ro", f"{proc}/{name}")
        elif os.path.exists(f"/proc/{name}"):
            yield from ("--ro-bind", "/dev/null", f"{proc}/{name}")


def _mount_arguments(mount: Mount) -> Iterator[str]:
    match mount.kind:
        case "ro":
            yield from ("--ro-bind", mount.source, mount.target)
        case "rw":
            yield from ("--bind", mount.source, mount.target)
        case "tmpfs":
            if mount.size:
                yield from ("--size", str(mount.size))
            yield from ("--perms", f"{mount.mode:o}", "--tmpfs", mount.target)
        case "proc":
            yield from ("--proc", mount.target)
        case "dev":
            yield from ("--dev", mount.target)
        case "symlink":
            yield from ("--symlink", mount.source, mount.target)
        case "dir":
            yield from ("--perms", f"{mount.mode:o}", "--dir", mount.target)
