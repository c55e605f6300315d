"""What changed is built again, and nothing else; whatever happened in between."""

from __future__ import annotations

import os
import re

import pytest

from tests.engine.crates import KITCHEN, KITCHEN_SAYS, PAIR, binary, manifest, scripted
from tests.engine.loads import DEAR, TELL, judging, loaded
from tests.engines import core
from tests.harness import Lab, plain, sandboxed, start

pytestmark = pytest.mark.engine


def test_only_what_a_change_reaches_is_built_again(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    assert sandboxed(project, "build").code == 0
    project.write({"app/src/main.rs": KITCHEN["app/src/main.rs"].replace("{}", "changed {}")})
    changed = sandboxed(project, "run")
    assert changed.run.built() == ["rustc app"]
    assert changed.out == b"changed " + KITCHEN_SAYS

    project.write({"native-sys/answer.c": "int answer(void) { return 43; }\n"})
    changed = sandboxed(project, "run")
    assert sorted(changed.run.built()) == [
        "rustc app",
        "rustc middle",
        "rustc native-sys",
        "script middle",
        "script native-sys",
    ]
    assert changed.out == b"changed 43 7 Middle from the script true\n"


def test_profiles_and_verbs_have_their_own_freshness(lab: Lab) -> None:
    project = lab.project(binary())
    for arguments in (["check"], ["build"], ["build", "--release"], ["test"], ["clippy"], ["doc"]):
        assert len(sandboxed(project, *arguments).run.built()) == 1, arguments
    for arguments in (["check"], ["build"], ["build", "--release"], ["test"], ["clippy"], ["doc"], ["run"]):
        assert sandboxed(project, *arguments).run.built() == [], arguments


def test_a_failed_unit_is_tried_again_and_its_dependencies_are_not(lab: Lab) -> None:
    project = lab.project(PAIR | {"app/src/main.rs": "fn main() { broken }"})
    assert sandboxed(project, "build").code == 101
    assert sandboxed(project, "build").run.built() == ["rustc app"]
    project.write({"app/src/main.rs": PAIR["app/src/main.rs"]})
    assert sandboxed(project, "build").run.built() == ["rustc app"]


def test_a_removed_target_dir_or_build_dir_is_built_again_and_clean(lab: Lab) -> None:
    project = lab.project(PAIR | {"app/build.rs": "fn main() {}"})
    first = sorted(sandboxed(project, "build").run.built())
    assert len(first) == 4
    for name in ("target", "target/.cargo-sandbox"):
        project.remove(name)
        again = sandboxed(project, "build")
        assert sorted(again.run.built()) == first
        assert again.run.result["verdict"] == "clean", again.shown
    assert plain(project, "clean").code == 0
    assert sorted(sandboxed(project, "build").run.built()) == first


@core
def test_a_second_run_says_how_many_units_are_fresh(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    assert sandboxed(project, "build").code == 0
    again = sandboxed(project, "build")
    assert re.search(r"^Sandbox clean: [0-9]+ units fresh, 0 findings", again.stderr, re.MULTILINE), again.shown
    assert again.run.result["fresh_units"] >= 8


def test_a_build_with_nothing_to_do_loads_little(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    first = loaded(sandboxed(project, "build", env=TELL))
    assert judging(first), "where something ran, it is judged"
    again = sandboxed(project, "build", env=TELL)
    assert again.run.built() == [] and again.run.result["verdict"] == "clean", again.shown
    names = loaded(again)
    # The client of a daemon brings half of the standard library along.
    assert lab.engine == "docker" or names & DEAR == set()
    assert judging(names) == set()
    baselines = {name for name in names if name.startswith(("sandbox.baseline.", "sandbox.policy."))}
    assert baselines == {"sandbox.baseline.places", "sandbox.policy.files"}


def test_two_builds_of_one_workspace_at_the_same_time_both_succeed(lab: Lab) -> None:
    script = "fn main() { std::thread::sleep(std::time::Duration::from_secs(2)); }"
    project = lab.project(scripted(script))
    assert plain(project, "generate-lockfile").code == 0
    first, second = start(project, "build"), start(project, "build")
    ends = [first.wait(60), second.wait(60)]
    assert [done.code for done in ends] == [0, 0], [done.shown for done in ends]
    runs = [project.run(run_id) for run_id in project.store.ids()]
    assert len(runs) == 2
    assert {run.result["verdict"] for run in runs} == {"clean"}
    assert sorted(len(run.built()) for run in runs) == [0, 3]
    assert sum(b"Blocking waiting for file lock on build directory" in done.err for done in ends) == 1


def test_builds_of_two_workspaces_at_the_same_time_do_not_wait_for_each_other(lab: Lab) -> None:
    one, two = lab.project(PAIR), lab.project(PAIR)
    # With a cache that neither finds filled.
    one.env["XDG_CACHE_HOME"] = two.env["XDG_CACHE_HOME"] = str(one.home / "cache")
    ends = [running.wait(60) for running in (start(one, "build"), start(two, "build"))]
    assert [done.code for done in ends] == [0, 0], [done.shown for done in ends]
    assert not any(b"Blocking" in done.err for done in ends)


def test_a_program_that_runs_does_not_hold_up_another_build(lab: Lab) -> None:
    project = lab.project(binary(main="fn main() { std::io::stdin().read_line(&mut String::new()).unwrap(); }"))
    assert sandboxed(project, "build").code == 0
    reader, writer = os.pipe()
    try:
        running = start(project, "run", stdin=reader)
        other = sandboxed(project, "build", timeout=30)
        assert other.code == 0, other.shown
    finally:
        os.write(writer, b"go on\n")
        os.close(writer)
        os.close(reader)
    assert running.wait(30).code == 0


def test_plain_cargo_is_not_disturbed_while_intermediates_of_both_lie_side_by_side(lab: Lab) -> None:
    project = lab.project(PAIR | {"app/build.rs": "fn main() {}"})
    assert plain(project, "build").code == 0
    assert sandboxed(project, "build").code == 0
    between = plain(project, "build")
    assert "Compiling" not in between.stderr, between.shown
    assert sandboxed(project, "build").run.built() == []
    assert plain(project, "run").out == b"usual\n"


def test_cargos_new_layout_of_the_build_dir_is_understood(lab: Lab) -> None:
    """The default since cargo 1.100; before, cargo has it behind a switch."""
    project, env = lab.project(KITCHEN), {"RUSTC_BOOTSTRAP": "1"}
    switch = b"build-dir-new-layout" in plain(project, "-Z", "help", env=env).out
    words = ("run", "-Zbuild-dir-new-layout") if switch else ("run",)
    first = sandboxed(project, *words, env=env)
    assert (first.code, first.out) == (0, KITCHEN_SAYS), first.shown
    assert first.run.result["verdict"] == "clean", first.shown
    build = project.build_dir / "debug"
    assert list(build.glob("build/native-sys/*/fingerprint")) and not (build / "deps").exists()
    again = sandboxed(project, *words, env=env)
    assert again.run.built() == [] and again.run.result["verdict"] == "clean", again.shown
    project.write({"native-sys/answer.c": "int answer(void) { return 43; }\n"})
    changed = sandboxed(project, *words, env=env)
    assert "script native-sys" in changed.run.built() and changed.out.startswith(b"43 "), changed.shown


def test_targets_that_no_manifest_names_are_known_as_soon_as_they_are_there(lab: Lab) -> None:
    """A build script that the guard was not told of would be refused as one of cargo's own programs."""
    project = lab.project(binary(main='fn main() { println!("{:?}", option_env!("MADE")); }'))
    assert sandboxed(project, "run").out == b"None\n"
    project.write({"build.rs": 'fn main() { println!("cargo:rustc-env=MADE=yes"); }', "src/bin/two.rs": "fn main() {}"})
    changed = sandboxed(project, "run", "--bin", "app")
    assert (changed.code, changed.out) == (0, b'Some("yes")\n'), changed.shown
    assert "script app" in changed.run.built()
    assert sandboxed(project, "build").run.units("rustc", "app")
    project.remove("build.rs")
    assert sandboxed(project, "run", "--bin", "app").out == b"None\n"


def test_a_new_version_of_a_dependency_changes_file_names_and_leaves_no_hole(lab: Lab) -> None:
    kinds = '\n[dependencies]\nlow = { path = "low" }\n\n[lib]\ncrate-type = ["rlib", "cdylib"]\n'
    files = binary(more=kinds) | {"src/lib.rs": "pub fn says() {}", "low/src/lib.rs": ""}
    project = lab.project(files | {"low/Cargo.toml": manifest("low")})
    assert sandboxed(project, "build").run.result["verdict"] == "clean"
    project.write({"low/Cargo.toml": manifest("low", version="0.1.1")})
    updated = sandboxed(project, "build")
    assert sorted(updated.run.built()) == ["rustc app", "rustc app", "rustc low"], updated.shown
    assert updated.run.result["verdict"] == "clean", updated.shown
