"""The Docker engine: the same plan and the same guard in a container of a local Docker daemon."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.engine import docker_image, docker_leftovers
from sandbox.engine.docker_config import Container, container
from sandbox.engine.docker_daemon import connect
from sandbox.engine.docker_stream import Streams
from sandbox.engine.protocol import EngineInfo
from sandbox.errors import EngineUnavailable, InternalError, SetupError
from sandbox.plan.facts import BUILDER
from sandbox.plan.model import Plan
from sandbox.resources import profile

if TYPE_CHECKING:
    from docker.api.client import APIClient


class DockerSession:
    """One container: attached, then started, which takes the daemon a while (`begun`)."""

    def __init__(self, api: APIClient, name: str, plan: Plan) -> None:
        self._api = api
        self.name = name
        self.pid = 0
        self.limit = ""
        self.broken = ""
        self._status: int | None = None
        self._ended = threading.Event()
        self._gone = False
        self._killed = False
        self._closed = False
        self._first = -1
        self._plan = plan
        self._started_at = 0.0
        self._start_error: BaseException | None = None
        self._start = threading.Thread(target=self._ask_to_start, name="docker-start", daemon=True)
        events = api.events(
            since=int(time.time()) - 1, filters={"container": [name], "event": ["die", "kill", "oom"]}, decode=True
        )
        threading.Thread(target=self._watch, args=(events,), name="docker-events", daemon=True).start()
        params = {"stdin": int(plan.recorded), "stdout": 1, "stderr": 1, "stream": 1}
        attached = api.attach_socket(name, params=params)
        self.stdin_fd = os.dup(attached.fileno())
        os.set_blocking(self.stdin_fd, True)  # the SDK's timeouts make it non-blocking
        attached.close()
        self._streams = Streams(os.dup(self.stdin_fd))
        self.stdout_fd, self.stderr_fd = self._streams.stdout_fd, self._streams.stderr_fd

    def run(self) -> None:
        """Have it started."""
        self._started_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._start.start()

    def _ask_to_start(self) -> None:
        try:
            self._api.start(self.name)
        except BaseException as error:
            self._start_error = error

    def begun(self) -> None:
        with _in_our_words():
            self._look()

    def _look(self) -> None:
        """Wait for its start, and see that it is where it should be. Of what is recorded nothing runs yet."""
        self._start.join()
        if self._start_error is not None:
            raise self._start_error
        if not self._plan.recorded:
            return
        self.pid = int(self._api.inspect_container(self.name)["State"]["Pid"])
        with contextlib.suppress(OSError):
            self._first = os.pidfd_open(self.pid)
        here = _is_first_process(self.pid) or (self._plan.runtime and _has_started_since(self.pid, self._started_at))
        if self.pid and not here and self.poll() is None:
            raise SetupError(
                "the Docker daemon runs its containers on another machine",
                wall="host files",
                why=f"its process {self.pid} is no container's first process here",
                fix="use a daemon of this machine, or --engine bubblewrap",
            )
        if not self._plan.network and _has_our_network(self.pid):
            raise SetupError(
                "the Docker daemon has given the container this machine's network",
                wall="network",
                why="it was asked for none",
                fix="use another daemon, or --engine bubblewrap",
            )

    def _watch(self, events: Any) -> None:
        """The daemon's events for this container; when they break off, so has the daemon."""
        import requests
        from docker.errors import DockerException

        status, signalled = None, ""
        with contextlib.suppress(DockerException, requests.RequestException, OSError, ValueError, AttributeError):
            for event in events:
                if event.get("Action") == "oom":
                    size = self._plan.limits.memory_bytes >> 20
                    self.limit = f"the memory of the container is used up (--memory-limit {size} MiB)"
                elif event.get("Action") == "kill" and not self._killed:
                    signalled = _signal_name(int(event["Actor"]["Attributes"].get("signal", "0")))
                elif event.get("Action") == "die":
                    code = int(event["Actor"]["Attributes"].get("exitCode", "255"))
                    status = 128 - code if code > 128 else code
                    break
        self._gone = status is None
        if self._gone:
            self.broken = "the Docker daemon has gone away"
        elif signalled:
            why = "it was stopped itself, or told to (docker stop, docker kill)"
            self.broken = f"the Docker daemon ended the container with {signalled}: {why}"
        elif status == -signal.SIGKILL and not (self._killed or self.limit):
            self.broken = "something killed the container's first process"
        self._status = -signal.SIGKILL if status is None else status
        self._ended.set()

    def poll(self) -> int | None:
        return self._status

    def wait(self, timeout_s: float | None = None) -> int | None:
        self._ended.wait(timeout_s)
        return self._status

    def kill(self) -> None:
        import requests
        from docker.errors import DockerException

        self._killed = True
        # Its processes outlive a daemon that was killed; one that was never started is not removed by its end.
        if self._status is None or self._gone:
            if self._first >= 0:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(self._first, signal.SIGKILL)
            with contextlib.suppress(DockerException, requests.RequestException):
                self._api.remove_container(self.name, force=True, v=True)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self.stdin_fd)
            if self._first >= 0:
                os.close(self._first)
                self._first = -1
            self._streams.close()


