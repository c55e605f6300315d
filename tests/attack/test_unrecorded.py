"""Attacks in runtimes where the guard can't record: the walls that stand there hold, and nothing there looks recorded.

What acts came to is read from the file in which cargo keeps what a build script printed, since no record has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sandbox.judge.model import RunResult
from tests.attack import listeners
from tests.attack.arena import Acts, Arena, Attack, build, manifest, outcomes, workspace
from tests.attack.kernel_calls import CALLS, numbers
from tests.attack.test_compile_line import talker, tells
from tests.attack.test_forgery import reports
from tests.attack.test_host_files import on_outputs, on_sources, picture
from tests.attack.test_network import ELSEWHERE, elsewhere
from tests.attack.test_secrets import CANARY, TOKENS, plant, readings, unplant
from tests.daemons import needs_root
from tests.engines import only
from tests.harness import Lab, Project, guard_binary, sandboxed
from tests.runtimes import APART, BARE, GVISOR, UNASKED, Daemon, build_dir, daemon, gvisor

__all__ = ["daemon", "talker"]
pytestmark = [
    pytest.mark.attack,
    pytest.mark.engine,
    only("docker", "it starts runtimes"),
    needs_root,
]

needs_gvisor = pytest.mark.skipif(gvisor() is None, reason="runsc is not installed")
in_unrecorded = pytest.mark.parametrize("runtime", [BARE, pytest.param(GVISOR, marks=needs_gvisor)])
NOWHERE = {"ENETUNREACH", "EHOSTUNREACH", "EPIPE"}
REFUSED = {"EACCES", "EROFS", "EXDEV", "EPERM", "ENOENT", "ENOTSUP"}

Field = Callable[[str], Arena]


@pytest.fixture(scope="module")
def field(lab: Lab, daemon: Daemon) -> Field:
    """Arenas with the real guard, one a runtime, built once there."""
    return _fields(lab, daemon, guard_binary(), False)


@pytest.fixture(scope="module")
def weak_field(lab: Lab, daemon: Daemon, breakable_guard: Path) -> Field:
    """The same with a guard whose walls can be taken down."""
    return _fields(lab, daemon, breakable_guard, True)


def _fields(lab: Lab, daemon: Daemon, guard: Path, breakable: bool) -> Field:
    made: dict[str, Arena] = {}

    def of(runtime: str) -> Arena:
        if runtime not in made:
            project = daemon.use(lab.project(workspace()), runtime)
            lab.made.remove(project)  # it outlives the test that needs it first
            made[runtime] = Arena(project, guard, breakable)
            assert made[runtime].attack().done.code == 0
        return made[runtime]

    return of


def told(arena: Arena, runtime: str, acts: Acts, removed: Sequence[str] = ()) -> dict[str, str]:
    """What the acts of csbench-script came to. Such a run is never anything but incomplete."""
    found = arena.attack(script=acts, removed=removed)
    assert found.done.code == 0, found.done.shown
    assert_unseen(found)
    files = build_dir(arena.project, runtime).glob("debug/build/csbench-script-*/output")
    return outcomes(max(files, key=lambda path: path.stat().st_mtime_ns).read_text())


def assert_unseen(found: Attack) -> None:
    """Nothing in the run says that anything was seen."""
    result = found.run.result
    assert (result["verdict"], result["recorded"]) == ("incomplete", False)
    assert result["completeness"]["reasons"][0].endswith("no user notification")
    assert found.run.events() == [] and found.run.units() == [] and found.run.findings() == []
    assert "findings not seen" in found.done.stderr and "clean" not in found.done.stderr


@in_unrecorded
def test_no_network_is_in_reach_without_a_guard_that_refuses(field: Field, weak_field: Field, runtime: str) -> None:
    with listeners.tcp() as tcp:
        acts = {**elsewhere(), "host": ("tcp", tcp.address)}
        seen = told(field(runtime), runtime, acts)
        assert {name: seen[name] for name in ELSEWHERE if seen[name] not in NOWHERE} == {}
        assert seen["host"] == "ECONNREFUSED" and not tcp.heard
        if runtime != GVISOR:  # which has its own network and shares none
            shared = told(weak_field(runtime), runtime, {"host": acts["host"]}, ("network",))
            assert shared["host"] == "ok:connected" and tcp.heard


@in_unrecorded
def test_no_secret_is_in_reach(field: Field, weak_field: Field, runtime: str) -> None:
    arena = field(runtime)
    plant(arena.project)
    try:
        names = ("decoy-0", "own-key", "diary", "dotenv", "dotenv-other-crate", "variables", "everywhere")
        acts = {name: words for name, words in readings(arena.project).items() if name in names}
        found = arena.attack(script=acts, env=TOKENS)
        assert_unseen(found)
    finally:
        unplant(arena.project)
    files = build_dir(arena.project, runtime).glob("debug/build/csbench-script-*/output")
    text = max(files, key=lambda path: path.stat().st_mtime_ns).read_text()
    seen = outcomes(text)
    assert CANARY not in text and CANARY.encode() not in found.run.output()
    assert seen["decoy-0"].startswith("ok:-----BEGIN OPENSSH PRIVATE KEY")
    assert {seen[name] for name in ("own-key", "diary")} == {"ENOENT"}
    assert {seen[name] for name in ("dotenv", "dotenv-other-crate", "variables", "everywhere")} == {"ok"}
    weak = weak_field(runtime)
    plant(weak.project)
    try:
        key = {"own-key": ("read", f"{weak.project.home}/.ssh/id_csbench")}
        assert CANARY in told(weak, runtime, key, ("home",))["own-key"]
    finally:
        unplant(weak.project)


@in_unrecorded
def test_nothing_outside_of_the_target_dir_can_be_written(field: Field, weak_field: Field, runtime: str) -> None:
    arena = field(runtime)
    arena.project.write({"~/.cargo/registry/src/index/csbench-1.0.0/src/lib.rs": "// registry\n"})
    folders = [path for path in arena.project.dir.iterdir() if path.is_dir() and not path.name.endswith("target")]
    before = picture(*(path for path in folders if path.name != "csbench-script"))
    acts = {"mine": ("put", "{out}/mine.rs", "x"), **on_sources(arena)}
    seen = told(arena, runtime, acts)
    assert (seen.pop("mine"), seen.pop("cargo-config")) == ("ok", "ok"), "a file in the fresh home of this run"
    assert not (arena.project.home / ".cargo/config.toml").exists()
    assert {name: outcome for name, outcome in seen.items() if outcome not in REFUSED} == {}
    assert picture(*(path for path in folders if path.name != "csbench-script")) == before
    weak = weak_field(runtime)
    victim = weak.project.dir / "csbench-victim/src/lib.rs"
    os.chown(victim, 60800, 60800)
    assert told(weak, runtime, {"append": ("append", str(victim), "// csbench")}, ("readonly",))["append"] == "ok"
    assert "// csbench" in victim.read_text()


@in_unrecorded
def test_the_filter_alone_refuses_what_no_build_needs(field: Field, weak_field: Field, runtime: str) -> None:
    """No filter of the container's own stands in these runtimes."""
    create = str(os.O_CREAT | os.O_WRONLY)
    born = {
        "born": ("call", str(numbers()["openat"]), "-100", "str:{out}/born", create, str(0o4755)),
        "xattr": ("xattr", "{out}/setuid"),
        "guard": ("call", str(numbers()["kill"]), "1", "9"),
        "everybody": ("call", str(numbers()["kill"]), "-1", "0"),
        "limit": ("call", str(numbers()["prlimit64"]), "1", "0", "buf", "0"),
    }
    acts = {"file": ("put", "{out}/setuid", "x"), **{name: call.act() for name, call in CALLS.items()}, **born}
    seen = told(field(runtime), runtime, acts)
    assert {name: (seen.get(name), call.error) for name, call in CALLS.items() if seen.get(name) != call.error} == {}
    assert {name: seen[name] for name in born} == dict.fromkeys(born, "EPERM") | {"xattr": "ENOTSUP"}
    harmless = ("personality", "add-key", "ptrace-me", "unshare-user", "io-uring", "fanotify")
    tries = {name: ("call-in-child", *CALLS[name].act()[1:]) for name in harmless}
    fallen = told(weak_field(runtime), runtime, tries | {"born": born["born"]}, ("filter",))
    assert {"ptrace-me"} <= {name for name in harmless if fallen[name] == "ok:exit 0"}, fallen
    assert fallen["born"].startswith("ok")
    if runtime != GVISOR:
        assert {fallen["personality"], fallen["add-key"]} == {"ok:exit 0"}, fallen


