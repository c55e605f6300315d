"""What the kernel says of a live container's processes is what was planned: read from outside, compared whole.

`golden/posture-ENGINE.json` is the expectation. CARGO_SANDBOX_TEST_WRITE=1 writes it anew, to be read before a commit.
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
def _live(project: Project, engine: str, removed: str = "") -> Iterator[tuple[Facts, Facts]]:
    """The container's processes at work, and again when script and macro have a thread and a child each."""
    env = {"CARGO_SANDBOX_TEST_BREAK": removed}
    running = start(project, "build", "-j4", options=("--engine", engine), env=env)
    try:

        def with_all(*names: str) -> Family | None:
            now = family(running.pid, project.run().plan, project.user) if project.store.ids() else None
            return now if now is not None and set(names) <= set(now.found) else None

        names = ("guard", "cargo", "rustc role", "script role", "rustc", "script")
        before = wait_for(lambda: with_all(*names), 60, "script and macro at work")
        first = before.facts()
        _go(project, "first")
        after = wait_for(lambda: with_all(*names, "child"), 30, "a child")
        assert len(os.listdir(f"/proc/{after.found['script']}/task")) > 1
        yield first, after.facts()
        _go(project, "second")
        done = running.wait(60)
        assert done.code == 0, done.shown
    finally:
        if running.process.poll() is None:
            running.kill()


def _golden(engine: str) -> Path:
    return Path(__file__).parent / "golden" / f"posture-{engine}.json"


@pytest.mark.parametrize("who", ["me", pytest.param("ordinary", marks=pytest.mark.user)])
def test_the_live_container_is_as_planned_also_after_threads_and_children(lab: Lab, engine: str, who: str) -> None:
    user = me() if who == "me" else ordinary_user(lab)
    with _live(lab.project(_workspace(), user=user), engine) as (before, after):
        found = {"before": before, "after": after}
    if who == "me" and os.environ.get("CARGO_SANDBOX_TEST_WRITE"):
        _golden(engine).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert not list(differences(json.loads(_golden(engine).read_text()), found))


def test_each_wall_that_is_away_shows_in_the_posture(lab: Lab, engine: str) -> None:
    walls = {
        "capabilities": "CapEff",
        "ipc": "namespaces / ipc",
        "network": "namespaces / net",
        "proc": "mounts / /proc/sys",
        "readonly": "mounts / ro sources",
        "limits": "limits / Max file size",
        "open=/srv": "mounts / rw wall removed",
    }
    with _live(lab.project(_workspace()), engine, removed=",".join(walls)) as (before, _):
        seen = list(differences(json.loads(_golden(engine).read_text())["before"], before))
    for wall, words in walls.items():
        assert any(words in line for line in seen), (wall, seen)
