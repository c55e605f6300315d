"""The resolve container: cargo alone, with network, reading manifests; no code of any crate or of the tree runs.

Cargo finds its configuration by working directory, so the directory is `/`; the tree's own configuration reaches it
only as the safe subset in a file of ours (`sandbox.cargo.subset`). What an environment variable can switch off is
switched off as well.
"""

from __future__ import annotations

from sandbox.plan.facts import HostFacts, Policy, SystemEntry, ToolFacts
from sandbox.plan.model import Limits, Mount, Plan
from sandbox.plan.mounts import base, in_system, outermost
from sandbox.plan.runtime import resolve_runtime
from sandbox.plan.secrets import is_within

CONFIG_FOLDER = "/run/cargo-sandbox"
_AUTHORITIES = f"{CONFIG_FOLDER}/authorities.pem"
_NETWORK_ENV = (
    "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "ALL_PROXY", "all_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "SSH_AUTH_SOCK",
)  # fmt: skip
_CARGO_ENV = ("CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRY_", "CARGO_REGISTRIES_", "CARGO_SOURCE_")


def resolve_plan(
    host: HostFacts,
    tool: ToolFacts,
    policy: Policy,
    *,
    command: tuple[str, ...],
    roots: tuple[str, ...],
    files: tuple[str, ...],
    overlay: str,
    workspace: str,
    cargo_home: str,
    prepared: str,
    offline: bool,
    entries: tuple[SystemEntry, ...] = (),
    dropped: tuple[str, ...] = (),
    configs: tuple[str, ...] = (),
) -> Plan:
    """The plan that runs one cargo command to resolve and fetch.

    With `overlay` (a folder of ours) a lock file may be written: the workspace root becomes that folder, with each of
    the root's `entries` bound read-only into it, so cargo's `Cargo.lock` lands in our folder and nowhere else.
    `configs` are files of the prepared folder that cargo gets with `--config`; `dropped` what they leave out.
    """
    env = {name: value for name, value in host.env.items() if name in _NETWORK_ENV or name.startswith(_CARGO_ENV)}
    env |= {
        "HOME": host.home,
        "USER": host.user,
        "PATH": f"{tool.cargo.rpartition('/')[0]}:/usr/local/bin:/usr/bin:/bin",
        "CARGO_HOME": cargo_home,
        "RUSTC": tool.rustc,
        "RUSTC_WRAPPER": "",
        "RUSTC_WORKSPACE_WRAPPER": "",
        "CARGO_TERM_PROGRESS_WHEN": "never",
        "GIT_TERMINAL_PROMPT": "0",
        "LANG": "C.UTF-8",
    }
    if host.authorities and not offline:
        given = [name for name in ("CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO") if name in env]
        env |= dict.fromkeys(("SSL_CERT_FILE", *given), _AUTHORITIES)
    uid, gid = host.caller or (host.uid, host.gid)
    return Plan(
        command=command,
        cwd="/",
        mounts=_mounts(
            host, tool, roots, files, overlay, workspace, entries, cargo_home, prepared, offline, policy, configs
        ),
        env=tuple(sorted(env.items())),
        limits=Limits(wall_s=policy.limits.wall_s),
        recorded=False,
        network=not offline,
        image=host.image,
        runtime=resolve_runtime(host.runtime, not offline),
        uid=uid,
        gid=gid,
        dropped_config=dropped,
    )


def _mounts(
    host: HostFacts,
    tool: ToolFacts,
    roots: tuple[str, ...],
    files: tuple[str, ...],
    overlay: str,
    workspace: str,
    entries: tuple[SystemEntry, ...],
    cargo_home: str,
    prepared: str,
    offline: bool,
    policy: Policy,
    configs: tuple[str, ...],
) -> tuple[Mount, ...]:
    generated = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf")
    mounts = [m for m in base(host, policy.limits, prepared) if offline or m.target not in generated]
    if not offline:
        mounts += [Mount("ro", path, path, why="name resolution") for path in generated]
        # Whom to trust with downloads is as much this machine's to say as how to find them.
        if host.authorities:
            mounts.append(Mount("ro", _AUTHORITIES, host.authorities, why="certificate authorities"))
    if not host.image and not in_system(tool.root, host):
        mounts.append(Mount("ro", tool.root, tool.root, why="toolchain"))
    mounts += [Mount("ro", f"{CONFIG_FOLDER}/{name}", f"{prepared}/{name}", why="safe subset") for name in configs]
    shown = outermost(roots + policy.allow_read)
    for root in shown:
        if root == workspace and overlay:
            mounts.append(Mount("rw", root, overlay, why="a new lock file may appear here"))
            mounts += [
                Mount("symlink", f"{root}/{entry.path}", entry.link, why="sources")
                if entry.link
                else Mount("ro", f"{root}/{entry.path}", f"{root}/{entry.path}", why="sources")
                for entry in entries
            ]
        elif not in_system(root, host):
            mounts.append(Mount("ro", root, root, why="sources"))
    if cargo_home:  # after the sources, for it may lie among them
        mounts.append(Mount("rw", cargo_home, cargo_home, why="cargo home: downloads go here"))
    mounts += [
        Mount("ro", path, path, why="cargo reads it")
        for path in files
        if not any(is_within(path, top) for top in shown)
    ]
    if not offline and "SSH_AUTH_SOCK" in host.env:
        socket = host.env["SSH_AUTH_SOCK"]
        mounts.append(Mount("ro", socket, socket, why="git over ssh"))
    return tuple(mounts)