def test_other_abis_are_refused_by_the_filter_alone(field: Field) -> None:
    if os.uname().machine == "x86_64":
        seen = told(field(BARE), BARE, {"int80": ("int80", "20"), "x32": ("x32", "39"), "after": ("ids",)})
        # runc's own filter, if there is any, ends who uses another ABI.
        assert {seen["int80"], seen["x32"]} <= {"ok:exit 38", "ok:signal 31"} and seen["after"].startswith("ok:")


def test_landlock_stands_where_there_is_one_and_where_there_is_none_that_is_said(
    field: Field, weak_field: Field
) -> None:
    acts = {"mine": ("put", "{out}/mine.rs", "x"), "scratch": ("put", "{tmp}/x", "x"), **on_outputs(field(UNASKED))}
    acts = {name: words for name, words in acts.items() if name != "token"}
    seen = told(field(UNASKED), UNASKED, acts)
    assert (seen.pop("mine"), seen.pop("scratch")) == ("ok", "ok")
    assert {name: outcome for name, outcome in seen.items() if outcome not in REFUSED} == {}
    new = {"deps-new": acts["deps-new"]}
    assert told(weak_field(UNASKED), UNASKED, new, ("landlock",)) == told(field(BARE), BARE, new) == {"deps-new": "ok"}
    assert "wall: other crates' outputs" in str(field(BARE).project.run().result["completeness"]["reasons"])


