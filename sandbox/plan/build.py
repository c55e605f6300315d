"""Facts and policy in, the build container's plan out. Pure."""

from __future__ import annotations

import os.path

from sandbox.plan import env as environment
from sandbox.plan.facts import BUILDER, BuildFacts, HostFacts, Policy, ToolFacts
from sandbox.plan.model import Plan
from sandbox.plan.mounts import GUARD, ROLES, RUSTDOC, SCRATCH, build_mounts
from sandbox.plan.runtime import Fit, fit
from sandbox.plan.seccomp import Filter
from sandbox.plan.secrets import is_within
from sandbox.trace.frames import encode_pairs

# Read by every compiler run; counted by the guard, not listed one by one.
_QUIET_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/nix/store", "/gnu/store")
_QUIET_ETC = (
    "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime",
    "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/alternatives",
)  # fmt: skip

# Cargo gives every program of a build three folders of libraries to look into, and glibc before 2.37 looks for each
# program's first library in 16 sub-folders of each that nobody fills any more (tls/haswell/avx512_1/x86_64 ...): a
# quarter of all recorded calls. An empty mask leaves these out; later versions pass over it (GNU C Library manual,
# "Hardware Capability Tunables").
_FEWER_LOOKS = "glibc.cpu.hwcap_mask=0"

_WHOLE = Fit()

# The first Landlock with which one unit can't empty another's files (truncate); the doctor calls less `degraded`.
_STRICT_LANDLOCK = 3


def build_plan(host: HostFacts, tool: ToolFacts, build: BuildFacts, policy: Policy, filter_digest: str) -> Plan:
    """The plan for one cargo command (see `Plan`). Raises SetupError for a runtime that can't hold a build."""
    env, withheld = build_environment(host, tool, build, policy)
    given = fit(host.runtime)
    return Plan(
        command=build.command,
        cwd=build.cwd,
        mounts=build_mounts(host, tool, build, policy),
        env=tuple(sorted(env.items())),
        limits=policy.limits,
        recorded=True,
        programs=build.programs,
        build_dir=build.build_dir,
        target_dir=build.target_dir,
        stdio=policy.stdio,
        quiet=quiet_prefixes(host, tool, build),
        owners=build.owners,
        scratch=shared_scratch(build),
        allow_write=policy.allow_write,
        require_landlock=(_STRICT_LANDLOCK if policy.strict else 1) if given.landlock else 0,
        seccomp_level=policy.seccomp,
        seccomp_digest=filter_digest,
        guard_digest=host.guard_digest,
        image=host.image,
        runtime=host.runtime.name if host.runtime else "",
        alone=given.alone,
        missing=given.missing,
        uid=host.uid,
        gid=host.gid,
        withheld_env=withheld,
        private_env=environment.by_hand(env, policy.allow_env),
        removed_walls=policy.removed_walls,
    )


