"""Cargo before 1.91 has no build dir: everything is kept in ours, and a target dir by option is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.crates import binary
from tests.harness import Lab, Project, sandboxed, sysroot

pytestmark = pytest.mark.engine


def _with_cargo(lab: Lab, version: str) -> tuple[Project, dict[str, str], list[str]]:
    """A project, and variables and options for a toolchain whose cargo says that it has this version."""
    project = lab.project(binary())
    real = sysroot() / "bin"
    tools = Path(project.home, "tools/bin")
    tools.mkdir(parents=True)
    says = f'case "$1" in -V) echo "cargo {version} (0123456789 2025-01-01)";; *) exec {real}/cargo "$@";; esac'
    for name, text in (("cargo", says), ("rustc", f'exec {real}/rustc "$@"'), ("rustdoc", f'exec {real}/rustdoc "$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    return project, {"PATH": f"{tools}:/usr/bin:/bin"}, ["--allow-read", str(sysroot())]


@pytest.mark.parametrize("version", ["1.85.1", "1.90.0-nightly"])
def test_an_old_cargo_gets_our_build_dir_as_its_target_dir(lab: Lab, version: str) -> None:
    project, env, options = _with_cargo(lab, version)
    shown = sandboxed(project, "plan", "build", env=env, options=options)
    assert shown.code == 0, shown.shown
    assert f"CARGO_TARGET_DIR={project.build_dir}\n" in shown.stdout
    assert "build.build-dir" not in shown.stdout, "it would warn of a key that it does not know"


def test_an_old_cargo_can_not_have_another_target_dir(lab: Lab) -> None:
    project, env, options = _with_cargo(lab, "1.90.0")
    done = sandboxed(project, "build", "--target-dir", "other", env=env, options=options)
    assert done.code == 121 and "1.91" in done.stderr and "help:" in done.stderr, done.shown
    assert not project.path("other").exists() and not project.target.exists()


def test_a_newer_cargo_has_both(lab: Lab) -> None:
    project, env, options = _with_cargo(lab, "1.91.0")
    shown = sandboxed(project, "plan", "build", env=env, options=options)
    assert f'--config=build.build-dir="{project.build_dir}"' in shown.stdout, shown.shown
    assert "CARGO_TARGET_DIR" not in shown.stdout
