"""Which programs of a run have a digest: those in places that the build saw read-only, as they are on this machine."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from sandbox.plan.model import Mount
from sandbox.run import programs
from sandbox.run.programs import Programs


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Machine:
    """A system folder that is shown as /usr, sources with a target dir in them, and a home that is not shown."""

    def __init__(self, top: Path) -> None:
        self.top, self.cache = top, top / "cache"
        for name in ("usr/bin", "ws/src", "ws/target", "home", "cache"):
            (top / name).mkdir(parents=True)
        self.put("usr/bin/cc", "compiler")
        self.mounts = [
            Mount("ro", "/usr", str(top / "usr")),
            Mount("symlink", "/bin", "usr/bin"),
            Mount("ro", str(top / "ws"), str(top / "ws")),
            Mount("rw", str(top / "ws/target"), str(top / "ws/target")),
            Mount("tmpfs", "/tmp", size=1),
        ]

    def put(self, name: str, text: str) -> str:
        (self.top / name).write_text(text)
        return str(self.top / name)

    def digests(self, paths: Iterable[str], since_ns: int | None = None) -> dict[str, str]:
        began = time.time_ns() + 10**9 if since_ns is None else since_ns
        return Programs(self.mounts, str(self.cache), began).digests(paths)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_program_of_the_system_has_the_digest_of_its_file_also_through_the_systems_links(machine: Machine) -> None:
    os.symlink("cc", machine.top / "usr/bin/c99")
    wanted = dict.fromkeys(("/usr/bin/cc", "/bin/cc", "/usr/bin/c99"), sha256("compiler"))
    assert machine.digests([*wanted, "/usr/bin/missing", "/usr/bin", "/nowhere", "relative", "/usr/bin/c\0c"]) == wanted


def test_what_the_build_could_write_or_was_not_shown_has_none(machine: Machine) -> None:
    made, secret = machine.put("ws/target/tool", "made"), machine.put("home/secret", "secret")
    os.symlink(made, machine.top / "ws/src/to-made")
    os.symlink(secret, machine.top / "ws/src/to-secret")
    os.mkfifo(machine.top / "ws/src/pipe")
    shipped = machine.put("ws/src/protoc", "shipped")
    paths = [made, secret, "/tmp/x", *(str(machine.top / "ws/src" / name) for name in ("to-made", "to-secret", "pipe"))]
    assert machine.digests([*paths, shipped]) == {shipped: sha256("shipped")}


def test_a_program_that_changed_since_the_run_began_has_none(machine: Machine) -> None:
    assert machine.digests(["/usr/bin/cc"], since_ns=time.time_ns() - 10**10) == {}
    # Another run that began later has read it meanwhile.
    assert machine.digests(["/usr/bin/cc"]) != {}
    assert machine.digests(["/usr/bin/cc"], since_ns=time.time_ns() - 10**10) == {}


def test_files_of_the_builds_own_take_no_room_from_the_others(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MOST_PROGRAMS", 1)
    own = [f"/tmp/{number}" for number in range(5)]
    assert machine.digests([*own, "/usr/bin/cc"]) == {"/usr/bin/cc": sha256("compiler")}


def test_a_cache_that_can_t_be_written_leaves_nothing_behind(machine: Machine) -> None:
    machine.cache.rmdir()
    assert machine.digests(["/usr/bin/cc"]) == {"/usr/bin/cc": sha256("compiler")}
    machine.cache.mkdir()
    assert machine.digests(["/usr/bin/cc"]) and [path.name for path in machine.cache.iterdir()] == ["programs.json"]


def test_a_file_is_read_once_until_it_changes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = machine.digests(["/usr/bin/cc"])
    monkeypatch.setattr(programs, "MOST_BYTES", 0)
    assert machine.digests(["/usr/bin/cc"]) == first
    machine.put("usr/bin/cc", "compiler2")
    assert machine.digests(["/usr/bin/cc"]) == {}, "nothing may be read any more"
    monkeypatch.undo()
    assert machine.digests(["/usr/bin/cc"]) == {"/usr/bin/cc": sha256("compiler2")}


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', "{", '{"%s": ["a"]}'])
def test_a_store_that_is_broken_costs_time_only(machine: Machine, content: str) -> None:
    place = os.path.realpath(machine.top / "usr/bin/cc")
    machine.put("cache/programs.json", content.replace("%s", place))
    assert machine.digests(["/usr/bin/cc"]) == {"/usr/bin/cc": sha256("compiler")}
