"""Docker daemons of the tests' own, beside the machine's: each with its own socket, data and processes.

with started(lab) as daemon:
    project.env["DOCKER_HOST"] = daemon.host

Only root can start one, or give one to another user. It makes no network and no firewall rule, and stores images
without any file system driver.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.engines import only
from tests.harness import User, processes, remove_tree, wait_for

needs_root = only("root", "nobody else can start a Docker daemon")
_ALONE = (
    "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
    "--storage-driver=vfs",
)  # fmt: skip


@dataclass
class Daemon:
    """One daemon: `command` starts it, `base` is its folder (short: a socket's path has 107 bytes at most)."""

    base: Path
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.base / "s"

    @property
    def host(self) -> str:
        """DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Of the daemon itself."""
        return int((self.base / "pid").read_text())

    @property
    def log(self) -> str:
        return (self.base / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.base / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd="/", env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        wait_for(self._answers, 60, "the daemon's first answer")

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log[-3000:]
        return self.docker("version", check=False).returncode == 0

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the docker program against it."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=check)

    def containers(self) -> list[str]:
        """Ids of our containers there, ended ones too."""
        printed = self.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", "label=cargo-sandbox.owner").stdout
        return printed.split()

    def signal(self, number: int) -> None:
        """Send the daemon a signal that ends it, and wait. A killed one would leave its containerd waiting for it."""
        assert self.process is not None
        for pid in processes(str(self.base)):
            with contextlib.suppress(psutil.NoSuchProcess):
                if psutil.Process(pid).name() == "dockerd":
                    psutil.Process(pid).send_signal(number)
        self.process.wait(60)
        own = self.base / "x/containerd/containerd.pid"
        if number == signal.SIGKILL and own.is_file():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(own.read_text()), number)
            # Where nobody reaps it the next daemon would take it for alive.
            own.unlink()

    def end(self) -> None:
        """End it and all that it has started; nothing of it stays mounted."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(subprocess.SubprocessError):
                for found in self.docker("ps", "--all", "--quiet", check=False).stdout.split():
                    self.docker("rm", "--force", found, check=False)
            self.signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        while left := processes(str(self.base)):
            assert time.monotonic() < deadline, left
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            place = line.split()[4]
            if place.startswith(f"{self.base}/"):
                subprocess.run(["umount", "--lazy", place], check=False)


def options(base: Path) -> tuple[str, ...]:
    """What keeps a daemon to itself."""
    (base / "daemon.json").write_text("{}")
    return (
        f"--config-file={base}/daemon.json", f"--host=unix://{base}/s", f"--data-root={base}/data",
        f"--exec-root={base}/x", f"--pidfile={base}/pid", *_ALONE,
    )  # fmt: skip


@contextlib.contextmanager
def started(*more: str, programs: Path | None = None, wrap: Sequence[str] = ()) -> Iterator[Daemon]:
    """A daemon with `more` options. `programs` is a folder with another dockerd, containerd and runc than the system's,
    `wrap` a command that runs it in other namespaces."""
    base = _folder()
    env = dict(os.environ)
    if programs is not None:
        env["PATH"] = f"{programs}:{env.get('PATH', os.defpath)}"
    dockerd = shutil.which("dockerd", path=env["PATH"] + ":/usr/sbin:/sbin")
    assert dockerd is not None, "dockerd is not installed"
    with _running(Daemon(base, (*wrap, dockerd, *options(base), *more), env)) as daemon:
        yield daemon


def in_another_tree(*commands: str) -> tuple[str, ...]:
    """What runs a daemon in a mount namespace of its own, where these commands have changed the tree."""
    script = " && ".join((*commands, 'exec "$@"'))
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")


@contextlib.contextmanager
def rootless(user: User, *more: str) -> Iterator[Daemon]:
    """A rootless daemon of an ordinary user's (docs.docker.com, "Rootless mode"), in a network of its own: a real one
    would need a device."""
    base = _folder()
    inner = 'rm -f /run/docker /run/containerd /run/xtables.lock; exec unshare --net dockerd --rootless "$@"'
    command = [
        *user.prefix, "rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run", "--propagation=rslave", "sh",
        "-c", inner, "sh", *options(base), *more,
    ]  # fmt: skip
    for path in (base, *base.iterdir()):
        os.chown(path, user.uid, user.gid)
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(base), "XDG_RUNTIME_DIR": str(base),
        "USER": user.name,
    }  # fmt: skip
    with _running(Daemon(base, tuple(command), env)) as daemon:
        yield daemon


def _folder() -> Path:
    base = Path(tempfile.mkdtemp(prefix="cs-daemon-", dir="/var/tmp"))
    base.chmod(0o755)
    return base


@contextlib.contextmanager
def _running(daemon: Daemon) -> Iterator[Daemon]:
    base = daemon.base
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.end()
        if os.environ.get("CARGO_SANDBOX_TEST_KEEP"):
            print(f"kept: {base}\n{json.dumps(daemon.command)}")
        else:
            remove_tree(base)


def main(kind: str, *command: str) -> int:
    """`scripts/try-daemon`: run a command with a daemon of a kind; its exit code."""
    from tests.harness import ordinary_user, session
    from tests.newer_docker import programs

    with contextlib.ExitStack() as stack:
        if kind == "rootless":
            daemon = stack.enter_context(rootless(ordinary_user(stack.enter_context(session()))))
        else:
            more = {"usual": (), "newer": (), "remap": ("--userns-remap=default",)}[kind]
            daemon = stack.enter_context(started(*more, programs=programs() if kind == "newer" else None))
        return subprocess.run(command, env=os.environ | {"DOCKER_HOST": daemon.host}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
