"""Checks of what the kernel gives: Landlock, user notification, capabilities. Pure."""

from __future__ import annotations

from sandbox.doctor.facts import Host, Kernel, Probe
from sandbox.doctor.model import Check, State

# What an older kernel lacks: (first ABI that has it, Linux, whether a wall is weaker without, what is missing).
_LANDLOCK: tuple[tuple[int, str, bool, str], ...] = (
    (2, "5.19", False, "a unit can't rename or link between folders of its own, so some builds fail"),
    (3, "6.2", True, "a unit can empty files of other crates by truncate(2); the record and the seals show it"),
    (5, "6.10", False, "ioctl on devices is not restricted per unit (a container has the harmless ones only)"),
    (6, "6.12", False, "signals between units are stopped by the guard alone, abstract sockets are recorded only"),
)


def landlock_check(name: str, probe: Probe | None, engines: tuple[str, ...]) -> Check:
    """Landlock as the probe found it; `name` begins the id."""
    abi = 0 if probe is None else probe.landlock
    lacking = [entry for entry in _LANDLOCK if abi < entry[0]]
    weaker = [entry for entry in lacking if entry[2]]
    state: State = "good"
    found, means = f"ABI {abi}", "; ".join(entry[3] for entry in lacking)
    fix = f"use Linux {(weaker or lacking)[-1][1]} or newer" if lacking else ""
    if probe is None:
        state, found, means, fix = "unseen", "not tried", "not known if units can be kept apart", ""
    elif abi < 1:
        state, found = "missing", "none"
        means = "units can't be kept apart: every build script could change what other crates made"
        fix = "use Linux 5.13 or newer with Landlock switched on (boot parameter lsm=landlock,…)"
    elif lacking:
        state = "weak" if weaker else "note"
    return Check(
        f"{name}-landlock", f"Landlock ({name})", state, found, means, fix, engines, ("other crates' outputs",)
    )


def notify_checks(name: str, probe: Probe | None, engines: tuple[str, ...]) -> list[Check]:
    """Seccomp user notification as the probe used it."""
    state: State = "good"
    found, means, fix = "one call answered, one let through", "", ""
    broken = [] if probe is None else _broken(probe)
    if probe is None:
        state, found, means = "unseen", "not tried", "not known if anything can be recorded"
    elif broken:
        state, found, means = "missing", "; ".join(broken), "nothing can be recorded, or refused with a record"
        fix = "use Linux 5.9 or newer with seccomp filters; inside another container, allow seccomp(2) there"
    walls = ("record", "kernel surface")
    checks = [Check(f"{name}-notify", f"seccomp user notification ({name})", state, found, means, fix, engines, walls)]
    if state == "good" and probe is not None and not probe.wait_killable:
        means = "programs that interrupt their own threads by signals (Go's do) repeat their calls"
        fix = "use Linux 5.19 or newer"
        title = f"undisturbed notifications ({name})"
        checks.append(Check(f"{name}-wait-killable", title, "note", "not supported", means, fix, engines))
    if state == "good" and probe is not None and not probe.sync_wakeup:
        means, fix = "recording is several times slower", "use Linux 6.6 or newer"
        title = f"fast notifications ({name})"
        checks.append(Check(f"{name}-sync-wakeup", title, "note", "not supported", means, fix, engines))
    return checks


def _broken(probe: Probe) -> list[str]:
    """What of user notification did not do what the guard needs."""
    if not probe.new_listener:
        return [probe.why or "no filter with a listener"]
    needed = (
        (probe.sizes_fit, "the kernel's structures are not those that the guard knows"),
        (probe.answered, "a call that was answered did not get the answer"),
        (probe.continued, "a call that was let through did not go through"),
        (probe.close_range, "no close_range(2) with CLOSE_RANGE_UNSHARE"),
    )
    return [words for works, words in needed if not works]


def general_checks(host: Host) -> list[Check]:
    """The kernel itself, and what is worth knowing though it counts for no engine."""
    kernel = host.kernel
    return [
        Check("kernel", "kernel", "good", f"Linux {kernel.release}"),
        _architecture(kernel),
        _yama(kernel),
        _cgroup(kernel),
    ]


def _architecture(kernel: Kernel) -> Check:
    name, engines = "architecture", ("bubblewrap", "docker")
    if kernel.machine in ("x86_64", "aarch64"):
        return Check(name, name, "good", kernel.machine, "", "", engines, ("kernel surface",))
    means, fix = "there is no syscall filter for it", "use x86-64 or aarch64"
    return Check(name, name, "missing", kernel.machine, means, fix, engines, ("kernel surface",))


def _yama(kernel: Kernel) -> Check:
    """Inside, ptrace is refused anyway; Yama keeps your other programs from the container's processes."""
    if kernel.yama:
        return Check("yama", "Yama", "good", f"ptrace_scope {kernel.yama}")
    found = "not there" if kernel.yama is None else "ptrace_scope 0"
    means = "programs of yours outside may attach to each other, also to cargo-sandbox; a build may not"
    return Check(
        "yama", "Yama", "note", found, means, "" if kernel.yama is None else "sysctl -w kernel.yama.ptrace_scope=1"
    )


def _cgroup(kernel: Kernel) -> Check:
    if kernel.cgroup == "v2":
        return Check("cgroup", "control groups", "good", "v2")
    means = "a rootless Docker daemon can't set limits here"
    return Check("cgroup", "control groups", "note", kernel.cgroup or "none", means)
