"""Puts reports into files, which may lie where a build can write.

The folder is opened before the build starts, so that no build can lead a report elsewhere by a link, and a mistake is
told before anything runs. An older report of that name is taken away then: it must not be mistaken for this run's.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence

from sandbox.errors import ReportError, SandboxError
from sandbox.judge.model import RunResult
from sandbox.record import record
from sandbox.report.formats import Context, Target, renderer
from sandbox.report.render import render_untrusted
from sandbox.trace import files


@record
class Destination:
    """A report's file: `name` in a folder that is held open. `shown` is what the user wrote."""

    format: str
    shown: str
    name: str
    dir_fd: int

    def write(self, text: str) -> None:
        """Put the text in place whole, with a final newline. Raises ReportError; there is no half report then."""
        try:
            files.write_atomic(self.name, text.encode("utf-8", "backslashreplace") + b"\n", self.dir_fd, 0o666)
        except OSError as error:
            raise _failed(self.shown, error.strerror or str(error)) from error


def open_all(targets: Sequence[Target], built: tuple[str, ...]) -> tuple[Destination, ...]:
    """The destinations, ready to be written. `built` are folders that a build may write to: the target dir, and sources
    that were opened to a package. Raises ReportError."""
    opened: list[Destination] = []
    places = set()
    try:
        for target in targets:
            destination = _open(target, built)
            opened.append(destination)
            status = os.fstat(destination.dir_fd)
            place = status.st_dev, status.st_ino, destination.name
            if place in places:
                raise _failed(target.path, "another report goes to the same file")
            places.add(place)
            _make_room(destination)
    except BaseException:
        close_all(opened)
        raise
    return tuple(opened)


def write_all(destinations: Sequence[Destination], result: RunResult, context: Context) -> int:
    """Make and write all of them; 0, or the exit code of the first that failed, told on standard error.

    Nothing is raised: the run is over and recorded, and its own exit code, if it has one, says more than a report's.
    """
    failed = 0
    for destination in destinations:
        try:
            destination.write(renderer(destination.format)(result, context))
        except ReportError as error:
            failed = failed or error.exit_code
            sys.stderr.write(f"error: {render_untrusted(error.message, 2000)}\n")
        except Exception as error:  # a renderer's bug must not take the other reports and the exit code along
            if os.environ.get("CARGO_SANDBOX_DEBUG"):
                raise
            failed = failed or SandboxError.exit_code
            words = render_untrusted(f"{destination.shown}: {type(error).__name__}: {error}", 2000)
            sys.stderr.write(f"error: a report could not be made; this is our bug: {words}\n")
    return failed


def close_all(destinations: Sequence[Destination]) -> None:
    """Give the folders back."""
    for destination in destinations:
        os.close(destination.dir_fd)


def _open(target: Target, built: tuple[str, ...]) -> Destination:
    path = os.path.abspath(target.path)
    folder, name = os.path.split(path)
    if not name or target.path.endswith("/"):
        raise _failed(target.path, "that is a folder")
    real = os.path.realpath(folder)
    if any(_leads_out(folder, real, os.path.realpath(top)) for top in built):
        raise _failed(target.path, "a link leads out of a folder that builds may write to")
    try:
        return Destination(target.format, target.path, name, files.open_dir(real))
    except (OSError, ValueError) as error:
        raise _failed(target.path, getattr(error, "strerror", None) or str(error)) from error


def _leads_out(folder: str, real: str, built: str) -> bool:
    """Whether the way to `folder` enters `built`, by whatever name, and ends (`real`) outside of it."""
    ways = [folder[:end] for end, char in enumerate(folder) if char == "/" and end] + [folder]
    return not _within(real, built) and any(_within(os.path.realpath(way), built) for way in ways)


def _make_room(destination: Destination) -> None:
    name, dir_fd = destination.name, destination.dir_fd
    try:
        kind = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
        # A device, a pipe or a link (/dev/stdout) is not ours to replace by a file.
        if not stat.S_ISREG(kind):
            raise _failed(destination.shown, "something that is no regular file is there")
        os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _failed(destination.shown, error.strerror or str(error)) from error
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=dir_fd):
        raise _failed(destination.shown, "the folder can't be written")


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def _failed(path: str, why: str) -> ReportError:
    return ReportError(f"the report {path} can't be written: {why}", hint="name a file in a folder that can be written")
