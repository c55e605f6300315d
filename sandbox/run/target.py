"""The target dir: the one place on the host that a build may write, so it is looked at twice before it is mounted."""

from __future__ import annotations

import contextlib
import errno
import os

from sandbox.errors import SetupError
from sandbox.plan.facts import BUILDER
from sandbox.plan.secrets import is_within, secret_reason
from sandbox.run.ownership import hand_over

BUILD_FOLDER = ".cargo-sandbox"
# The system's folders. There, as in hidden folders and those for programs, a file is obeyed because of its place.
_SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/proc", "/run", "/sbin", "/srv",
    "/sys", "/usr", "/var",
)  # fmt: skip
_LAYOUT = ("deps", "build", "examples", "incremental")
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
# Word for word what cargo writes, so that a backup passes over a target dir that we made as over one of cargo's.
_TAG_FILE = _TAG + (
    b"\n# This file is a cache directory tag created by cargo.\n"
    b"# For information about cache directory tags see https://bford.info/cachedir/\n"
)


def open_target(
    path: str,
    workspace: str,
    homes: tuple[str, ...],
    cargo_home: str,
    by_user: bool,
    owner: tuple[int, int],
    create: bool = True,
) -> str:
    """The target dir's real path, made if need be (and if `create`); `owner` (user and group of the build) may write
    there then.

    Unless the user named it (`by_user`), it is the project that chose it: `target` in the workspace is good as it is;
    any other directory must be new, empty or marked by cargo as a cache (CACHEDIR.TAG), and may not lie where files are
    obeyed because of their place (`.git`, `~/.config/autostart`, `~/bin`, the system). The same holds for a symlink on
    the way that the project could have planted. Raises SetupError for anything else.
    """
    real = os.path.realpath(path)
    reason = secret_reason(real, homes)
    if reason is None and (is_within(real, cargo_home) or is_within(cargo_home, real)):
        reason = "it is part of cargo's home"
    if reason is None and real in ("/", "/usr", "/etc", "/tmp", "/var", "/home", "/opt", "/dev", "/proc", "/sys"):
        reason = "it is a system directory"
    if reason:
        raise _refuse(path, real, reason)
    inside = is_within(os.path.abspath(path), os.path.abspath(workspace))
    expected = os.path.join(os.path.realpath(workspace), os.path.relpath(path, workspace)) if inside else real
    if inside and os.path.normpath(expected) != real and not _is_cache(real):
        raise _refuse(path, real, "the project makes it a symlink to a directory that is not cargo's")
    usual = real == os.path.join(os.path.realpath(workspace), "target")
    if not by_user and not usual:
        if os.path.lexists(real) and not _is_cache(real):
            raise _refuse(path, real, "the project points it at a directory that is not cargo's")
        if _is_obeyed(real, os.path.realpath(workspace)) and not _is_marked(real):
            raise _refuse(path, real, "the project points it at a place whose files are run or obeyed")
    if not create and not os.path.lexists(real):
        return real
    try:
        if not os.path.isdir(real):
            os.makedirs(real, exist_ok=True)
            _mark(real)
    except OSError as error:
        raise _refuse(path, real, error.strerror or "it can't be created") from error
    if create:
        hand_over(real, *owner, given=(BUILDER,) if owner[0] == 0 else (0, BUILDER), skip=BUILD_FOLDER)
    if not os.access(real, os.W_OK | os.X_OK) or not writable(real, owner):
        raise _refuse(path, real, "it can't be written by this user inside the container")
    return real


def keep_away(target: str, own: tuple[str, ...]) -> None:
    """Raise SetupError when a folder of our own lies in the target dir: what says which unit is fresh, and the files
    that the plan mounts, would be in the build's reach."""
    for path in own:
        if is_within(os.path.realpath(path), target):
            raise SetupError(
                f"{path} lies in the target dir {target}",
                wall="ledger",
                why="the build may write there, and cargo-sandbox keeps its records and settings in it",
                fix="point XDG_STATE_HOME and XDG_CACHE_HOME elsewhere, or give another --target-dir",
            )


