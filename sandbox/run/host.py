"""Facts about this machine and its user, read without starting anything."""

from __future__ import annotations

import os
import pwd
import stat

from sandbox.errors import SetupError
from sandbox.plan.facts import HostFacts, RuntimeFacts, SystemEntry
from sandbox.record import replace

# What of the host's tree a compiler run may see. Directories with people's data are not here.
_ROOT = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "opt", "nix", "gnu")
_ETC = (
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "alternatives", "ssl/certs", "ssl/openssl.cnf",
    "ca-certificates", "pki/tls/certs", "localtime", "timezone", "mime.types", "protocols", "services", "os-release",
    "debian_version", "lsb-release", "fedora-release", "redhat-release", "gitconfig", "host.conf", "fonts", "perl",
    "python3", "java-17-openjdk", "magic", "machine-info",
)  # fmt: skip
# Where distributions keep the certificate authorities in one file: Debian, Fedora, older ones, SUSE, Alpine.
_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip


def directories(env: dict[str, str]) -> tuple[str, str]:
    """(state dir, cache dir) of cargo-sandbox by the XDG base directory rules; absolute paths only, as these demand."""
    home = home_directory(env)

    def pick(name: str, default: str) -> str:
        value = env.get(name, "")
        return os.path.join(value if value.startswith("/") else os.path.join(home, default), "cargo-sandbox")

    return pick("XDG_STATE_HOME", ".local/state"), pick("XDG_CACHE_HOME", ".cache")


def home_directory(env: dict[str, str]) -> str:
    """The caller's home: HOME if it is absolute, else what the user database says."""
    home = env.get("HOME", "")
    if home.startswith("/") and home.strip("/"):
        return os.path.normpath(home)
    try:
        entry = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        entry = ""
    if entry.startswith("/") and entry.strip("/"):
        return os.path.normpath(entry)
    raise SetupError(
        "no home directory", wall="secrets", why="HOME is not set and the user has no entry", fix="set HOME"
    )


def host_facts(env: dict[str, str], guard: str, guard_digest: str, state_dir: str) -> HostFacts:
    """Gather them. Raises SetupError without a home directory."""
    home = home_directory(env)
    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
        user, listed = entry.pw_name, entry.pw_dir
    except KeyError:
        user, listed = env.get("USER", str(uid)), home
    homes = {home, os.path.realpath(home)}
    if listed.startswith("/") and listed.strip("/"):
        homes |= {os.path.normpath(listed), os.path.realpath(listed)}
    return HostFacts(
        home=home,
        homes=tuple(sorted(homes)),
        user=user,
        uid=uid,
        gid=os.getgid(),
        env=_with_living_agent(env),
        system=system_entries(),
        guard=guard,
        guard_digest=guard_digest,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        state_dir=state_dir,
    )


def in_runtime(facts: HostFacts, runtime: RuntimeFacts | None) -> HostFacts:
    """The same machine, with the build in an OCI runtime that the user named."""
    return replace(facts, runtime=runtime)


def given_to(facts: HostFacts, uid: int, gid: int) -> HostFacts:
    """The same machine, with the build somebody else's than the caller's (see `Engine.owner`)."""
    if (uid, gid) == (facts.uid, facts.gid):
        return facts
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = "builder"
    return replace(facts, user=user, uid=uid, gid=gid, caller=(facts.uid, facts.gid))


def in_image(facts: HostFacts, image: str) -> HostFacts:
    """The same user with the system of an image instead of this machine's."""
    if not image:
        return facts
    entries = tuple(SystemEntry(f"/{name}") for name in (*_ROOT, "etc"))
    named = (facts.env.get("CARGO_HTTP_CAINFO", ""), facts.env.get("SSL_CERT_FILE", ""))
    found = next((path for path in (*named, *_AUTHORITIES) if path.startswith("/") and os.path.isfile(path)), "")
    return replace(facts, image=image, system=entries, authorities=found and os.path.realpath(found))


def _with_living_agent(env: dict[str, str]) -> dict[str, str]:
    """The environment, without an ssh agent's socket that is not there any more: it can't be mounted."""
    try:
        living = stat.S_ISSOCK(os.stat(env.get("SSH_AUTH_SOCK", "")).st_mode)
    except (OSError, ValueError):
        living = False
    return env if living else {name: value for name, value in env.items() if name != "SSH_AUTH_SOCK"}


def system_entries() -> tuple[SystemEntry, ...]:
    """The system directories and files that exist here; a symlink is repeated as one."""
    found = []
    for path in [f"/{name}" for name in _ROOT] + [f"/etc/{name}" for name in _ETC]:
        try:
            link = os.readlink(path)
        except OSError:
            if os.path.exists(path):
                found.append(SystemEntry(path))
            continue
        if path.startswith("/etc/"):
            # A link out of /etc (localtime, os-release) is shown as the file it leads to.
            if os.path.exists(path):
                found.append(SystemEntry(path))
        else:
            found.append(SystemEntry(path, link))
    return tuple(found)
