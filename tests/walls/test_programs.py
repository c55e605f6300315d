"""Programs that the user asked for have no Landlock domain: the container's own walls have to hold them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attack.arena import build
from tests.engine.crates import binary
from tests.harness import ROOT, Lab, guard_binary, plain, sandboxed
from tests.users import me, with_mounts
from tests.walls.trials import Trials

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
    assert not any(_told(done.stdout).values()), done.shown
    assert done.code == 120 and "CS0256" in done.stderr, done.shown
    done = build(project, breakable_guard, "run", "-q", removed=("proc", "user"), options=options)
    settings = {path for path, through in _told(done.stdout).items() if through}
    by_root = {path for path in _told(done.stdout) if path.startswith("/proc/sys")}
    if engine == "docker":
        by_root.add("/dev")  # the daemon's own, which belongs to root
    assert settings == (by_root if os.geteuid() == 0 else set()), done.shown


def test_what_the_machine_has_mounted_on_its_settings_is_not_in_a_container(lab: Lab) -> None:
    """As systemd does, and every Debian with it: the programs that run foreign executables. With Docker a container has
    a /proc of its own without anything mounted on it."""
    if not (place := Path("/proc/sys/fs/binfmt_misc")).is_dir():
        pytest.skip("this kernel has no binfmt_misc (as root: modprobe binfmt_misc)")
    mounted = f"mount -t tmpfs none {place} && touch {place}/csbench || exit 99\nRUN"
    list_it = f'for one in std::fs::read_dir("{place}").unwrap() {{ println!("{{:?}}", one.unwrap().file_name()); }}'
    project = lab.project(binary(main=f"fn main() {{ {list_it} }}"))
    project = replace(project, user=with_mounts(me(), mounted))
    assert plain(project, "run", "-q").stdout == '"csbench"\n'
    done = sandboxed(project, "run", "-q", options=["--engine", "bubblewrap"])
    assert (done.code, done.stdout) == (0, ""), done.shown


def test_only_without_a_process_namespace_of_its_own_a_container_sees_the_hosts_processes(
    engine: str, tried: Trials
) -> None:
    """Without the guard, which would end whatever it sees; the probe is the container's only process."""
    prober = tried.real
    assert tried.host["host-process"].answer == "ok"
    told = f"rows=host-process\nhost-mark={prober.targets['host-mark']}\nwork=/tmp/work\n"
    folder = prober.project.home / "probe"
    folder.mkdir(exist_ok=True)
    (folder / "targets").write_text(told)
    (folder / "csbench-marker").touch()
    program = folder / "probe"
    program.write_bytes(prober.program.read_bytes())
    program.chmod(0o755)

    def answer(*removed: str) -> str:
        command = [sys.executable, "-P", "-m", "tests.walls.unguarded", engine, str(folder), *removed]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=env, cwd="/", stdout=subprocess.PIPE, text=True, check=True)
        return str(json.loads(done.stdout)["outcome"])

    assert answer() == "no"
    assert answer("pid") == "ok"
