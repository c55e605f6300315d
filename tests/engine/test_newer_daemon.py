"""Docker 25 or newer (API 1.44), whose mounts are recursively read-only; fetched, as the system's may be older."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.engine.docker_config import RECURSIVE_READ_ONLY
from tests.daemons import Daemon, in_another_tree, needs_root, started
from tests.engine.crates import KITCHEN, KITCHEN_SAYS, scripted
from tests.engine.test_daemon_faults import assert_the_next_build_works, assert_truthful, cut_short
from tests.engine.test_daemon_kinds import caught, doctor, on
from tests.engine.test_ending import asleep, assert_nothing_left, sleeper
from tests.engines import only
from tests.harness import Lab, sandboxed, start
from tests.newer_docker import NotToBeHad, programs

pytestmark = [pytest.mark.engine, pytest.mark.slow, needs_root, only("docker", "its daemon is newer")]


def newer() -> Path:
    """Where the newer programs are; the test is left out, loudly, where they can't be had."""
    if not shutil.which("patchelf"):
        pytest.skip("patchelf is not installed")
    try:
        return programs()
    except NotToBeHad as error:
        pytest.skip(f"no newer Docker to test with: {error}")


@pytest.fixture(scope="module")
def module_daemon() -> Iterator[Daemon]:
    with started(programs=newer()) as daemon:
        yield daemon


@pytest.fixture
def daemon(module_daemon: Daemon) -> Daemon:
    """A daemon that is running, whatever the test before did to it."""
    if module_daemon.process is None or module_daemon.process.poll() is not None:
        module_daemon.start()
    return module_daemon


def test_it_is_newer_and_builds_and_catches_and_the_doctor_says_what_it_is(lab: Lab, daemon: Daemon) -> None:
    project = on(daemon, lab.project(KITCHEN))
    done = sandboxed(project, "run")
    assert (done.code, done.out, done.run.result["verdict"]) == (0, KITCHEN_SAYS, "clean"), done.shown
    caught(lab, daemon)
    told = json.loads(daemon.docker("version", "--format", "{{json .Server}}").stdout)
    version, api = told["Version"], told["ApiVersion"]
    assert tuple(int(part) for part in api.split(".")) >= RECURSIVE_READ_ONLY
    assert version in done.run.header["versions"]["engine"]
    found = doctor(project)
    assert found["docker"]["found"] == f"{version} (API {api})"
    assert (found["docker-read-only"]["state"], found["docker-read-only"]["found"]) == ("good", "recursive")
    assert "known-docker-read-only" not in found and "known-runc-leaked-descriptor" not in found
    # What is known of the system's runc says nothing of this one.
    own = f"libseccomp: {_libseccomp()}"
    seen = found.get("known-libseccomp-merge")
    assert seen is None or seen["state"] == "unseen" or own.endswith(seen["found"].split(",")[0]), (own, seen)


def _libseccomp() -> str:
    printed = subprocess.run([newer() / "runc", "--version"], capture_output=True, text=True, check=True).stdout
    return next(line.split()[1] for line in printed.splitlines() if line.startswith("libseccomp:"))


def test_the_live_container_is_read_only_and_bounded(lab: Lab, daemon: Daemon) -> None:
    project, marker = sleeper(lab)
    running = start(on(daemon, project), "build")
    asleep(marker)
    [container] = daemon.containers()
    found = json.loads(daemon.docker("inspect", container).stdout)[0]
    host = found["HostConfig"]
    mounts = {mount["Target"]: mount for mount in host["Mounts"]}
    assert all(m["BindOptions"]["ReadOnlyForceRecursive"] for m in mounts.values() if m.get("ReadOnly"))
    assert [place for place, mount in mounts.items() if not mount.get("ReadOnly")] == [str(project.target)]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["NetworkMode"] == "none"
    assert host["Memory"] == host["MemorySwap"] > 0 and host["PidsLimit"] > 0 and host["LogConfig"]["Type"] == "none"
    first = Path("/proc", str(found["State"]["Pid"]))
    flags = {line.split()[4]: line.split()[5] for line in (first / "mountinfo").read_text().splitlines()}
    assert flags[str(project.dir)].startswith("ro") and flags["/usr"].startswith("ro")
    status = (first / "status").read_text()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status and "CapBnd:\t0000000000000000" in status
    assert os.readlink(first / "ns/cgroup") != os.readlink("/proc/self/ns/cgroup")
    running.signal_group(signal.SIGINT)
    running.wait(20)
    assert_nothing_left(project, marker)


