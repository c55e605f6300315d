"""The resolve step: lock file, downloads and facts about the workspace, by cargo in a container of its own.

When nothing that it depends on has changed since the last time, the stored facts are used and nothing is started.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.cargo import lockfile
from sandbox.cargo.metadata import Facts
from sandbox.engine.protocol import Engine
from sandbox.errors import SandboxError, SetupError, WorkspaceError
from sandbox.plan.check import check
from sandbox.plan.facts import HostFacts, Policy, SystemEntry, ToolFacts
from sandbox.plan.resolve import CONFIG_FOLDER, resolve_plan
from sandbox.record import record

if TYPE_CHECKING:
    from sandbox.run.capture import Captured


class ResolveFailed(SandboxError):
    """Cargo could not resolve or fetch; its own words have been shown already. `stale`: it was for a lock file that
    would have to be changed, and may not be (`--locked`)."""

    exit_code = 101

    def __init__(self, message: str, *, hint: str = "", stale: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.stale = stale


class CommandRefused(SandboxError):
    """Cargo does not take the command line; its own words have been shown already."""


@record
class Request:
    """What to resolve. `stamps` are the files whose change makes the stored facts void, `layout` the directories of
    packages in which cargo finds targets by itself. `command` is the user's with `-h`: does cargo take it?"""

    manifest: str
    workspace: str
    lock_file: str
    command: tuple[str, ...]
    roots: tuple[str, ...]
    files: tuple[str, ...]
    stamps: tuple[str, ...]
    layout: tuple[str, ...]
    platforms: tuple[str, ...]
    cargo_home: str
    prepared: str
    locked: bool
    offline: bool
    quiet: bool
    dropped: tuple[str, ...]
    configs: tuple[str, ...]


@record
class ToolIdentity:
    """What the toolchain says of itself: version lines and the host triple."""

    cargo: str
    rustc: str
    host: str

    def cargo_version(self) -> tuple[int, int]:
        """Major and minor version; (0, 0) when the line is not understood."""
        parts = self.cargo.split()
        numbers = parts[1].split(".") if len(parts) > 1 else []
        if len(numbers) < 2 or not (numbers[0].isdigit() and numbers[1].isdigit()):
            return (0, 0)
        return int(numbers[0]), int(numbers[1])


def identify(
    engine: Engine, host: HostFacts, tool: ToolFacts, policy: Policy, prepared: str, cache: str
) -> ToolIdentity:
    """Ask the toolchain in a container without network or project, once for each version of its files."""
    key = stamp((tool.cargo, tool.rustc, os.path.realpath(tool.rustc)))
    path = os.path.join(
        cache, "toolchains", hashlib.sha256(f"{tool.cargo}\0{key}\0{host.image}".encode()).hexdigest()[:24]
    )
    with contextlib.suppress(OSError, ValueError, TypeError), open(path, encoding="utf-8") as stored:
        return ToolIdentity(**json.load(stored))
    from sandbox.run.capture import capture

    answers = []
    for command in ((tool.cargo, "-V"), (tool.rustc, "-vV")):
        plan = resolve_plan(
            host, tool, policy, command=command, roots=(), files=(), overlay="", workspace="",
            cargo_home="", prepared=prepared, offline=True,
        )  # fmt: skip
        done = capture(engine, check(plan, host.homes, prepared), lambda line: None)
        if done.status != 0:
            from sandbox.engine.bwrap_failures import Failure, explain

            words = done.err.decode("utf-8", "replace").strip()
            failure = explain(words) or Failure(
                "the container or the toolchain failed to start",
                "try it by hand: cargo-sandbox plan build prints the mounts",
            )
            raise SetupError(
                f"{command[0]} doesn't run in the container: {words[:500]}",
                wall="container" if words.startswith("bwrap: ") else "toolchain",
                why=failure.why,
                fix=failure.fix,
            )
        answers.append(done.out.decode("utf-8", "replace"))
    fields = dict(line.partition(": ")[::2] for line in answers[1].splitlines() if ": " in line)
    identity = ToolIdentity(answers[0].strip(), answers[1].splitlines()[0], fields.get("host", ""))
    store(path, json.dumps({"cargo": identity.cargo, "rustc": identity.rustc, "host": identity.host}))
    return identity


def resolve(engine: Engine, host: HostFacts, tool: ToolFacts, policy: Policy, request: Request, cache: str) -> Facts:
    """The facts of a workspace, from the store when nothing changed, else by cargo.

    Raises ResolveFailed with cargo's words already on stderr, SetupError when the lock file can't be written.
    """
    _see_that_it_is_text(request.manifest)
    name = hashlib.sha256(os.fsencode("\0".join((request.manifest, *request.platforms)))).hexdigest()[:24]
    path = os.path.join(cache, "facts", name)
    key = _facts_key(host, tool, request)
    stored = _load(path, key)
    if stored is not None:
        return stored
    with _notice(request.quiet):
        done = _run_cargo(engine, host, tool, policy, request)
    facts = Facts.from_metadata(done.out, lockfile.read(Path(request.lock_file)))
    store(path, f"{_facts_key(host, tool, request)}\n{facts.to_json()}")
    return facts


