"""The file tree of the build container. Order matters: a mount hides what an earlier one put below its target."""

from __future__ import annotations

import os.path

from sandbox.plan.facts import BuildFacts, HostFacts, Policy, ToolFacts
from sandbox.plan.model import Limits, Mount
from sandbox.plan.secrets import DECOYS, is_within

GUARD = "/run/cargo-sandbox/guard"
RUSTDOC = "/run/cargo-sandbox/rustdoc"
ROLES = "/run/cargo-sandbox/roles"
SCRATCH = "/run/cargo-sandbox/scratch"
_HOME_BYTES = 1 << 30
_NOTHING = 4096


def base(host: HostFacts, limits: Limits, prepared: str) -> list[Mount]:
    """What every container has: the system read-only, fresh /proc, /dev, /tmp and home, nothing of the user's."""
    mounts = [
        Mount("symlink", entry.path, entry.link, why="system")
        if entry.link
        else Mount("ro", entry.path, entry.path, why="system")
        for entry in host.system
        if not host.image
    ]
    mounts += [
        Mount("ro", f"/etc/{name}", f"{prepared}/etc/{name}", why="made for the build")
        for name in ("passwd", "group", "hosts", "nsswitch.conf", "resolv.conf")
    ]
    mounts += [
        Mount("proc", "/proc"),
        Mount("dev", "/dev"),
        Mount("tmpfs", "/dev/shm", size=tmp_bytes(host, limits), mode=0o1777, why="shared memory"),
        Mount("tmpfs", "/tmp", size=tmp_bytes(host, limits), mode=0o1777, why="scratch"),
        Mount("tmpfs", "/var/tmp", size=tmp_bytes(host, limits), mode=0o1777, why="scratch"),
        Mount("tmpfs", "/run", size=16 << 20),
        Mount("tmpfs", host.home, size=_HOME_BYTES, mode=0o700, why="fresh home"),
    ]
    return mounts


def tmp_bytes(host: HostFacts, limits: Limits) -> int:
    """Size of the scratch file systems: as the limits say, else a quarter of memory but at least 1 GiB."""
    return limits.tmp_bytes or max(host.memory_bytes // 4, 1 << 30)


def build_mounts(host: HostFacts, tool: ToolFacts, build: BuildFacts, policy: Policy) -> tuple[Mount, ...]:
    """The build container's mounts, parents before children."""
    mounts = base(host, policy.limits, build.prepared)
    shown = outermost(build.roots + policy.allow_read)
    if not is_within(build.cargo_home, host.home) or any(is_within(build.cargo_home, top) for top in shown):
        mounts.append(Mount("tmpfs", build.cargo_home, size=_HOME_BYTES, mode=0o700, why="fresh cargo home"))
    for name in build.cargo_home_entries:
        source = f"{build.cargo_home}/{name}"
        if name.startswith("config"):
            source = f"{build.prepared}/cargo-home/{name}"
        mounts.append(Mount("ro", f"{build.cargo_home}/{name}", source, why="cargo home"))
    mounts += [
        Mount("ro", f"{host.home}/{path}", f"{build.prepared}/decoys/{path}", mode=0o600, why="decoy")
        for path, _ in DECOYS
        if not _shown(f"{host.home}/{path}", build)
    ]
    if build.cargo_home != f"{host.home}/.cargo":
        decoy = f"{build.prepared}/decoys/.cargo/credentials.toml"
        mounts.append(Mount("ro", f"{build.cargo_home}/credentials.toml", decoy, mode=0o600, why="decoy"))
    if not host.image and not in_system(tool.root, host):
        mounts.append(Mount("ro", tool.root, tool.root, why="toolchain"))
    seen = {mount.target for mount in mounts}
    mounts += [
        Mount("ro", path, path, why="sources") for path in shown if path != tool.root and not in_system(path, host)
    ]
    mounts += [
        Mount("ro", path, path, why="cargo reads it")
        for path in build.files
        if path not in seen and not any(is_within(path, top) for top in shown)
    ]
    mounts += [Mount("symlink", link, target, why="path as written") for link, target in build.links]
    mounts.append(Mount("rw", build.target_dir, build.target_dir, why="target dir, with the build dir in it"))
    mounts += [Mount("rw", path, path, why="sources that one package may write") for path in build.opened]
    mounts += [
        Mount("ro", path, f"{build.prepared}/empty", why="masked")
        for path in build.masked
        if os.path.basename(path) not in policy.allow_dotenv and not is_within(path, build.target_dir)
    ]
    mounts += [Mount("tmpfs", path, size=_NOTHING, mode=0o555, why="another build's, hidden") for path in build.hidden]
    mounts += [
        Mount("tmpfs", SCRATCH, size=tmp_bytes(host, policy.limits), mode=0o1777, why="each unit's own scratch"),
        Mount("ro", GUARD, host.guard, why="guard"),
        Mount("ro", RUSTDOC, host.guard, why="guard"),
        Mount("ro", ROLES, f"{build.prepared}/roles", why="guard's settings"),
    ]
    # Cargo's home may lie in the workspace (usual in CI), where the sources' mount must not bring it back to light.
    return tuple(sorted(mounts, key=lambda mount: mount.target.rstrip("/").count("/")))


def in_system(path: str, host: HostFacts) -> bool:
    """Whether a path of the host is visible already because it is part of the system directories."""
    return not host.image and any(not entry.link and is_within(path, entry.path) for entry in host.system)


def outermost(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Paths without those that lie below another of them, in the given order."""
    kept: list[str] = []
    for path in paths:
        if path not in kept and not any(other != path and is_within(path, other) for other in paths):
            kept.append(path)
    return tuple(kept)


def _shown(path: str, build: BuildFacts) -> bool:
    """Whether a decoy's place is taken by something the build must see (a workspace kept in a dot directory)."""
    return any(is_within(path, root) for root in build.roots)