class Docker:
    """Engine `docker`. `runtime` is an OCI runtime that the daemon knows by that name, empty for its default; `image`
    is one that the daemon has, with cargo in it (`builder`: our own), empty for the host's system and toolchain.

    Raises EngineUnavailable when no daemon answers, SetupError when it can't put up a wall.
    """

    def __init__(self, runtime: str = "", image: str = "", why: str = "") -> None:
        env = dict(os.environ)
        self._api, self._daemon = connect(env, env.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)
        self._runtime = runtime
        words = f"docker {runtime}".rstrip() + (f" with {image}" if image else "")
        if why and not (runtime or image):
            words += f", as {why}"
        found = docker_image.find(self._api, image) if image else docker_image.Image("")
        known = identity(self._api.info(), runtime) if runtime else ""
        self.info = EngineInfo(
            "docker", self._daemon.version, words, why, found.digest, found.manifest, runtime=runtime, runtime_is=known
        )
        docker_leftovers.remove(self._api)

    def owner(self, workspace: str) -> tuple[int, int]:
        """The caller; for root, who shall not build, the workspace's owner, or else nobody that anything belongs to."""
        uid, gid = os.getuid(), os.getgid()
        if uid != 0:
            return uid, gid
        state = os.stat(workspace)
        if state.st_uid == 0:
            return BUILDER, BUILDER
        return state.st_uid, state.st_gid or _group_of(state.st_uid)

    def start(self, plan: Plan) -> DockerSession:
        if plan.image != self.info.image:
            raise InternalError("the plan is for another image")
        archive = b"" if plan.image else docker_image.skeleton(plan)
        labels = {
            docker_leftovers.OWNER: docker_leftovers.owner(),
            docker_leftovers.PLAN: plan.digest(),
            docker_leftovers.RUN: secrets.token_hex(8),
        }
        make = container
        if plan.removed_walls:
            from sandbox.engine.docker_removed import container as make
        wanted = make(
            plan,
            self._daemon,
            image=plan.image or docker_image.name(archive),
            profile=seccomp_profile(plan.seccomp_level),
            labels=labels,
            runtime=plan.runtime or self._runtime,
        )
        for path, to in wanted.links:
            os.symlink(to, path)
        session = None
        with _in_our_words():
            name = self._create(wanted, archive)
            try:
                session = DockerSession(self._api, name, plan)
                session.run()
            except BaseException:
                self._give_up(name, session)
                raise
        return session

    def _create(self, wanted: Container, archive: bytes) -> str:
        from docker.errors import NotFound

        name = f"cargo-sandbox-{secrets.token_hex(8)}"
        try:
            self._api.create_container_from_config(wanted.body, name)  # type: ignore[no-untyped-call]
        except NotFound:
            if not archive:
                raise
            docker_image.make(self._api, archive)
            self._api.create_container_from_config(wanted.body, name)  # type: ignore[no-untyped-call]
        return name

    def _give_up(self, name: str, session: DockerSession | None) -> None:
        import requests
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, requests.RequestException):
            self._api.remove_container(name, force=True, v=True)
        if session is not None:
            session.close()


def identity(info: Mapping[str, Any], runtime: str) -> str:
    """All that tells one runtime from another one of the same name, as text: the daemon, what it says of this runtime,
    and the program's file where it names one."""
    registered = (info.get("Runtimes") or {}).get(runtime) or {}
    path = str(registered.get("path") or "")
    try:
        state = os.stat(path) if path.startswith("/") else None
    except OSError:
        state = None
    file = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns) if state else ()
    parts = (runtime, info.get("ID"), info.get("ServerVersion"), info.get("KernelVersion"), registered, file)
    return json.dumps(parts, sort_keys=True, default=str)


def seccomp_profile(level: str) -> str:
    """The outer syscall filter of a level as JSON.

    The daemon's own default is never used: before Docker 25 it allows io_uring, and sockets of every family.
    """
    path = profile(f"seccomp/docker-{level}.json")
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SetupError(
            "the outer syscall filter can't be read",
            wall="kernel surface",
            why=f"{path}: {error.strerror}",
            fix="install cargo-sandbox again, or use --engine bubblewrap",
        ) from error


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    """The SDK's errors while a container is made and started. Raises EngineUnavailable, SetupError."""
    import requests
    from docker.errors import DockerException

    try:
        yield
    except requests.ConnectionError as error:
        raise EngineUnavailable("the Docker daemon has gone away", hint="start it again, then build again") from error
    except (DockerException, requests.RequestException, OSError) as error:
        words = str(getattr(error, "explanation", None) or error)
        if "bind source path does not exist" in words:
            raise _sees_another_tree(words) from error
        raise SetupError(
            "the container can't be set up",
            wall="container",
            why=words[:500],
            fix="see the daemon's log; cargo-sandbox plan build prints what was asked for",
        ) from error


def _sees_another_tree(words: str) -> SetupError:
    """The daemon's words for a mount of something that it doesn't find, which we have just looked at ourselves."""
    return SetupError(
        f"the Docker daemon does not see {words.rpartition(': ')[2][:300]}",
        wall="host files",
        why="it runs on another machine, or in a container or mount namespace with another tree",
        fix="use a daemon that sees the same tree as you (docker context use default, unset DOCKER_HOST), "
        "or --engine bubblewrap",
    )


def _group_of(uid: int) -> int:
    """The first group of a user; a user without an entry has one with his own number."""
    try:
        return pwd.getpwuid(uid).pw_gid or uid
    except KeyError:
        return uid


def _has_started_since(pid: int, since_s: float) -> bool:
    """Whether a process of ours to see is younger than a time of the boot clock: what stands for a container with a
    kernel of its own (gVisor, a virtual machine) is in no PID namespace. Field 22 of proc_pid_stat(5), clock ticks."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return False
    return (ticks + 1) / os.sysconf("SC_CLK_TCK") >= since_s


def _has_our_network(pid: int) -> bool:
    """Whether a process is in our network namespace. False where that can't be seen: another user's process."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return False


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _is_first_process(pid: int) -> bool:
    """Whether a process of ours to see is pid 1 of a namespace below (NSpid, proc_pid_status(5))."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            numbers = next((line.split()[1:] for line in status if line.startswith("NSpid:")), [])
    except OSError:
        return False
    return len(numbers) > 1 and numbers[-1] == "1"
