"""Where a run's folders lay: each root with the token that stands for it. Taken from the stored plan."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.behaviour.patterns import Scope
from sandbox.plan.mounts import GUARD, RUSTDOC, SCRATCH
from sandbox.plan.secrets import is_within
from sandbox.trace.texts import text

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store", "/gnu/store")
# What a toolchain that lies in the system itself has there of its own.
_TOOLS = ("cargo", "rustc", "rustdoc", "clippy-driver", "cargo-clippy", "rustfmt", "rust-lld")


@dataclass(frozen=True, slots=True)
class Root:
    """What stands for a folder: `token` (empty: the path itself), whose the folder is, and which patterns count."""

    token: str
    owner: str
    scope: Scope = "component"


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders of a run by path. `decoys`: files that stand in the place of secrets; `search`: the build's PATH;
    `longest`: length of the longest path. `packages` gives each package's folder its token; no two have the same one.
    """

    table: Mapping[str, Root]
    packages: Mapping[str, str] = field(default_factory=dict)
    decoys: frozenset[str] = frozenset()
    search: frozenset[str] = frozenset()
    longest: int = 0


def roots_of(plan: Mapping[str, Any], workspace: str) -> Roots:
    """The roots of a stored plan (`Plan.to_json`); `workspace` is the run header's, may be empty. Never raises for what
    a plan holds: a part that is not as expected is as if absent, and its paths then stand as they are."""
    table: dict[str, Root] = {}

    def add(path: object, root: Root) -> None:
        # The first one given to a path keeps it: the narrower meaning comes first.
        if isinstance(path, str) and path.startswith("/") and path != "/":
            table.setdefault(path.rstrip("/"), root)

    env = {str(pair[0]): pair[1] for pair in _rows(plan.get("env"), 2)}
    mounts = [mount for mount in _list(plan.get("mounts")) if isinstance(mount, dict)]
    cargo_home = env.get("CARGO_HOME")
    add(GUARD, Root("$GUARD", "guard"))
    add(RUSTDOC, Root("$GUARD_RUSTDOC", "guard"))
    add(SCRATCH, Root("$SCRATCHES", "scratch", "scratch"))
    packages = _packages(plan, workspace, cargo_home if isinstance(cargo_home, str) else "")
    for folder, token in packages.items():
        add(folder, Root(token, "dependency source"))
    for path, token in _toolchain(plan, mounts):
        add(path, Root(token, "toolchain"))
    add(plan.get("build_dir"), Root("$BUILD", "build dir"))
    add(plan.get("target_dir"), Root("$TARGET", "target dir"))
    if isinstance(cargo_home, str):
        add(f"{cargo_home}/git", Root("$CARGO_HOME/git", "cargo home", "git"))
    add(cargo_home, Root("$CARGO_HOME", "cargo home"))
    add(workspace, Root("$WORKSPACE", "workspace"))
    add(env.get("HOME"), Root("$HOME", "home"))
    add("/tmp", Root("$TMP", "scratch", "scratch"))
    for path in ("/var/tmp", "/dev/shm"):
        add(path, Root("", "scratch", "scratch"))
    for mount in mounts:
        if mount.get("why") == "system" and mount.get("kind") == "ro":
            add(mount.get("target"), Root("", "system", "system"))
    for path in _SYSTEM:
        add(path, Root("", "system", "system"))
    add("/proc", Root("", "proc", "proc"))
    add("/dev", Root("", "device", "dev"))
    decoys = frozenset(str(mount.get("target")) for mount in mounts if mount.get("why") in ("decoy", "masked"))
    search = frozenset(str(env.get("PATH", "")).split(":"))
    return Roots(table, packages, decoys, search, max(map(len, table)))


def _rows(value: Any, width: int) -> list[Sequence[Any]]:
    return [row for row in _list(value) if isinstance(row, (list, tuple)) and len(row) == width]


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _packages(plan: Mapping[str, Any], workspace: str, cargo_home: str) -> dict[str, str]:
    """Folder -> `$DEP(name@version)`. Where two folders hold the same name and version, all of them say where too."""
    found: dict[str, tuple[str, str]] = {}
    for _, name, version, folder in _rows(plan.get("owners"), 4):
        if isinstance(folder, str) and folder.startswith("/"):
            found.setdefault(folder.rstrip("/"), (text(name), text(version)))
    names = list(found.values())
    tokens = {}
    for folder, (name, version) in found.items():
        where = "" if names.count((name, version)) == 1 else " " + _place(folder, workspace, cargo_home)
        tokens[folder] = f"$DEP({name}@{version}{where})"
    return tokens


def _place(folder: str, workspace: str, cargo_home: str) -> str:
    for label, top in (("cargo-home", cargo_home), ("workspace", workspace)):
        if top and is_within(folder, top):
            return label + folder[len(top.rstrip("/")) :]
    return folder


def _toolchain(plan: Mapping[str, Any], mounts: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    command = _list(plan.get("command"))
    cargo = command[0] if command and isinstance(command[0], str) else ""
    tops = [str(mount.get("target")) for mount in mounts if mount.get("why") == "toolchain"]
    top = next((top for top in tops if is_within(cargo, top)), os.path.dirname(os.path.dirname(cargo)))
    if top not in ("", "/", "/usr", "/usr/local"):
        yield top, "$SYSROOT"
        return
    yield f"{top}/lib/rustlib", "$SYSROOT/lib/rustlib"
    for tool in _TOOLS:
        yield f"{top}/bin/{tool}", f"$SYSROOT/bin/{tool}"
