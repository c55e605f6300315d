"""What the kernel says of a live container's processes is what was planned: read from outside, compared whole.

`golden/posture-ENGINE.json` is the expectation, the same for both versions of control groups and for all kernels that
have what the plan asks for. CARGO_SANDBOX_TEST_WRITE=1 writes it anew, to be read before a commit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.attack.arena import application, package
from tests.harness import Lab, Project, me, ordinary_user, start, wait_for
from tests.walls.posture import Facts, Family, differences, family

pytestmark = [pytest.mark.attack, pytest.mark.engine]

_WAITS = """\
pub fn act(here: &str) {
    let wait = |name: &str| {
        let path = std::path::Path::new(here).join(name);
        for _ in 0..3000 {
            if path.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    wait("first");
    std::thread::scope(|scope| {
        scope.spawn(|| wait("second"));
        let mut child = std::process::Command::new("sleep").arg("600.5").spawn().unwrap();
        wait("second");
        child.kill().unwrap();
        child.wait().unwrap();
    });
}
"""
_SCRIPT = _WAITS + 'fn main() {\n    act(env!("CARGO_MANIFEST_DIR"));\n}\n'
_MACRO = """
#[proc_macro]
pub fn waits(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
    act(&std::env::var("CARGO_MANIFEST_DIR").unwrap());
    proc_macro::TokenStream::new()
}
"""
_PLACES = ("csbench-wait-script", "csbench-wait-consumer")


def _workspace() -> dict[str, str]:
    macro = "[lib]\nproc-macro = true\n"
    needs = '[dependencies]\ncsbench-wait-macro = { path = "../csbench-wait-macro" }\n'
    return (
        application(*_PLACES)
        | package("csbench-wait-script", build=_SCRIPT)
        | package("csbench-wait-macro", macro)
        | {"csbench-wait-macro/src/lib.rs": _WAITS.replace("pub fn", "fn") + _MACRO}
        | package("csbench-wait-consumer", needs)
        | {"csbench-wait-consumer/src/lib.rs": "csbench_wait_macro::waits!();\n"}
    )


def _go(project: Project, word: str) -> None:
    """Let script and macro go on. Nothing else is touched: seals would tell."""
    for place in _PLACES:
        (project.dir / place / word).touch()


@contextmanager
def _live(project: Project, engine: str, removed: str = "", guard: Path | None = None) -> Iterator[tuple[Facts, Facts]]:
    """The container's processes at work, and again when script and macro have a thread and a child each."""
    env = {"CARGO_SANDBOX_TEST_BREAK": removed} | ({"CARGO_SANDBOX_TEST_GUARD": str(guard)} if guard else {})
    running = start(project, "build", "-j4", options=("--engine", engine), env=env)
    try:

        def with_all(*names: str) -> Family | None:
            # Looking at a container may take longer than it needs to get to work; the plan is read before.
            plan = project.run().plan if project.store.ids() else None
            now = family(running.pid, plan, engine) if plan else None
            return now if now is not None and set(names) <= set(now.found) else None

        names = ("guard", "cargo", "rustc role", "script role", "rustc", "script")
        before = wait_for(lambda: with_all(*names), 60, "script and macro at work")
        first = before.facts()
        _go(project, "first")
        thread = Path(f"/proc/{before.found['script']}/task")
        wait_for(lambda: len(os.listdir(thread)) > 1, 30, "a thread")
        after = wait_for(lambda: with_all(*names, "child"), 30, "a child")
        yield first, after.facts()
        _go(project, "second")
        done = running.wait(60)
        assert done.code == 0, done.shown
    finally:
        if running.process.poll() is None:
            running.kill()
            running.wait(60)


def _golden(engine: str) -> Path:
    return Path(__file__).parent / "golden" / f"posture-{engine}.json"


@pytest.mark.parametrize("who", ["me", pytest.param("ordinary", marks=pytest.mark.user)])
def test_the_live_container_is_as_planned_also_after_threads_and_children(lab: Lab, engine: str, who: str) -> None:
    user = me() if who == "me" else ordinary_user(lab)
    with _live(lab.project(_workspace(), user=user), engine) as (before, after):
        found = {"before": before, "after": after}
    if who == "me" and os.environ.get("CARGO_SANDBOX_TEST_WRITE"):
        _golden(engine).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    expected = json.loads(_golden(engine).read_text())
    if engine == "docker" and not user.is_root:
        # His build has a limit of processes beside that of the control group; root's share one user (design.md).
        for facts in expected.values():
            facts["guard"]["limits"] = facts["cargo"]["limits"] | {"Max processes": "inherited"}
    for moment, facts in expected.items():
        _without_a_toolchain_of_its_own(facts, found[moment])
    assert not list(differences(expected, found))


def _without_a_toolchain_of_its_own(expected: Facts, found: Facts) -> None:
    """A distribution's cargo lies with the system's other programs, and holds less open than the one of rustup."""
    if "ro toolchain" not in found["mounts"]:
        del expected["mounts"]["ro toolchain"]
        expected["cargo"]["descriptors"] = [one for one in expected["cargo"]["descriptors"] if one != "socket"]


_EVERYWHERE = {
    "capabilities": "CapBnd",
    "ipc": "namespaces / ipc",
    "uts": "namespaces / uts",
    "cgroup": "namespaces / cgroup",
    "network": "namespaces / net",
    "proc": "'/proc/sys'",
    "masked": "the machine below /proc / not covered",
    "root": "mounts / /:",
    "readonly": "mounts / ro sources",
    "limits": "limits / Max file size",
    "open=/srv": "mounts / rw wall removed",
}
_UNDER_DOCKER = {
    "outer": "guard / Seccomp_filters",
    "no-new-privs": "guard / NoNewPrivs",
    "container-limits": "control group / tasks",
}


def test_each_wall_that_is_away_shows_in_the_posture(lab: Lab, engine: str, breakable_guard: Path) -> None:
    walls = _EVERYWHERE | (_UNDER_DOCKER if engine == "docker" else {})
    expected = json.loads(_golden(engine).read_text())["before"]
    # With capabilities bwrap finds these settings writable and covers them itself.
    for away in (sorted(walls.keys() - {"proc"}), ["proc"]):
        # The guard of users runs nothing where there is a network.
        with _live(lab.project(_workspace()), engine, removed=",".join(away), guard=breakable_guard) as (before, _):
            seen = list(differences(expected, before))
        for wall in away:
            assert any(walls[wall] in line for line in seen), (wall, seen)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's builds are given to somebody else")
@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_a_build_that_is_roots_shows_in_the_posture(lab: Lab, engine: str) -> None:
    with _live(lab.project(_workspace()), engine, removed="user,capabilities") as (before, _):
        seen = list(differences(json.loads(_golden(engine).read_text())["before"], before))
    assert any("Docker's words / User" in line for line in seen), seen
    assert any("CapEff" in line for line in seen), seen
