"""What a container is made of. A plan is data: it can be printed, hashed and compared before anything runs."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from sandbox.record import record

PRIVATE = "(not shown)"
"""What stands in the place of a value that the user let pass by hand."""

MountKind = Literal["ro", "rw", "tmpfs", "proc", "dev", "symlink", "dir"]


@record
class Mount:
    """One entry of the container's file tree.

    `kind`: `ro`/`rw` bind `source` (a host path) at `target`; `tmpfs` is an empty writable memory file system of at
    most `size` bytes (0 = the kernel's default, half of memory); `symlink` makes `target` point to `source`;
    `dir` is an empty directory. `why` is shown by `cargo-sandbox plan`.
    """

    kind: MountKind
    target: str
    source: str = ""
    size: int = 0
    mode: int = 0o755
    why: str = ""

    def describe(self) -> str:
        """One line for a person."""
        origin = f" <- {self.source}" if self.source and self.source != self.target else ""
        why = f"  ({self.why})" if self.why else ""
        return f"{self.kind:<7} {self.target}{origin}{why}"


@record
class Limits:
    """Resource limits of one run. Bytes, seconds and counts; 0 means no limit of ours. `cpus` are processors' worth of
    time in each moment, a part of one too; only a control group can hold a build to it."""

    wall_s: float = 6 * 3600.0
    memory_bytes: int = 0
    processes: int = 4096
    free_disk_bytes: int = 512 << 20
    file_bytes: int = 64 << 30
    open_files: int = 8192
    tmp_bytes: int = 0
    cpus: float = 0.0

    def most_processes(self) -> int:
        """Where the kernel says no. A little above `processes`, so that the watchdog sees it broken and says so."""
        return self.processes and self.processes + self.processes // 4 + 64

    def describe(self) -> list[str]:
        """One line a limit."""
        return [f"{name} = {value}" for name, value in vars(self).items()]


@record
class Stdio:
    """How the build's three standard streams are made: `null`, `pipe` or `tty`."""

    stdin: str = "null"
    stdout: str = "pipe"
    stderr: str = "pipe"
    rows: int = 24
    columns: int = 80


@record
class Plan:
    """One container.

    `command` is what runs in it (`command[0]` is an absolute path inside). With `recorded`, the guard is the first
    process and starts the command under the syscall filter; without, the command itself is (the resolve step, which
    runs cargo alone and no code of any crate). `network` keeps the host's network namespace. `owners` charges each
    crate's root source file to its package; `scratch` is the bare scratch folder that all units share, empty when the
    target dir lies in it (a rule for one would then open the other). `private_env` names the variables whose values
    stand neither in `describe` nor in `to_json` (so `digest` does not tell them apart). `uid` and `gid` are, as seen
    from outside, whose files the command can use. `image` is the digest of an image with the system and the toolchain;
    without one they are the host's own, among the mounts. `runtime` is the OCI runtime, empty for the engine's own. In
    one where the guard can't be asked (`alone`) it is the first process all the same, its filter decides by itself, and
    nothing is recorded; `missing` says what a run there lacks, so that its record is never whole.
    """

    command: tuple[str, ...]
    cwd: str
    mounts: tuple[Mount, ...]
    env: tuple[tuple[str, str], ...]
    limits: Limits
    recorded: bool
    network: bool = False
    programs: bool = False
    build_dir: str = ""
    target_dir: str = ""
    stdio: Stdio = Stdio()
    quiet: tuple[tuple[str, str], ...] = ()
    owners: tuple[tuple[str, str, str, str], ...] = ()
    scratch: str = ""
    allow_write: tuple[tuple[str, str], ...] = ()
    require_landlock: int = 1
    seccomp_level: str = "standard"
    seccomp_digest: str = ""
    guard_digest: str = ""
    image: str = ""
    runtime: str = ""
    alone: bool = False
    missing: tuple[str, ...] = ()
    uid: int = 0
    gid: int = 0
    withheld_env: tuple[str, ...] = ()
    private_env: tuple[str, ...] = ()
    dropped_config: tuple[str, ...] = ()
    removed_walls: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """Folders of the host that the build may write to: the target dir, and sources opened to a package."""
        return tuple(mount.source for mount in self.mounts if mount.kind == "rw")

    def to_json(self) -> dict[str, object]:
        """A JSON-ready form. Values of the environment are part of it, since the allow-list admits no secret; what the
        user let pass by hand may be one and is only named."""
        mounts = [dict(vars(mount)) for mount in self.mounts]
        parts = {"mounts": mounts, "limits": dict(vars(self.limits)), "stdio": dict(vars(self.stdio))}
        return vars(self) | parts | {"env": self._shown_env()}

    def _recorded(self) -> str:
        if not self.recorded:
            return "no"
        return f"{'no, but ' if self.alone else 'yes, '}guard {self.guard_digest[:19]}"

    def _shown_env(self) -> list[tuple[str, str]]:
        return [(name, PRIVATE if name in self.private_env else value) for name, value in self.env]

    def digest(self) -> str:
        """SHA-256 over the canonical JSON form; equal plans have equal digests."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def describe(self) -> list[str]:
        """The whole plan in lines for a person. A path or key in it may hold anything, line breaks too: print each
        line through `sandbox.report.render`."""
        lines = [
            f"plan {self.digest()[:23]}",
            f"  command   {' '.join(self.command)}",
            f"  directory {self.cwd}",
            f"  user      {self.uid}:{self.gid}",
            f"  network   {'host (resolve: cargo only, no crate code)' if self.network else 'none, loopback only'}",
            f"  recorded  {self._recorded()}",
            f"  seccomp   {self.seccomp_digest[:19] + ' ' + self.seccomp_level if self.seccomp_digest else 'none'}",
            f"  landlock  ABI >= {self.require_landlock}, per rustc and per build script"
            if self.recorded and self.require_landlock
            else "  landlock  none",
        ]
        if self.runtime:
            lines.append(f"  runtime   {self.runtime}")
        lines += [f"  missing   {words}" for words in self.missing]
        if self.image:
            lines.append(f"  image     {self.image}")
        lines += ["  limits"] + [f"    {line}" for line in self.limits.describe()]
        lines += ["  mounts"] + [f"    {mount.describe()}" for mount in self.mounts]
        lines += ["  environment"] + [f"    {name}={value}" for name, value in self._shown_env()]
        if self.withheld_env:
            lines += ["  environment withheld", "    " + " ".join(self.withheld_env)]
        if self.dropped_config:
            lines += ["  project configuration not shown to resolve", "    " + " ".join(self.dropped_config)]
        for package, path in self.allow_write:
            lines.append(f"  allowed write  {package}: {path}")
        if self.removed_walls:
            lines.append("  WALLS REMOVED FOR A TEST: " + " ".join(self.removed_walls))
        return lines