# A file system of its own below the sources, which everybody may write; what the script finds there is in its output.
_WRITES_BELOW = """\
fn main() {
    let seen = std::fs::read_to_string("sub/seen");
    let wrote = std::fs::write("sub/mine", "x").map_err(|error| error.raw_os_error());
    let again = std::fs::OpenOptions::new().append(true).open("sub/seen").map_err(|error| error.raw_os_error());
    println!("cargo::warning=seen {seen:?} wrote {wrote:?} again {:?}", again.err());
}
"""
_READ_ONLY = "wrote Err(Some(30)) again Some(Some(30))"  # EROFS


def test_what_is_mounted_below_a_read_only_folder_can_be_read_and_not_written(lab: Lab) -> None:
    project = lab.project(scripted(_WRITES_BELOW) | {"sub/.keep": ""})
    sub = project.dir / "sub"
    tree = (f"mount -t tmpfs -o mode=777 none '{sub}'", f"echo -n below > '{sub}/seen'", f"chmod 666 '{sub}/seen'")
    with started(programs=newer(), wrap=in_another_tree(*tree)) as daemon:
        options = ["--on-violation", "report", "--deny", "never"]
        done = sandboxed(on(daemon, project), "build", options=options)
        assert done.code == 0, done.shown
        assert f'seen Ok("below") {_READ_ONLY}' in done.stderr, done.shown
        # The same mount as Docker makes it without the wall: what lies below can be written.
        image = daemon.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "cargo-sandbox-host").stdout.split()[0]
        loose = f"type=bind,source={project.dir},target=/mnt,readonly,bind-recursive=writable"
        system = [f"--mount=type=bind,source={path},target={path},readonly" for path in ("/usr", "/lib", "/lib64")]
        touch = ("/usr/bin/touch", "/mnt/sub/mine")
        daemon.docker("run", "--rm", "--network=none", "--user=60800", f"--mount={loose}", *system, image, *touch)
    with started(wrap=in_another_tree(*tree)) as old:
        if tuple(map(int, old.docker("version", "--format", "{{.Server.APIVersion}}").stdout.split("."))) < (1, 44):
            project.remove("target")
            done = sandboxed(on(old, project), "build", options=options)
            assert "seen Err" in done.stderr and _READ_ONLY.split(" again")[0] in done.stderr, "it is not there at all"


def test_a_daemon_that_ends_under_a_build_is_no_end_of_the_build(lab: Lab, daemon: Daemon) -> None:
    done, project, marker = cut_short(lab, daemon, lambda _container: daemon.signal(signal.SIGTERM))
    assert_truthful(done, "the Docker daemon ")
    assert_nothing_left(project, marker)
    daemon.start()
    assert_the_next_build_works(project, daemon)


def test_memory_that_the_container_may_not_have_is_a_limit(lab: Lab, daemon: Daemon) -> None:
    greedy = "let mut held = Vec::new(); loop { held.push(vec![1u8; 64 << 20]); std::hint::black_box(&held); }"
    project = on(daemon, lab.project(scripted(f"fn main() {{ {greedy} }}")))
    done = sandboxed(project, "build", options=["--memory-limit", "300M"], timeout=60)
    assert done.code == 124 and "--memory-limit" in done.stderr, done.shown
