"""Every failure that ends a command, one class each, with its exit code on the class.

    SandboxError                 1    base; an error nobody gave a code of its own is our bug
    ├── InternalError            1    our own bug
    ├── UsageError               2    the command line can't be understood
    ├── ReportError              2    a report can't be written where it was asked for
    ├── WorkspaceError         101    the project's files can't be read (cargo's own code for that)
    ├── SetupError             121    a wall can't be put up as planned
    │   ├── ToolchainError     121    no toolchain that we may run
    │   └── ImageError         121    no image to build in, or none can be made
    ├── RecordIncomplete       122    the record has a hole, under --require-complete
    ├── BaselineMissing        123    a baseline is missing or stale, under --locked-baseline
    ├── LimitExceeded          124    a limit ended the build
    └── EngineUnavailable      125    bubblewrap or docker is missing or refuses

The message says what happened, the hint what to do about it. Both may carry text of a hostile project (paths, names):
whoever prints them passes them through `sandbox.report.render`.
"""

from __future__ import annotations

from typing import ClassVar


class SandboxError(Exception):
    """Base of all our failures. `hint` is empty where nothing can be advised."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InternalError(SandboxError):
    """Our own bug: something that can't happen did."""

    exit_code = 1


class UsageError(SandboxError):
    """The command line can't be understood."""

    exit_code = 2


class ReportError(SandboxError):
    """A report can't be written to the file that it was asked for in. The run and its record are what they are."""

    exit_code = 2


class WorkspaceError(SandboxError):
    """The project's manifests can't be read or followed. `file` is the one at fault, empty when there is none.

    Cargo exits with 101 when it can't read a manifest; so do we, since the same command would have failed there.
    """

    exit_code = 101

    def __init__(self, message: str, *, file: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.file = file


class SetupError(SandboxError):
    """A wall can't be put up as planned, so nothing was run.

    `wall` names it, `why` says what stands in the way, `fix` what to do (and is the hint unless another one is given).
    """

    exit_code = 121

    def __init__(self, message: str, *, wall: str = "", why: str = "", fix: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint or fix)
        self.wall = wall
        self.why = why
        self.fix = fix


class ToolchainError(SetupError):
    """No toolchain that we may run: missing, broken, or supplied by the project itself."""

    def __init__(self, message: str, *, why: str = "", fix: str = "", hint: str = "") -> None:
        super().__init__(message, wall="toolchain", why=why, fix=fix, hint=hint)


class ImageError(SetupError):
    """The image to build in is missing or not what it should be, or the builder image can't be made."""

    def __init__(self, message: str, *, why: str = "", fix: str = "", hint: str = "") -> None:
        super().__init__(message, wall="image", why=why, fix=fix, hint=hint)


class RecordIncomplete(SandboxError):
    """The record of the run has a hole, and `--require-complete` asks for one without."""

    exit_code = 122


class BaselineError(SandboxError):
    """A baseline can't be read, written or found. `hint` says what to do."""

    exit_code = 2


class BaselineMissing(SandboxError):
    """Something that ran has no baseline, or one that is stale, and `--locked-baseline` asks for one."""

    exit_code = 123


class LimitExceeded(SandboxError):
    """A limit (time, memory, processes, output, disk) ended the build. `limit` names it."""

    exit_code = 124

    def __init__(self, message: str, *, limit: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.limit = limit


class EngineUnavailable(SandboxError):
    """The engine that should apply the plan is missing or refuses to work here."""

    exit_code = 125