def test_without_landlock_a_guard_that_is_asked_refuses_what_the_domain_would(field: Field) -> None:
    """As far as it can: what it looks at may change before the kernel looks, so that wall is said to be missing."""
    arena = field(APART)
    acts = {"mine": ("put", "{out}/mine.rs", "x"), **on_outputs(arena)}
    acts = {name: words for name, words in acts.items() if name not in ("token", "rlib-mmap")}
    found = arena.attack(script=acts)
    assert found.done.code == 0, found.done.shown
    seen = found.script
    assert seen.pop("mine") == "ok"
    assert {name: outcome for name, outcome in seen.items() if outcome not in REFUSED} == {}
    denied = found.select(unit=found.script_unit, outcome="denied")
    assert len(denied) >= len(seen) and {event["by"] for event in denied} == {"guard"}
    assert found.run.result["recorded"] and "CS0103" in found.codes("csbench-script")
    reasons = found.run.result["completeness"]["reasons"]
    assert any("other crates' outputs" in reason for reason in reasons)


def rust_text(text: str) -> str:
    """A literal of Rust's."""
    return f'r##"{text}"##'


def contents(top: Path) -> dict[str, bytes]:
    """What lies below a folder. (How many names a file has is no matter: another build makes new links of its own.)"""
    return {str(path): path.read_bytes() for path in top.rglob("*") if path.is_file() and not path.is_symlink()}


@in_unrecorded
def test_nobody_makes_such_a_run_look_recorded(field: Field, runtime: str) -> None:
    arena = field(runtime)
    acts = {**reports(), "init": ("run", "/run/cargo-sandbox/guard", "init"), "memory": ("proc", "init", "mem")}
    found = arena.attack(script=acts, macro=acts)
    assert found.done.code == 0, found.done.shown
    assert_unseen(found)
    seen = told(arena, runtime, acts)
    assert {seen[name] for name in ("ask", "part", "end")} == {"EPERM"} and seen["part-in-child"] == "ok:exit 1"
    assert "exit status: 0" not in seen["init"] and not seen["memory"].startswith("ok")
    stored = RunResult.from_json(found.run.result)
    assert not stored.recorded and stored.findings == () and stored.fresh_units == 0


