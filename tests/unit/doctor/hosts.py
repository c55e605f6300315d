"""Hosts as the doctor would see them. Versions and switches are those of the systems that they are named after."""

from __future__ import annotations

from dataclasses import replace

from sandbox.doctor.facts import NAMESPACES, Bubblewrap, Docker, Host, Kernel, Probe, Program

OUTSIDE = {name: f"{name}:[4026531{number}]" for number, name in enumerate(NAMESPACES, 800)}
INSIDE = {name: f"{name}:[4026532{number}]" for number, name in enumerate(NAMESPACES, 100)}
FULL = 0x1FF_FFFF_FFFF

_ALL = Probe(
    7, True, True, True, True, True, True, True, 0, FULL, OUTSIDE, filter=True, no_new_privs=True, subreaper=True
)


def kernel(release: str, **features: object) -> Kernel:
    """A kernel whose probe differs from a complete one by `features`."""
    return Kernel(release, "x86_64", replace(_ALL, **features), yama=1, max_userns=96365, cgroup="v2")  # type: ignore[arg-type]


def inside(of: Kernel) -> Probe:
    """The same kernel, seen from a container of ours."""
    assert of.bare is not None
    return replace(of.bare, namespaces=INSIDE, bounding=0)


def host(of: Kernel, docker: Docker | None = None, **more: object) -> Host:
    """A host on which bubblewrap works, without Docker unless it is given."""
    facts: dict[str, object] = {
        "kernel": of,
        "bubblewrap": Bubblewrap("/usr/bin/bwrap", "0.11.0", inside(of)),
        "docker": docker or NO_DOCKER,
        "programs": PROGRAMS,
        "python": "3.13.5",
        "own_namespaces": OUTSIDE,
        "state_dir": "/home/ann/.local/state/cargo-sandbox",
        "free_bytes": 40 << 30,
        "free_inodes": 1_000_000,
    }
    return Host(**(facts | more))  # type: ignore[arg-type]


NO_DOCKER = Docker(
    error="no Docker daemon answers at unix:///var/run/docker.sock: No such file", remedy="start the daemon"
)
PROGRAMS = (
    Program("cargo", "/home/ann/.cargo/toolchain/bin/cargo", "1.95.0"),
    Program("rustup", "/home/ann/.cargo/bin/rustup", "1.28.2"),
    Program("git", "/usr/bin/git", "2.47.3"),
)

_NEW_KERNEL = kernel("6.18.4")
NEW_DOCKER = Docker(
    "/run/docker.sock", "", "", "29.5.1", "1.52", "1.3.6", "v2.2.1", "2.6.1", "6.18.4", "2",
    ("name=seccomp,profile=builtin", "name=cgroupns"), ("memory", "swap", "pids"), ("io.containerd.runc.v2", "runc"),
    "runc",
)  # fmt: skip
MODERN = host(_NEW_KERNEL, NEW_DOCKER)

_DEBIAN_12 = replace(kernel("6.1.0-42-amd64", landlock=2, sync_wakeup=False), yama=0, userns_clone=1)
DEBIAN_12 = host(
    _DEBIAN_12,
    replace(
        NEW_DOCKER, version="20.10.24+dfsg1", api="1.41", runc="1.1.5+ds1", containerd="1.6.20~ds1", libseccomp="2.5.4",
        kernel="6.1.0-42-amd64",
    ),
    bubblewrap=Bubblewrap("/usr/bin/bwrap", "0.8.0", inside(_DEBIAN_12)),
    python="3.11.2",
)  # fmt: skip

_UBUNTU_24 = replace(kernel("6.8.0-90-generic", landlock=4), apparmor_userns=1)
UBUNTU_24 = host(
    _UBUNTU_24,
    replace(NEW_DOCKER, kernel="6.8.0-90-generic"),
    bubblewrap=Bubblewrap("/usr/bin/bwrap", "0.9.0", None, "bwrap: setting up uid map: Permission denied"),
)

OLD_KERNEL = host(kernel("5.10.0-36-amd64", landlock=0, sync_wakeup=False, wait_killable=False))
NO_LANDLOCK = host(kernel("6.12.48-generic", landlock=0))
ROOTLESS = replace(MODERN, docker=replace(NEW_DOCKER, security=(*NEW_DOCKER.security, "name=rootless")))
REMAPPED = replace(MODERN, docker=replace(NEW_DOCKER, security=(*NEW_DOCKER.security, "name=userns")))
GVISOR = replace(MODERN, docker=replace(NEW_DOCKER, runtimes=("runc", "runsc")))
DESKTOP = replace(MODERN, docker=replace(NEW_DOCKER, kernel="6.12.5-linuxkit"))
NO_ENGINE = host(_NEW_KERNEL, bubblewrap=Bubblewrap())
HOSTILE = replace(
    NO_ENGINE,
    docker=Docker(error="\x1b[2Jclean\u202e\nSandbox tier of this host with bubblewrap: strong", remedy="\x1b[2J\n"),
    programs=(Program("git", "/opt/\x1b]52;c;AAAA\x07/git", "1\x9b2J"),),
)

GOLDEN = {"modern": MODERN, "debian-12": DEBIAN_12, "ubuntu-24.04-restricted": UBUNTU_24, "linux-5.10": OLD_KERNEL}
