"""Programs that the user asked for have no Landlock domain: the container's own walls have to hold them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.attack.arena import build
from tests.engine.crates import binary
from tests.harness import Lab, guard_binary

pytestmark = [pytest.mark.attack, pytest.mark.engine]

_MAIN = """\
use std::fs::{self, File};

fn main() {
    for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness"] {
        println!("{path} {}", File::options().append(true).open(path).is_ok());
    }
    println!("/dev {}", fs::write("/dev/csbench", "x").is_ok());
    let block = vec![1u8; 1 << 20];
    let filled = (0..64).all(|number| fs::write(format!("/dev/shm/csbench-{number}"), &block).is_ok());
    println!("/dev/shm {filled}");
}
"""


def _told(output: str) -> dict[str, bool]:
    return {path: word == "true" for path, word in (line.split() for line in output.splitlines())}


def test_a_program_changes_no_setting_of_the_machine_and_fills_no_memory(
    lab: Lab, engine: str, breakable_guard: Path
) -> None:
    """To the kernel, root without capabilities still owns the files below /proc/sys; one of them names a program that
    the host itself runs."""
    project = lab.project(binary(main=_MAIN))
    options = ("--engine", engine, "--tmp-size", "16M")
    done = build(project, guard_binary(), "run", "-q", options=options)
    assert done.code == 0 and not any(_told(done.stdout).values()), done.shown
    fallen = _told(build(project, breakable_guard, "run", "-q", removed=("proc",), options=options).stdout)
    settings = {path for path, through in fallen.items() if through}
    assert settings == ({path for path in fallen if path.startswith("/proc/sys")} if os.geteuid() == 0 else set())