WORDS = """\
import json, os, struct
unit = {"event": "start", "unit": "u1", "role": "script", "package": "csbench-victim", "pid": 9, "t_ns": 1}
event = {"seq": 1, "t_ns": 2, "unit": "u1", "pid": 9, "start": 1, "parent": 1, "kind": "connect", "addr": "192.0.2.1",
         "port": 80, "family": "inet", "outcome": "denied", "by": "guard", "errno": "ENETUNREACH"}
end = {"code": 0, "signal": None, "seen": 1, "written": 1, "quiet": 0, "unreadable": 0, "lost": 0, "fingerprints": []}
def frame(kind, data):
    text = json.dumps(data).encode() + b"\\n"
    return kind + struct.pack("<I", len(text)) + text
words = frame(b"U", unit) + frame(b"V", event) + frame(b"P", {}) + frame(b"X", end)
try:
    os.write(os.open("/proc/1/fd/1", os.O_WRONLY), words)
    print("written")
except OSError as error:
    print(error.errno)
"""


@in_unrecorded
def test_made_up_words_of_the_guards_accuse_nobody_and_show_nothing(lab: Lab, daemon: Daemon, runtime: str) -> None:
    """gVisor of 2022 lets a build write to the guard's own output; Linux does not, since the guard is not dumpable."""
    files = {"Cargo.toml": manifest("csbench-app", 'build = "build.rs"\n'), "src/main.rs": "fn main() {}\n"}
    run = f'std::process::Command::new("python3").args(["-c", {rust_text(WORDS)}]).output().unwrap()'
    script = f'fn main() {{ let done = {run}; println!("cargo:warning={{}}", String::from_utf8_lossy(&done.stdout)); }}'
    project = daemon.use(lab.project(files | {"build.rs": script}), runtime)
    done = build(project, guard_binary(), "build")
    assert done.run.result["recorded"] is False and done.run.result["verdict"] == "incomplete", done.shown
    assert done.run.events() == [] and done.run.units() == [] and done.run.findings() == []
    assert "findings not seen" in done.stderr and "csbench-victim" not in done.stderr
    if runtime == BARE:
        assert done.code == 0 and "warning: csbench-app@0.1.0: 13" in done.stderr, done.shown


@in_unrecorded
def test_what_a_recorded_build_believes_is_out_of_reach(lab: Lab, daemon: Daemon, runtime: str) -> None:
    """The target dir is one; the intermediates of others in it are hidden."""
    project = daemon.use(lab.project(workspace()))
    arena = Arena(project, guard_binary(), breakable=False)
    recorded, unrecorded = (("--runtime", name) for name in ("runc", runtime))
    first = build(project, arena.guard, "build", options=recorded)
    assert first.run.result["verdict"] == "clean", first.shown
    usual = build_dir(project)
    before = contents(usual)
    acts = {
        "seen": ("list", str(usual)),
        "fake": ("put", f"{usual}/debug/csbench", "x"),
        "change": ("append", f"glob:{usual}/debug/deps/libcsbench_victim-*.rlib", "csbench"),
        "other": ("mkdir", f"{project.target}/.cargo-sandbox/build-csbench"),
    }
    found = arena.attack(script=acts, options=unrecorded)
    assert found.done.code == 0, found.done.shown
    assert_unseen(found)
    assert contents(usual) == before
    arena.attack(options=unrecorded)
    again = build(project, arena.guard, "build", options=recorded)
    assert again.run.result["verdict"] == "clean" and not again.run.findings(), again.shown
    # csbench-script is another one since its acts changed.
    assert {name.split()[1] for name in again.run.built()} <= {"csbench-script", "csbench-app"}, again.run.built()
    # With that wall away the change is made, and found by the seals.
    shown = {"CARGO_SANDBOX_TEST_BREAK": f"open={usual}"}
    fallen = arena.attack(script={"change": acts["change"]}, options=unrecorded, env=shown)
    assert fallen.done.code == 0 and contents(usual) != before, fallen.done.shown
    caught = build(project, arena.guard, "build", options=recorded)
    assert caught.run.findings("CS0109") and caught.run.result["verdict"] == "violation", caught.shown


def test_an_argument_file_in_another_packages_compile_is_refused_by_the_compiler_role(
    talker: Project, daemon: Daemon
) -> None:
    tells(talker, "rustc-link-search=@{out}/args")
    done = build(daemon.use(talker, UNASKED), guard_binary(), "check")
    assert done.code == 101 and "put an argument file into this compile" in done.stderr, done.shown


def test_the_record_demanded_of_such_a_run_is_refused_whatever_the_build_would_say(field: Field) -> None:
    arena = field(BARE)
    done = sandboxed(arena.project, "build", options=["--require-complete"])
    assert done.code == 122 and done.run_id is None
