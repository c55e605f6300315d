"""What an engine must offer."""

from __future__ import annotations

from typing import Protocol

from sandbox.plan.model import Plan
from sandbox.record import record


@record
class EngineInfo:
    """Name and version of an engine, for the record; `words` is its part of the last line of a run, `why` the reason
    why it was chosen and not another one, if there is one. `image` is the digest of the image that system and toolchain
    come from, empty when they are this machine's own; `image_manifest` that of its list of packages, if it has one.
    `runtime` is the OCI runtime that the user named, `runtime_is` all that the engine knows of it: what a probe found
    there is kept as long as this text is the same."""

    name: str
    version: str
    words: str
    why: str = ""
    image: str = ""
    image_manifest: str = ""
    runtime: str = ""
    runtime_is: str = ""


class Session(Protocol):
    """A started container. `stdin_fd` takes frames to the guard (or the command's input), `stdout_fd` gives frames
    from it, `stderr_fd` is the engine's own error output, at most a few lines. `pid` is the process whose descendants
    are the container's, 0 when it is not known. `limit` becomes a sentence when the build has hit a limit of the plan
    that the engine itself enforces, `broken` one when the container was ended by neither the build nor us; both are to
    be read after its end."""

    stdin_fd: int
    stdout_fd: int
    stderr_fd: int
    pid: int
    limit: str
    broken: str

    def begun(self) -> None:
        """Wait until it has been started as the plan says; call it once, before the guard is told anything. `pid` is
        known from here on. Raises EngineUnavailable, or SetupError if a wall can't be put up."""

    def poll(self) -> int | None:
        """Exit status if it has ended: the code, or minus the signal."""

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Like `poll`, waiting up to `timeout_s` seconds (None: for ever)."""

    def kill(self) -> None:
        """End the container and everything in it at once. Safe to call twice."""

    def close(self) -> None:
        """Close our ends of the streams and reap. Safe to call twice."""


class Engine(Protocol):
    """Starts plans. Raises EngineUnavailable if it can't run here, SetupError if a wall can't be put up."""

    info: EngineInfo

    def owner(self, workspace: str) -> tuple[int, int]:
        """User and group, as seen from outside, whose files a build of this workspace can use."""

    def start(self, plan: Plan) -> Session:
        """Start the plan's container."""
