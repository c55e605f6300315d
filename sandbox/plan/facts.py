"""What the planner is told. Gathered by `sandbox.run`; everything here is plain data, so planning stays pure."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.plan.model import Limits, Stdio
from sandbox.record import record

BUILDER = 60800
"""User and group of a build that root starts in a tree of root's own, under an engine that can give it to somebody:
no system gives these ids to anybody (systemd's table of uids leaves 60578 to 61183 unused)."""


@record
class SystemEntry:
    """One entry of `/` or `/etc` that a build may see: a directory or file to bind, or a symlink to repeat."""

    path: str
    link: str = ""


@record
class RuntimeFacts:
    """An OCI runtime that the user named, as a probe in a container of its found it.

    `error` says why it ran no container; then the rest says nothing. `filters`: a syscall filter refuses what it
    shall. `no_new_privs` can be set. `notify`: user notification does all that the guard needs. `landlock` is the ABI,
    0 for none. `subreaper`: orphans can be given to another process than the first. `confined`: the container had a
    syscall filter before the guard's own. `kernel` is the release that it tells. `network`: the host's network can be
    shared with it. `why` says what failed.
    """

    name: str
    filters: bool = True
    no_new_privs: bool = True
    notify: bool = True
    landlock: int = 1
    subreaper: bool = True
    confined: bool = True
    kernel: str = ""
    network: bool = True
    why: str = ""
    error: str = ""


@record
class HostFacts:
    """The machine and the user. `homes` are all directories known as a home of the caller (real and symbolic).

    `user`, `uid` and `gid` are whose the build is: the caller's, unless the engine gives it to somebody with less
    rights; then `caller` has the caller's own two ids. With an `image` (see `Plan`) `system` is what that has, and
    `authorities` the file with the certificate authorities that this machine trusts, if there is one. `runtime` is the
    OCI runtime that was named, if one was.
    """

    home: str
    homes: tuple[str, ...]
    user: str
    uid: int
    gid: int
    env: Mapping[str, str]
    system: tuple[SystemEntry, ...]
    guard: str
    guard_digest: str
    memory_bytes: int
    state_dir: str
    caller: tuple[int, int] | None = None
    image: str = ""
    authorities: str = ""
    runtime: RuntimeFacts | None = None


@record
class ToolFacts:
    """The toolchain as paths. `root` is mounted read-only unless it is part of the system."""

    cargo: str
    rustc: str
    rustdoc: str
    clippy_driver: str
    root: str
    name: str


@record
class BuildFacts:
    """One workspace and one command line.

    `roots` are directories shown read-only (the workspace root first), `files` single files shown read-only,
    `masked` files of the workspace hidden behind an empty one, `hidden` folders in the target dir that hold other
    builds' intermediates and are hidden behind an empty one, `opened` folders of the sources that `allow_write` lets
    one package write, `scripts` the known build scripts as (crate name, absolute source path), `dylibs` whether any
    package makes a library that is loaded at run time, `owners` whose each crate's root file is, as (path, package,
    version, manifest directory), `prepared` the folder on the host that holds our generated files.
    """

    command: tuple[str, ...]
    cwd: str
    roots: tuple[str, ...]
    files: tuple[str, ...]
    masked: tuple[str, ...]
    target_dir: str
    build_dir: str
    cargo_home: str
    cargo_home_entries: tuple[str, ...]
    prepared: str
    scripts: tuple[tuple[str, str], ...] = ()
    dylibs: bool = False
    owners: tuple[tuple[str, str, str, str], ...] = ()
    inner_wrapper: str = ""
    workspace_wrapper: str = ""
    programs: bool = False
    links: tuple[tuple[str, str], ...] = ()
    extra_env: tuple[tuple[str, str], ...] = ()
    hidden: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()


@record
class Policy:
    """What the user decided, as far as it changes a plan; what is done with the findings is not part of one."""

    allow_env: tuple[str, ...] = ()
    allow_read: tuple[str, ...] = ()
    allow_dotenv: tuple[str, ...] = ()
    allow_write: tuple[tuple[str, str], ...] = ()
    limits: Limits = Limits()
    strict: bool = False
    seccomp: str = "standard"
    stdio: Stdio = Stdio()
    removed_walls: tuple[str, ...] = ()
