"""bubblewrap where a container is around us already, as in many CI: it builds if that one lets it, else the user hears
what is in the way and what to change."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.crates import scripted
from tests.engines import daemon_answers, once, only
from tests.harness import ROOT, Done, Lab, Project, User, sandboxed
from tests.users import me, with_mounts

pytestmark = [pytest.mark.engine, once("chooses the engine itself")]

_NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "CARGO_SANDBOX_ENGINE": "auto"}
# In /var a daemon has the root of the container itself, with a /proc that nothing covers.
_NOT_SHOWN = ("proc", "sys", "dev", "run", "var", "boot", "lost+found")
_PASSED = (
    "PATH HOME USER LOGNAME LANG RUSTUP_HOME RUSTUP_AUTO_INSTALL CARGO_HOME XDG_CACHE_HOME XDG_STATE_HOME PYTHONPATH "
    "PYTHONPYCACHEPREFIX CARGO_SANDBOX_TEST_GUARD"
).split()
_FILTER = ("--security-opt", "seccomp=unconfined")
_PROC = ("--security-opt", "systempaths=unconfined")
_APPARMOR = ("--security-opt", "apparmor=unconfined") if Path("/sys/kernel/security/apparmor").exists() else ()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image with nothing in it, over which a container has this machine's folders."""
    if not daemon_answers():
        pytest.skip("no Docker daemon answers")
    name, empty = f"csbench-empty:{os.getpid()}", io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    subprocess.run(["docker", "import", "-", name], input=empty.getvalue(), stdout=subprocess.DEVNULL, check=True)
    yield name
    subprocess.run(["docker", "rmi", name], stdout=subprocess.DEVNULL, check=True)


def within(image: str, project: Project, *options: str) -> User:
    """Whoever runs the tests, each command in a container of its own, which `docker run` makes with these options."""
    user = me()
    tops = [top for top in Path("/").iterdir() if top.is_dir() and top.name not in _NOT_SHOWN]
    # This checkout may lie anywhere.
    shown = [f"--volume={place}:{place}" for place in (*tops, ROOT)]
    told = [f"--env={name}" for name in _PASSED] + [f"--env={name}={value}" for name, value in _NOWHERE.items()]
    place = (f"--user={user.uid}:{user.gid}", f"--workdir={project.dir}")
    return replace(user, prefix=("docker", "run", "--rm", "--network=none", *place, *shown, *told, *options, image))


def built(lab: Lab, image: str, *options: str) -> Done:
    project = lab.project(scripted("fn main() {}"))
    return sandboxed(replace(project, user=within(image, project, *options)), "build")


@only("root", "a daemon shows a container what it sees itself, and the ordinary user has a view of its own")
def test_in_a_container_of_dockers_it_builds_once_that_one_is_open_enough_and_says_how_until_then(
    lab: Lab, image: str
) -> None:
    closed = built(lab, image)
    assert closed.code == 121 and "allows you no user namespace" in closed.stderr, closed.shown
    assert "--security-opt seccomp=unconfined --security-opt systempaths=unconfined" in closed.stderr
    covered = built(lab, image, *_FILTER, *_APPARMOR)
    assert covered.code == 121 and "something lies over parts of /proc" in covered.stderr, covered.shown
    assert "--security-opt systempaths=unconfined" in covered.stderr
    opened = built(lab, image, *_FILTER, *_PROC, *_APPARMOR)
    assert opened.code == 0 and "Sandbox clean: 1 build script" in opened.stderr, opened.shown


@pytest.mark.parametrize("known", [False, True], ids=["new toolchain", "known toolchain"])
def test_with_something_over_a_part_of_proc_a_build_ends_with_the_reason(lab: Lab, known: bool) -> None:
    project = lab.project(scripted("fn main() {}"))
    if known:
        assert sandboxed(project, "build", options=["--engine", "bubblewrap"]).code == 0
    covered = with_mounts(me(), "mount --bind /dev/null /proc/uptime || exit 99\nRUN")
    fresh = {} if known else {"XDG_CACHE_HOME": str(project.home / "cache")}
    done = sandboxed(replace(project, user=covered), "build", options=["--engine", "bubblewrap"], env=fresh)
    assert done.code == 121 and "something lies over parts of /proc" in done.stderr, done.shown
    assert "systempaths=unconfined" in done.stderr


def test_what_was_tried_outside_a_container_is_tried_again_inside(lab: Lab) -> None:
    project = lab.project(scripted("fn main() {}"))
    assert sandboxed(project, "build", env=_NOWHERE).code == 0
    covered = with_mounts(me(), "mount --bind /dev/null /proc/uptime || exit 99\nRUN")
    cache = {"XDG_CACHE_HOME": str(lab.cache)}
    done = sandboxed(replace(project, user=covered), "build", env=_NOWHERE | cache)
    assert done.code == 121 and "no engine can put up every wall here" in done.stderr, done.shown
