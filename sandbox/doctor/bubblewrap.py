"""Checks of the bubblewrap engine: a container as the engine makes it was started, and looked at from inside. Pure."""

from __future__ import annotations

from sandbox.doctor.facts import NAMESPACES, Bubblewrap, Host, Kernel, Probe
from sandbox.doctor.kernel import landlock_check, notify_checks
from sandbox.doctor.model import Check, State
from sandbox.doctor.version import parse
from sandbox.engine.bwrap_failures import NO_NAMESPACE, NO_RIGHTS, explain

ENGINE = ("bubblewrap",)
_OLDEST = (0, 7)
# Which wall stands on which namespace; the others only keep things tidy.
_WALLS: dict[str, tuple[str, ...]] = {
    "net": ("network",),
    "mnt": ("secrets", "host files"),
    "pid": ("outliving the build",),
}
_ODD = "this is not as planned: see bwrap --version, and that /proc is mounted"


def checks(host: Host) -> list[Check]:
    """What bubblewrap offers here."""
    facts = host.bubblewrap
    if not facts.program:
        means, fix = "the default engine can't be used", "Debian, Ubuntu: apt install bubblewrap"
        return [Check("bubblewrap", "bubblewrap", "missing", "not installed", means, fix, ENGINE)]
    found = [_version(facts), _started(host)]
    if facts.inside is None:
        return found
    found += [_namespace(host, facts.inside, name) for name in NAMESPACES]
    found += [_capabilities(facts.inside), _limits()]
    found.append(landlock_check("bubblewrap", facts.inside, ENGINE))
    return found + notify_checks("bubblewrap", facts.inside, ENGINE)


def _version(facts: Bubblewrap) -> Check:
    version = parse(facts.version)
    state: State = "good"
    found, means, fix = facts.version, "", ""
    if version is None:
        state, found = "unseen", facts.version or "it does not tell its version"
    elif version[:2] < _OLDEST:
        state, means = "missing", "it knows no size for a memory file system"
        fix = "use bubblewrap 0.7 or newer"
    return Check("bubblewrap", "bubblewrap", state, found, means, fix, ENGINE)


def _started(host: Host) -> Check:
    title = "user namespaces"
    if host.bubblewrap.inside is not None:
        return Check("user-namespaces", title, "good", "a container was started", "", "", ENGINE)
    means, fix = _why_not(host.kernel, host.uid, host.bubblewrap.error)
    found = host.bubblewrap.error or "the container did not start"
    return Check("user-namespaces", title, "missing", found, means, fix, ENGINE)


def _why_not(kernel: Kernel, uid: int, words: str) -> tuple[str, str]:
    failure = explain(words)
    if failure not in (None, NO_NAMESPACE, NO_RIGHTS):
        return failure.why, failure.fix
    # Here the kernel's own switches tell more than bwrap does. AppArmor takes rights away, not the namespace.
    if uid and kernel.apparmor_userns and failure != NO_NAMESPACE:
        return (
            "AppArmor keeps user namespaces from programs without a profile (Ubuntu 24.04 and newer)",
            "give bwrap the AppArmor profile bwrap-userns-restrict (Ubuntu: apt install apparmor-profiles, link it "
            "from /usr/share/apparmor/extra-profiles into /etc/apparmor.d, reload AppArmor), or, for all programs: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    if uid and kernel.userns_clone == 0:
        return (
            "user namespaces are switched off for ordinary users (Debian's switch)",
            "as root: sysctl -w kernel.unprivileged_userns_clone=1",
        )
    if kernel.max_userns == 0:
        return "the limit on user namespaces is 0", "as root: sysctl -w user.max_user_namespaces=10000"
    if failure == NO_NAMESPACE:
        return failure.why, failure.fix
    return (
        "no container can be started; inside another container that is usual",
        "see what bwrap says by hand: bwrap --unshare-user --ro-bind / / true",
    )


def _namespace(host: Host, inside: Probe, name: str) -> Check:
    own, there = host.own_namespaces.get(name, ""), inside.namespaces.get(name, "")
    walls, title = _WALLS.get(name, ()), f"{name} namespace"
    if own and there and own != there:
        return Check(f"namespace-{name}", title, "good", "new", "", "", ENGINE, walls)
    found = "the host's" if own and there else "could not be read"
    if name == "cgroup":
        # The engine asks for it with --unshare-cgroup-try, since a kernel may lack it.
        means = "a build sees the names of the host's control groups"
        return Check(f"namespace-{name}", title, "note", found, means, "", ENGINE)
    state: State = "weak" if own and there else "unseen"
    return Check(f"namespace-{name}", title, state, found, "a build is not apart from the host", _ODD, ENGINE, walls)


def _capabilities(inside: Probe) -> Check:
    held = inside.capabilities | inside.bounding
    walls = ("kernel surface",)
    if held:
        means = "a build has rights beyond an ordinary user's"
        return Check("capabilities", "capabilities", "weak", f"{held:x}", means, _ODD, ENGINE, walls)
    return Check("capabilities", "capabilities", "good", "none", "", "", ENGINE, walls)


def _limits() -> Check:
    means = "memory and processes are counted, not walled in; hard limits come with Docker"
    found, title = "rlimits, and a watchdog outside", "resource limits (bubblewrap)"
    return Check("bubblewrap-limits", title, "good", found, means, "", ENGINE, ("resources",))