def _see_that_it_is_text(path: str) -> None:
    if not _is_text(path):
        raise WorkspaceError(f"the path {path} is not UTF-8, which cargo's metadata needs", hint="rename the directory")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _run_cargo(engine: Engine, host: HostFacts, tool: ToolFacts, policy: Policy, request: Request) -> Captured:
    """With the lock file as it is if that will do, else with a new one, as cargo would."""
    done = None
    if os.path.exists(request.lock_file):
        if not os.path.isfile(request.lock_file):  # a pipe would keep cargo waiting for ever
            raise WorkspaceError(f"{request.lock_file} is not a regular file", file=request.lock_file)
        done = _metadata(engine, host, tool, policy, request, overlay="", locked=True, silent=not request.locked)
        if done.status != 0 and request.locked:
            raise _failed(done)
    if done is None or done.status != 0:
        if request.locked:
            done = _metadata(engine, host, tool, policy, request, overlay="", locked=True, silent=False)
        else:
            done = _with_new_lock(engine, host, tool, policy, request)
        if done.status != 0:
            raise _failed(done)
    return done


def _failed(done: Captured) -> ResolveFailed:
    hint = ""
    if b"file://" in done.err:
        hint = "a repository given as file:// is not shown unless you say so: --allow-read its directory"
    stale = b"--locked was passed" in done.err
    return ResolveFailed("the dependencies could not be resolved", hint=hint, stale=stale)


@contextlib.contextmanager
def _notice(quiet: bool) -> Iterator[None]:
    """On a terminal, say what the silence is about."""
    if quiet or not os.isatty(2):
        yield
        return
    sys.stderr.write("   Resolving dependencies (cargo in a container, no crate's code)")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write("\r\x1b[K")


def _with_new_lock(engine: Engine, host: HostFacts, tool: ToolFacts, policy: Policy, request: Request) -> Captured:
    """Let cargo write a lock file into a folder of ours, and copy it to the workspace as cargo would have."""
    import shutil
    import tempfile

    _see_that_cargo_takes_it(engine, host, tool, policy, request)
    overlay = tempfile.mkdtemp(prefix="resolve-", dir=_folder(os.path.dirname(request.prepared)))
    try:
        new = os.path.join(overlay, "Cargo.lock")
        if os.path.exists(request.lock_file):
            shutil.copyfile(request.lock_file, new, follow_symlinks=False)
        done = _metadata(engine, host, tool, policy, request, overlay=overlay, locked=False, silent=False)
        if done.status == 0 and os.path.isfile(new) and not os.path.islink(new):
            _replace_lock(new, request.lock_file)
        return done
    finally:
        shutil.rmtree(overlay, ignore_errors=True)


def _see_that_cargo_takes_it(
    engine: Engine, host: HostFacts, tool: ToolFacts, policy: Policy, request: Request
) -> None:
    """Raise CommandRefused for arguments that cargo refuses, since cargo does so before it writes a lock file.

    It is asked for help on them in a container without project or network: clap complains of what is wrong first.
    """
    from sandbox.run.capture import capture

    plan = resolve_plan(
        host, tool, policy, command=request.command, roots=(), files=(), overlay="", workspace="", cargo_home="",
        prepared=request.prepared, offline=True,
    )  # fmt: skip
    done = capture(engine, check(plan, host.homes, request.prepared), lambda line: None)
    if done.status == 1 and b"try '--help'" in done.err:
        for line in done.err.splitlines():
            _show(line)
        raise CommandRefused("cargo refuses this command line")


