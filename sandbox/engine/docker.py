"""The Docker engine: the same plan and the same guard in a container of a local Docker daemon."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from sandbox.engine import docker_image, docker_leftovers
from sandbox.engine.docker_config import Container, container
from sandbox.engine.docker_daemon import connect
from sandbox.engine.docker_stream import Streams
from sandbox.engine.protocol import EngineInfo
from sandbox.errors import InternalError, SetupError
from sandbox.plan.facts import BUILDER
from sandbox.plan.model import Plan
from sandbox.resources import profile

if TYPE_CHECKING:
    from docker.api.client import APIClient

_END_S = 2.0


class DockerSession:
    """One container: attached, then started. `limit` says which limit of the daemon's the build has hit."""

    def __init__(self, api: APIClient, name: str, plan: Plan) -> None:
        self._api = api
        self.name = name
        self.pid = 0
        self.limit = ""
        self._status: int | None = None
        self._ended = threading.Event()
        self._broken_off = False
        self._closed = False
        self._first = -1
        self._plan = plan
        events = api.events(
            since=int(time.time()) - 1, filters={"container": [name], "event": ["die", "oom"]}, decode=True
        )
        threading.Thread(target=self._watch, args=(events,), name="docker-events", daemon=True).start()
        params = {"stdin": int(plan.recorded), "stdout": 1, "stderr": 1, "stream": 1}
        attached = api.attach_socket(name, params=params)
        self.stdin_fd = os.dup(attached.fileno())
        os.set_blocking(self.stdin_fd, True)  # the SDK's timeouts make it non-blocking
        attached.close()
        self._streams = Streams(os.dup(self.stdin_fd), self._last_words)
        self.stdout_fd, self.stderr_fd = self._streams.stdout_fd, self._streams.stderr_fd

    def run(self) -> None:
        """Start it. Raises the SDK's errors, SetupError when its processes are not on this machine."""
        self._api.start(self.name)
        if not self._plan.recorded:
            return
        self.pid = int(self._api.inspect_container(self.name)["State"]["Pid"])
        with contextlib.suppress(OSError):
            self._first = os.pidfd_open(self.pid)
        if self.pid and not _is_first_process(self.pid) and self.poll() is None:
            raise SetupError(
                "the Docker daemon runs its containers on another machine",
                wall="host files",
                why=f"its process {self.pid} is no container's first process here",
                fix="use a daemon of this machine, or --engine bubblewrap",
            )

    def _watch(self, events: Any) -> None:
        """The daemon's events for this container; when they break off, so has the daemon."""
        import requests
        from docker.errors import DockerException

        status = None
        with contextlib.suppress(DockerException, requests.RequestException, OSError, ValueError, AttributeError):
            for event in events:
                if event.get("Action") == "oom":
                    size = self._plan.limits.memory_bytes >> 20
                    self.limit = f"the memory of the container is used up (--memory-limit {size} MiB)"
                elif event.get("Action") == "die":
                    code = int(event["Actor"]["Attributes"].get("exitCode", "255"))
                    status = 128 - code if code > 128 else code
                    break
        self._broken_off = status is None
        self._status = -signal.SIGKILL if status is None else status
        self._ended.set()

    def _last_words(self) -> str:
        """What is to be said when the stream has ended. The event that tells why comes at the same time."""
        self._ended.wait(_END_S)
        return "the Docker daemon has gone away" if self._broken_off else ""

    def poll(self) -> int | None:
        return self._status

    def wait(self, timeout_s: float | None = None) -> int | None:
        self._ended.wait(timeout_s)
        return self._status

    def kill(self) -> None:
        import requests
        from docker.errors import DockerException

        # Its processes outlive a daemon that was killed; one that was never started is not removed by its end.
        if self._status is None or self._broken_off:
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
        self.info = EngineInfo("docker", self._daemon.version, words, why, found.digest, found.manifest)
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
        import requests
        from docker.errors import DockerException

        if plan.image != self.info.image:
            raise InternalError("the plan is for another image")
        archive = b"" if plan.image else docker_image.skeleton(plan)
        labels = {
            docker_leftovers.OWNER: docker_leftovers.owner(),
            docker_leftovers.PLAN: plan.digest(),
            docker_leftovers.RUN: secrets.token_hex(8),
        }
        wanted = container(
            plan,
            self._daemon,
            image=plan.image or docker_image.name(archive),
            profile=seccomp_profile(plan.seccomp_level),
            labels=labels,
            runtime=self._runtime,
        )
        for path, to in wanted.links:
            os.symlink(to, path)
        session = None
        try:
            name = self._create(wanted, archive)
            try:
                session = DockerSession(self._api, name, plan)
                session.run()
            except BaseException:
                self._give_up(name, session)
                raise
        except (DockerException, requests.RequestException, OSError) as error:
            raise SetupError(
                "the container can't be set up",
                wall="container",
                why=str(getattr(error, "explanation", None) or error)[:500],
                fix="see the daemon's log; cargo-sandbox plan build prints what was asked for",
            ) from error
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


def _group_of(uid: int) -> int:
    """The first group of a user; a user without an entry has one with his own number."""
    try:
        return pwd.getpwuid(uid).pw_gid or uid
    except KeyError:
        return uid


def _is_first_process(pid: int) -> bool:
    """Whether a process of ours to see is pid 1 of a namespace below (NSpid, proc_pid_status(5))."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            numbers = next((line.split()[1:] for line in status if line.startswith("NSpid:")), [])
    except OSError:
        return False
    return len(numbers) > 1 and numbers[-1] == "1"