def build_dir(target: str, owner: tuple[int, int], create: bool = True, in_image: bool = False, apart: str = "") -> str:
    """Our own folder for intermediates inside the target dir (`cargo clean` removes it with the rest), made if need be
    (and if `create`).

    A build that root gives to another user has one of its own, so that engines don't disturb each other; so have builds
    in an image: cargo takes for fresh what the same compiler has built, whatever libraries were there. And so has one
    whose record can't be whole, by the name of its runtime (`apart`), so that nobody else believes what it made.
    Raises SetupError when something that is not a plain directory sits there.
    """
    other = os.geteuid() == 0 and owner[0] != 0
    own = (f"build-{owner[0]}" if other else "build") + ("-image" if in_image else "") + (f".{apart}" if apart else "")
    place = target
    fds: list[int] = []
    try:
        for name in ("", BUILD_FOLDER, own):
            place = os.path.join(place, name) if name else place
            # A program of another run may swap these for links at any time, so each is made and opened from its parent.
            if create and name:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=fds[-1])
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            fds.append(os.open(name or target, flags, dir_fd=fds[-1] if fds else None))
        if other and create:
            os.fchown(fds[-1], *owner)
    except FileNotFoundError:
        if create:
            raise
        return os.path.join(target, BUILD_FOLDER, own)
    except NotADirectoryError as error:
        raise _refuse(place, place, "it is not a plain directory") from error
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror or "it can't be made"
        raise _refuse(place, place, reason) from error
    finally:
        for fd in fds:
            os.close(fd)
    return place


def other_build_dirs(build: str) -> tuple[str, ...]:
    """Folders beside a build dir: where other builds of the same target dir keep theirs."""
    top, own = os.path.split(build)
    try:
        found = [entry.path for entry in os.scandir(top) if entry.name != own and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return ()
    return tuple(sorted(found))


def show_programs(
    build: str, target: str, profile: str, triples: tuple[str, ...], names: tuple[str, ...], owner: tuple[int, int]
) -> None:
    """Let tests find the workspace's programs beside themselves.

    Many integration tests look for `../NAME` from where they lie, which without a build dir of its own is where cargo
    puts programs. So the profile's folder in the build dir gets a link for each name to that place. An existing file is
    left as it is. No link of the build dir is followed: an earlier program of the user's could have put it there.
    New folders belong to `owner`.
    """
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    for triple in ("", *triples):
        parts = [part for part in (os.path.basename(triple).removesuffix(".json"), profile) if part]
        fds = [os.open(build, flags)]
        try:
            for part in parts:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=fds[-1])
                    os.chown(part, *owner, dir_fd=fds[-1], follow_symlinks=False)
                fds.append(os.open(part, flags, dir_fd=fds[-1]))
            for name in names:
                if name in _LAYOUT or name.startswith(".") or "/" in name:
                    continue
                wanted = os.path.relpath(os.path.join(target, *parts, name), os.path.join(build, *parts))
                with contextlib.suppress(FileExistsError):
                    os.symlink(wanted, name, dir_fd=fds[-1])
        except OSError as error:
            raise _refuse(build, build, f"{'/'.join(parts)} in it can't be used ({error.strerror})") from error
        finally:
            for fd in fds:
                os.close(fd)


def writable(path: str, owner: tuple[int, int]) -> bool:
    """Root's build has no powers inside, be it root itself or another, so others' directories are closed to it."""
    if os.geteuid() != 0:
        return True
    state, (uid, gid) = os.stat(path), owner
    return bool(state.st_uid == uid or state.st_mode & 0o002 or (state.st_gid == gid and state.st_mode & 0o020))


def _mark(path: str) -> None:
    """Cargo marks a target dir as a cache when it creates it, and only then; here we are first."""
    with contextlib.suppress(FileExistsError), open(os.path.join(path, "CACHEDIR.TAG"), "xb") as out:
        out.write(_TAG_FILE)


def _is_obeyed(path: str, workspace: str) -> bool:
    """Whether a place that the project chose is hidden, for programs, or the system's. Such names on the way to the
    workspace do not count."""
    if any(is_within(path, top) and not is_within(workspace, top) for top in _SYSTEM):
        return not is_within(path, "/var/tmp")
    own = os.path.relpath(path, os.path.commonpath((path, workspace)))
    return any(part.startswith(".") or part in ("bin", "sbin") for part in own.split("/") if part != ".")


def _is_cache(path: str) -> bool:
    """Whether a directory is empty or cargo's."""
    try:
        return not os.listdir(path) or _is_marked(path)
    except OSError:
        return False


def _is_marked(path: str) -> bool:
    try:
        fd = os.open(os.path.join(path, "CACHEDIR.TAG"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(fd, len(_TAG)) == _TAG
    finally:
        os.close(fd)


def _refuse(path: str, real: str, reason: str) -> SetupError:
    shown = path if path == real else f"{path} (really {real})"
    return SetupError(
        f"the target dir {shown} can't be used: {reason}",
        wall="host files",
        why="everything below the target dir is writable for the build",
        fix="give a directory of your own with --target-dir",
    )