def _replace_lock(new: str, lock_file: str) -> None:
    with open(new, "rb") as source:
        content = source.read()
    try:
        fd = os.open(lock_file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(fd, "wb") as out:
            out.truncate()
            out.write(content)
    except OSError as error:
        raise SetupError(
            f"can't write {lock_file}: {error.strerror}",
            wall="resolve",
            why="the workspace has no current lock file",
            fix="make the workspace writable once, or run cargo generate-lockfile in a copy of it",
        ) from error


def _metadata(
    engine: Engine,
    host: HostFacts,
    tool: ToolFacts,
    policy: Policy,
    request: Request,
    *,
    overlay: str,
    locked: bool,
    silent: bool,
) -> Captured:
    from sandbox.run.capture import capture

    command = [tool.cargo]
    for name in request.configs:
        command += ["--config", f"{CONFIG_FOLDER}/{name}"]
    command += ["metadata", "--format-version", "1", "--all-features", "--manifest-path", request.manifest]
    for platform in request.platforms:
        command += ["--filter-platform", platform]
    if request.quiet:
        command.append("--quiet")
    if locked:
        command.append("--locked")
    if request.offline:
        command.append("--offline")
    try:
        os.makedirs(request.cargo_home, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"cargo's home {request.cargo_home} can't be made: {error.strerror}",
            wall="resolve",
            why="cargo keeps its downloads there",
            fix="make its parent writable, or set CARGO_HOME to a directory of yours",
        ) from error
    plan = resolve_plan(
        host, tool, policy, command=tuple(command), roots=request.roots, files=request.files, overlay=overlay,
        workspace=request.workspace, cargo_home=request.cargo_home, prepared=request.prepared,
        offline=request.offline, entries=tuple(_entries(request.workspace)) if overlay else (),
        dropped=request.dropped, configs=request.configs,
    )  # fmt: skip
    shown: list[bytes] = []

    def on_line(line: bytes) -> None:
        shown.append(line)
        if not silent and not request.quiet and line.lstrip().split(b" ")[0] in _STATUS:
            _show(line)

    # The ssh agent's socket often lies in ~/.ssh or ~/.gnupg; it alone is shown, not the folder.
    trusted = (request.cargo_home, overlay, host.env.get("SSH_AUTH_SOCK", ""))
    done = capture(engine, check(plan, host.homes, request.prepared, trusted), on_line)
    if done.status != 0 and done.err.startswith(b"bwrap: "):
        from sandbox.engine.bwrap_failures import Failure, explain

        words = done.err.decode("utf-8", "replace").strip()
        failure = explain(words) or Failure(
            "bwrap could not make it", "see what bwrap says by hand: bwrap --unshare-user --ro-bind / / true"
        )
        raise SetupError(
            f"the resolve container can't be set up: {words[:500]}", wall="resolve", why=failure.why, fix=failure.fix
        )
    if done.status != 0 and not silent:
        for line in shown:
            if line.lstrip().split(b" ")[0] not in _STATUS:
                _show(line)
    return done


_STATUS = frozenset(
    b"Updating Locking Adding Downloading Downloaded Removing Upgrading Downgrading Unchanged Blocking Cloning "
    b"Fetching Fetch".split()
)


def _show(line: bytes) -> None:
    from sandbox.report.render import render_untrusted

    start = "\r\x1b[K" if os.isatty(2) else ""
    print(start + render_untrusted(line.decode("utf-8", "replace"), 4000), file=sys.stderr)


def _entries(workspace: str) -> Iterator[SystemEntry]:
    """The workspace root's entries as mounts: links stay links, the lock file is left out.

    So is what no manifest can name, since it is not UTF-8: not every engine could show it.
    """
    for entry in sorted(os.scandir(workspace), key=lambda found: found.name):
        if entry.name == "Cargo.lock" or not _is_text(entry.name):
            continue
        if entry.is_symlink():
            target = os.readlink(entry.path)
            if _is_text(target):
                yield SystemEntry(entry.name, target)
        elif entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
            yield SystemEntry(entry.name)


def _facts_key(host: HostFacts, tool: ToolFacts, request: Request) -> str:
    stamps = stamp((request.lock_file, *request.stamps)) + "".join(map(_targets, request.layout))
    text = "\0".join(
        (host.image, tool.cargo, request.workspace, request.cargo_home, request.prepared, *request.platforms, stamps)
    )
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _targets(package: str) -> str:
    """The files in which cargo finds targets that no manifest names (cargo book, "Package Layout"): a new build.rs
    changes the facts without a change of Cargo.toml."""
    found = [name for name in ("build.rs", "src/lib.rs", "src/main.rs") if os.path.exists(f"{package}/{name}")]
    for folder in ("src/bin", "examples", "tests", "benches"):
        with contextlib.suppress(OSError), os.scandir(f"{package}/{folder}") as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.name.endswith(".rs") or os.path.exists(f"{entry.path}/main.rs"):
                    found.append(f"{folder}/{entry.name}")
    return "\n".join((f"\n{package}", *found))


def stamp(paths: tuple[str, ...]) -> str:
    """Identity, size and times of files, as text; a change of any of them changes it."""
    parts = []
    for path in paths:
        try:
            state = os.stat(path)
            parts.append(f"{path}:{state.st_ino}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}")
        except OSError:
            parts.append(f"{path}:-")
    return "\n".join(parts)


def _load(path: str, key: str) -> Facts | None:
    """Stored facts if they are for this key and every fetched source that they name is still there."""
    try:
        with open(path, encoding="utf-8") as stored:
            known, _, text = stored.read().partition("\n")
    except (OSError, ValueError):
        return None
    facts = Facts.from_json(text) if known == key else None
    if facts is None or not all(os.path.exists(package.manifest_path) for package in facts.packages):
        return None
    return facts


def store(path: str, text: str) -> None:
    """Keep for the next time; a cache that can't be written only costs time."""
    with contextlib.suppress(OSError):
        folder = _folder(os.path.dirname(path))
        import tempfile

        fd, fresh = tempfile.mkstemp(dir=folder)
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(fresh, path)


def _folder(path: str) -> str:
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path
