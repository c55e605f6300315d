"""Checks of programs, disk and test switches. Pure."""

from __future__ import annotations

from sandbox.doctor.facts import Host, Program
from sandbox.doctor.model import Check
from sandbox.doctor.version import parse

_LITTLE = 512 << 20
_FEW = 10_000
_BUILD_DIR = (1, 91)


def checks(host: Host) -> list[Check]:
    """What is worth knowing about everything else."""
    found = [_program(program) for program in host.programs]
    found.append(_disk(host))
    if host.removed_walls:
        names, means = ", ".join(host.removed_walls), "walls are taken down on purpose"
        fix, engines = "unset CARGO_SANDBOX_TEST_BREAK", ("bubblewrap", "docker")
        found.append(Check("removed-walls", "test switches", "weak", names, means, fix, engines))
    return found


def _program(program: Program) -> Check:
    if not program.path:
        needed = program.name == "cargo"
        fix = "install Rust: rustup, or your distribution's cargo package" if needed else ""
        means = {
            "cargo": "nothing can be built",
            "rustup": "toolchains are those of the system",
            "git": "dependencies from git are fetched by cargo itself, or not at all",
        }[program.name]
        return Check(program.name, program.name, "note", "not found", means, fix)
    found = f"{program.version or 'version not known'} ({program.path})"
    version = parse(program.version)
    if program.name == "cargo" and version is not None and version[:2] < _BUILD_DIR:
        means = "no build dir before 1.91: artifacts are below target/.cargo-sandbox/build, no --target-dir"
        return Check("cargo", "cargo", "note", found, means, "rustup update")
    return Check(program.name, program.name, "good", found)


def _disk(host: Host) -> Check:
    """The disk fills and empties by itself, so it counts for no tier; a run watches it."""
    found = f"{host.free_bytes >> 20} MiB free in {host.state_dir}"
    if host.free_bytes < _LITTLE or 0 < host.free_inodes < _FEW:
        found += f", {host.free_inodes} inodes" if host.free_inodes else ""
        means, fix = "a build is ended when less than 512 MiB are left", "make room: cargo-sandbox runs prune"
        return Check("disk", "disk for records", "note", found, means, fix)
    return Check("disk", "disk for records", "good", found)
