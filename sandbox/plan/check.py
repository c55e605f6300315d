"""The planner's own audit: a plan that breaks a promise of DESIGN §6 is never handed to an engine."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.errors import SetupError
from sandbox.plan.model import Mount, Plan
from sandbox.plan.secrets import is_within, secret_reason

_NEVER = ("/", "/proc", "/sys", "/dev", "/run", "/var", "/etc", "/boot", "/root", "/home", "/mnt", "/media", "/srv")


def check(plan: Plan, homes: Iterable[str], prepared: str, trusted: tuple[str, ...] = ()) -> Plan:
    """Return the plan, or raise SetupError when a mount would show a secret or let two writable places overlap.

    `prepared` is our own folder of generated files; mounts from it are decoys and settings. `trusted` are further
    sources that may pass: cargo's home and the folder for a new lock file, in the resolve container alone.
    """
    homes = tuple(homes)
    writable: list[Mount] = []
    for mount in plan.mounts:
        if mount.kind not in ("ro", "rw"):
            continue
        if is_within(mount.source, prepared) or mount.source in trusted:
            continue
        reason = secret_reason(mount.source, homes)
        if reason is None and mount.source in _NEVER:
            reason = "it holds far more than one project"
        if reason:
            raise SetupError(
                f"{mount.source} can't be shown to a build: {reason}",
                wall="host files",
                why=f"the project asks for {mount.source} ({mount.why})",
                fix="move the project into a directory of its own, or the dependency out of that place",
            )
        if mount.kind == "rw":
            writable.append(mount)
    for index, one in enumerate(writable):
        for other in writable[index + 1 :]:
            if is_within(one.target, other.target) or is_within(other.target, one.target):
                raise SetupError(
                    f"two writable places overlap: {one.target} and {other.target}",
                    wall="host files",
                    why="a build could reach one through the other",
                    fix="give --target-dir a directory of its own",
                )
        for mount in plan.mounts:
            if mount.kind == "ro" and mount.why == "sources" and is_within(mount.source, one.source):
                raise SetupError(
                    f"{one.source} is to be writable and holds the sources {mount.source}",
                    wall="host files",
                    why="the build could write to its own sources",
                    fix="give --target-dir a directory that holds no sources",
                )
    return plan
