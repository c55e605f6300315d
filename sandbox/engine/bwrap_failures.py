"""Why bwrap could not make a container, by its last words, and what to do about it. Pure.

The words are bubblewrap's own (bubblewrap.c, 0.8). All but AppArmor's were brought about on Linux 6.18, in containers
of Docker 20.10 and with mounts over parts of /proc, and the remedy was seen to help; Podman's stands in podman-run(1).
"""

from __future__ import annotations

from sandbox.record import record

HINT = (
    "install it (Debian, Ubuntu: apt install bubblewrap); where unprivileged user namespaces are restricted "
    "(Ubuntu 24.04), allow bwrap by its AppArmor profile bwrap-userns-restrict or run as root"
)
"""What to do where bwrap is not installed, or fails with words that are not known here."""

_OPEN = "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"


@record
class Failure:
    """`why` says what is in the way, `fix` what to do."""

    why: str
    fix: str


_UNMOUNTABLE = Failure(
    "something lies over parts of /proc here, as in a container, and then the kernel gives a user namespace no /proc "
    "of its own",
    "in a container of Docker's, start that one with --security-opt systempaths=unconfined, in one of Podman's with "
    "--security-opt unmask=ALL; elsewhere unmount what is there: grep ' /proc/' /proc/self/mountinfo",
)
NO_NAMESPACE = Failure(
    "the kernel allows you no user namespace, or the syscall filter of a container around us does not",
    f"in a container of Docker's, start that one with {_OPEN}, where there is AppArmor also --security-opt "
    "apparmor=unconfined; on Debian before 11: sysctl -w kernel.unprivileged_userns_clone=1",
)
_NO_MORE = Failure(
    "the limit on namespaces is reached, or there may be none",
    "as root: sysctl -w user.max_user_namespaces=10000 (see also the others: sysctl -a | grep namespaces)",
)
NO_RIGHTS = Failure(
    "AppArmor takes the rights of a user namespace from programs without a profile (Ubuntu 24.04 and newer)",
    "allow bwrap by its AppArmor profile bwrap-userns-restrict, or run as root; in a container of Docker's, start that "
    "one with --security-opt apparmor=unconfined",
)
_NO_PIVOT = Failure(
    "the syscall filter, or AppArmor, of a container around us forbids pivot_root",
    f"start that container with {_OPEN}, where there is AppArmor also --security-opt apparmor=unconfined",
)
_KNOWN = (
    ("Can't mount proc on ", _UNMOUNTABLE),
    # Up to 0.4 it said "creating".
    ("No permissions to creat", NO_NAMESPACE),
    ("Creating new namespace failed: nesting depth", _NO_MORE),
    ("setting up uid map: Permission denied", NO_RIGHTS),
    ("loopback: Failed RTM_NEWADDR", NO_RIGHTS),
    ("pivot_root: ", _NO_PIVOT),
)


def explain(words: str) -> Failure | None:
    """What bwrap's `words` mean; None for words that are not known, or not bwrap's."""
    for line in words.splitlines():
        if line.startswith("bwrap: "):
            said = line.removeprefix("bwrap: ")
            return next((failure for text, failure in _KNOWN if said.startswith(text)), None)
    return None
