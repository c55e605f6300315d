"""What the doctor is told about a host. Plain data, gathered by `sandbox.doctor.look` and its kin; JSON-ready."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.plan.facts import RuntimeFacts

NAMESPACES = ("user", "net", "pid", "mnt", "ipc", "uts", "cgroup")


@dataclass(frozen=True, slots=True)
class Probe:
    """What `guard probe` found where it ran.

    `landlock`: the kernel's ABI, 0 for none. The rest of the features was really used: `new_listener` a filter with
    user notification, `answered` a call answered by the listener, `continued` one that it let through, `wait_killable`
    (Linux 5.19) and `sync_wakeup` (Linux 6.6) are kinder and faster ways of both, `close_range` what keeps the listener
    from the build (Linux 5.9). `filter` is one that refuses by itself, without a listener. `subreaper`: orphans can be
    given to another process than init. `confined`: a syscall filter was there before. `capabilities` and `bounding` are
    the sets as numbers, `namespaces` the links of /proc/self/ns by name, `kernel` the release, `interfaces` the names
    of the network's, `why` what failed.
    """

    landlock: int = 0
    sizes_fit: bool = False
    new_listener: bool = False
    answered: bool = False
    continued: bool = False
    wait_killable: bool = False
    sync_wakeup: bool = False
    close_range: bool = False
    capabilities: int = 0
    bounding: int = 0
    namespaces: dict[str, str] = field(default_factory=dict)
    why: str = ""
    filter: bool = False
    no_new_privs: bool = False
    confined: bool = False
    subreaper: bool = False
    kernel: str = ""
    interfaces: tuple[str, ...] = ()

    @property
    def notifies(self) -> bool:
        """Whether user notification does all that the guard needs."""
        return self.sizes_fit and self.new_listener and self.answered and self.continued and self.close_range


@dataclass(frozen=True, slots=True)
class Kernel:
    """The running kernel. `bare` is the probe outside any container; `None` stands for a file that is not there.

    `yama`, `userns_clone` (Debian's), `apparmor_userns` (Ubuntu's) and `max_userns` are sysctl values; `cgroup` is
    `v1`, `v2`, `hybrid` or empty.
    """

    release: str
    machine: str
    bare: Probe | None = None
    bare_error: str = ""
    yama: int | None = None
    userns_clone: int | None = None
    apparmor_userns: int | None = None
    max_userns: int | None = None
    cgroup: str = ""


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """`program` is empty when there is none; `inside` is the probe in a container of ours, None when that failed."""

    program: str = ""
    version: str = ""
    inside: Probe | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Docker:
    """A daemon's own words. `error` is not empty when it can't be used, and `remedy` says what to do then.

    `security` are `docker info`'s SecurityOptions, `limits` those of memory, swap and pids that it can set,
    `storage` is the driver that keeps its containers' files.
    """

    socket: str = ""
    error: str = ""
    remedy: str = ""
    version: str = ""
    api: str = ""
    runc: str = ""
    containerd: str = ""
    libseccomp: str = ""
    kernel: str = ""
    cgroup: str = ""
    security: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    default_runtime: str = ""
    storage: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that may be used. `path` is empty when it was not found, `version` when it was not asked."""

    name: str
    path: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """Everything. `free_bytes` and `free_inodes` (0: the file system counts none) are those of the state dir's disk.
    `runtime` is the OCI runtime that the user named, if one was named."""

    kernel: Kernel
    bubblewrap: Bubblewrap = Bubblewrap()
    docker: Docker = Docker(error="not looked for")
    programs: tuple[Program, ...] = ()
    python: str = ""
    uid: int = 1000
    own_namespaces: dict[str, str] = field(default_factory=dict)
    state_dir: str = ""
    free_bytes: int = 0
    free_inodes: int = 0
    removed_walls: tuple[str, ...] = ()
    runtime: RuntimeFacts | None = None