def build_environment(
    host: HostFacts, tool: ToolFacts, build: BuildFacts, policy: Policy
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The environment of the build and the names that were withheld."""
    env, withheld = environment.select(host.env, policy.allow_env)
    env.update(build.extra_env)
    env |= {
        "HOME": host.home,
        "USER": host.user,
        "LOGNAME": host.user,
        "PATH": search_path(host, tool, build, policy),
        "CARGO_HOME": build.cargo_home,
        "CARGO_NET_OFFLINE": "true",
        "RUSTC_WRAPPER": GUARD,
        "RUSTDOC": RUSTDOC,
        "TMPDIR": "/tmp",
    }
    env.setdefault("GLIBC_TUNABLES", _FEWER_LOOKS)
    if build.workspace_wrapper:
        env["RUSTC_WORKSPACE_WRAPPER"] = build.workspace_wrapper
    set_here = ("HOME", "USER", "LOGNAME", "PATH", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_", "CARGO_HOME")
    return env, tuple(name for name in withheld if name not in env and name not in set_here)


def search_path(host: HostFacts, tool: ToolFacts, build: BuildFacts, policy: Policy) -> str:
    """PATH inside: the toolchain first, then the caller's directories that exist inside, then the system's."""
    shown = [entry.path for entry in host.system] + [tool.root, *policy.allow_read]
    if "bin" in build.cargo_home_entries:
        shown.append(f"{build.cargo_home}/bin")
    wanted = [os.path.dirname(tool.cargo)]
    wanted += [part for part in host.env.get("PATH", "").split(":") if part.startswith("/")]
    wanted += ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    kept: list[str] = []
    for part in wanted:
        path = os.path.normpath(part)
        if path not in kept and any(is_within(path, top) for top in shown):
            kept.append(path)
    return ":".join(kept)


def quiet_prefixes(host: HostFacts, tool: ToolFacts, build: BuildFacts) -> tuple[tuple[str, str], ...]:
    """(role, prefix) pairs: reads below the prefix are counted instead of listed (DESIGN §7 "Quiet the noise")."""
    everyone = [*_QUIET_SYSTEM, *_QUIET_ETC, tool.root]
    compilers = [f"{build.cargo_home}/registry", f"{build.cargo_home}/git", build.build_dir, build.target_dir]
    compilers += build.roots
    pairs = [("*", prefix) for prefix in everyone]
    pairs += [(role, prefix) for role in ("rustc", "rustdoc", "probe") for prefix in compilers]
    return tuple(pairs)


def shared_scratch(build: BuildFacts) -> str:
    """`/tmp`, unless the target dir or opened sources lie below it: a rule that opens one to every unit would open the
    other too."""
    return "" if any(is_within(path, "/tmp") for path in (build.target_dir, *build.opened)) else "/tmp"


def guard_settings(plan: Plan, calls: Filter) -> list[tuple[str, bytes]]:
    """The guard's configuration frame for a plan (key, value), in the order the guard reads it."""

    def raw(text: str) -> bytes:
        return os.fsencode(text)

    pairs: list[tuple[str, bytes]] = [("arg", raw(arg)) for arg in plan.command]
    pairs += [("env", raw(f"{name}={value}")) for name, value in plan.env]
    limits = plan.limits
    pairs += [
        ("cwd", raw(plan.cwd)),
        ("filter", calls.program.hex().encode()),
        ("rlimit", f"nofile={limits.open_files}:{limits.open_files}".encode()),
        ("rlimit", b"core=0:0"),
        ("stdin", plan.stdio.stdin.encode()),
        ("stdout", plan.stdio.stdout.encode()),
        ("stderr", plan.stdio.stderr.encode()),
        ("winsize", f"{plan.stdio.rows},{plan.stdio.columns}".encode()),
        ("programs", b"1" if plan.programs else b"0"),
        ("build_dir", raw(plan.build_dir)),
        ("target_dir", raw(plan.target_dir)),
        ("tmp", raw(plan.scratch)),
        ("scratch", raw(SCRATCH)),
        ("require_landlock", str(plan.require_landlock).encode()),
        ("alone", b"1" if plan.alone else b"0"),
    ]
    if limits.file_bytes:
        pairs.append(("rlimit", f"fsize={limits.file_bytes}:{limits.file_bytes}".encode()))
    # All builds of root's under Docker share that user, and the kernel counts per user; a control group limits each.
    if limits.processes and plan.uid != BUILDER:
        pairs.append(("rlimit", f"nproc={limits.most_processes()}:{limits.most_processes()}".encode()))
    pairs += [("quiet", raw(f"{role}\t{prefix}")) for role, prefix in plan.quiet]
    pairs += [("loud", raw(mount.target)) for mount in plan.mounts if mount.why in ("decoy", "masked")]
    pairs += [("package", raw("\t".join(owner))) for owner in plan.owners]
    pairs += [("write", raw(f"{package}\t{path}")) for package, path in plan.allow_write]
    pairs += [("refuse", f"{number}={error}".encode()) for number, error in calls.refused]
    pairs += [("break", raw(name)) for name in plan.removed_walls]
    return pairs


def role_settings(build: BuildFacts, tool: ToolFacts, policy: Policy, given: Fit = _WHOLE) -> bytes:
    """Content of the file that the guard's rustc, rustdoc and script roles read (same NUL-separated form)."""
    pairs: list[tuple[str, str]] = [("script", f"{crate}\t{source}") for crate, source in build.scripts]
    pairs += [("inner_wrapper", build.inner_wrapper), ("rustdoc", tool.rustdoc)]
    pairs += [("tmp", shared_scratch(build)), ("scratch", SCRATCH)]
    pairs += [("unsearched", top) for top in ((build.build_dir, build.target_dir) if not build.dylibs else ())]
    pairs += [("package", "\t".join(owner)) for owner in build.owners]
    pairs += [("write", f"{package}\t{path}") for package, path in policy.allow_write]
    pairs += [("alone", "1")] if given.alone else []
    pairs += [] if given.landlock else [("landlock", "0")]
    pairs += [] if given.subreaper else [("subreaper", "0")]
    pairs += [("break", name) for name in policy.removed_walls]
    return encode_pairs([(key, os.fsencode(value)) for key, value in pairs])


__all__ = ["ROLES", "build_plan", "guard_settings", "role_settings"]
