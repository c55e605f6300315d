"""Checks of the Docker engine, from what the daemon says of itself. Pure."""

from __future__ import annotations

from dataclasses import replace

from sandbox.doctor.facts import Docker, Host, Probe
from sandbox.doctor.kernel import landlock_check, notify_checks
from sandbox.doctor.model import Check
from sandbox.doctor.version import parse
from sandbox.plan.facts import RuntimeFacts

ENGINE = ("docker",)
STRONG = ("runsc", "gvisor", "kata", "io.containerd.runsc", "io.containerd.kata", "krun")
"""Beginnings of the names of runtimes that put a kernel of their own between a build and ours."""


def is_strong(runtime: str) -> bool:
    """Whether a runtime, by its name, is gVisor or a virtual machine."""
    return runtime.startswith(STRONG)


def strong_runtimes(facts: Docker) -> tuple[str, ...]:
    """The daemon's runtimes that are."""
    return tuple(sorted(name for name in facts.runtimes if is_strong(name)))


def checks(host: Host) -> list[Check]:
    """What the daemon offers."""
    facts = host.docker
    if facts.error:
        means = "the Docker engine can't be used"
        return [Check("docker", "Docker daemon", "missing", facts.error, means, facts.remedy, ENGINE)]
    found = [Check("docker", "Docker daemon", "good", f"{facts.version} (API {facts.api})", "", "", ENGINE)]
    found += [_place(facts), _seccomp(facts), _userns(facts), _limits(facts), _read_only(facts), _runtime(facts)]
    if _is_slow(facts):
        found.append(_slow_storage(facts))
    # Another kernel (a virtual machine's) is nothing that our probe has seen.
    probe = host.kernel.bare if facts.kernel == host.kernel.release else None
    found.append(landlock_check("docker", probe, ENGINE))
    return found + notify_checks("docker", probe, ENGINE)


def landlock_of(runtime: RuntimeFacts) -> Check:
    """Landlock in a runtime that was tried; that there is none is for the plan to say."""
    found = landlock_check("docker", Probe(landlock=max(runtime.landlock, 1)), ENGINE)
    return found if runtime.landlock else replace(found, state="note")


def _place(facts: Docker) -> Check:
    walls = ("network", "secrets", "host files", "outliving the build")
    return Check("docker-place", "daemon's place", "good", f"on this host ({facts.socket})", "", "", ENGINE, walls)


def _seccomp(facts: Docker) -> Check:
    title, walls = "syscall filter of the daemon", ("kernel surface",)
    if any(option.startswith("name=seccomp") for option in facts.security):
        means = "Docker's default profile is never used"
        return Check("docker-seccomp", title, "good", "takes ours", means, "", ENGINE, walls)
    means = "only the guard's own filter stands between a build and the kernel"
    return Check("docker-seccomp", title, "weak", "none", means, "use a daemon with seccomp", ENGINE, walls)


def _userns(facts: Docker) -> Check:
    title = "daemon's rights"
    if "name=rootless" in facts.security:
        return Check("docker-userns", title, "good", "rootless", "", "", ENGINE)
    if "name=userns" in facts.security:
        found = "root, a container's users are mapped away, but not those of our builds"
        means = "your files lie outside of the mapping; a build is an ordinary user all the same"
        return Check("docker-userns", title, "note", found, means, "rootless Docker", ENGINE)
    means = "a bug in runc or the kernel is worth more to an attacker; a build is an ordinary user all the same"
    fix = "rootless Docker"
    return Check("docker-userns", title, "note", "root, a container's users are the host's", means, fix, ENGINE)


def _limits(facts: Docker) -> Check:
    title, walls = "resource limits (docker)", ("resources",)
    lacking = [name for name in ("memory", "swap", "pids") if name not in facts.limits]
    if lacking:
        found, means = "no limit on " + ", ".join(lacking), "rlimits and the watchdog are left"
        fix = "switch these control groups on (boot parameters cgroup_enable=memory swapaccount=1)"
        return Check("docker-limits", title, "weak", found, means, fix, ENGINE, walls)
    found = f"memory, swap, pids (cgroup v{facts.cgroup})"
    return Check("docker-limits", title, "good", found, "", "", ENGINE, walls)


def _read_only(facts: Docker) -> Check:
    version = parse(facts.api)
    if version is not None and version[:2] >= (1, 44):
        return Check("docker-read-only", "read-only mounts", "good", "recursive", "", "", ENGINE)
    means = "what is mounted below a shown directory is not shown to a build"
    return Check("docker-read-only", "read-only mounts", "note", "not recursive before API 1.44", means, "", ENGINE)


def _runtime(facts: Docker) -> Check:
    strong = strong_runtimes(facts)
    names = ", ".join(sorted(facts.runtimes)) or "none named"
    found, means = f"{facts.default_runtime or 'unknown'} (of {names})", ""
    if strong:
        means = f"{', '.join(strong)}: a kernel of its own between a build and this one, if it is what its name says"
    return Check("docker-runtime", "runtimes", "good", found, means, "", ENGINE)


def _is_slow(facts: Docker) -> bool:
    return facts.storage.startswith("fuse")


def _slow_storage(facts: Docker) -> Check:
    """A container's root is in a FUSE file system, whose process the kernel asks for the ACL of `/` at each look-up of
    a path by anybody but root (measured: Linux 6.18, fuse-overlayfs 1.10; 4,000 questions a second of a cold build)."""
    means = "each path that a build looks up asks another process first: builds take a third longer and more"
    fix = "a daemon with the storage driver overlay2 (daemon.json, storage-driver)"
    return Check("docker-storage", "storage driver", "note", facts.storage, means, fix, ENGINE)
