"""A package's build script adds to the command line of compiles, from which the guard reads what they may write."""

from __future__ import annotations

import pytest

from tests.attack.arena import acts_file, application, build, outcomes, workspace
from tests.engines import core
from tests.harness import Lab, Project, guard_binary

pytestmark = [pytest.mark.attack, pytest.mark.engine]

REPORT = ("--deny", "never", "--on-violation", "report")


@pytest.fixture
def talker(lab: Lab) -> Project:
    """A crate that uses the acting macro and has a build script of its own; `tells` puts directives into it."""
    kept = ("csbench-actor/", "csbench-macro/", "csbench-consumer/", "csbench-victim/")
    files = {path: text for path, text in workspace().items() if path.startswith(kept)}
    return lab.project(application("csbench-consumer") | files)


def tells(project: Project, *directives: str) -> None:
    lines = "".join(f'    println!("cargo:{directive}");\n' for directive in directives)
    out = '    let out = std::env::var("OUT_DIR").unwrap();\n'
    file = '    std::fs::write(format!("{out}/args"), "csbench\\n--cfg\\ncsbench_injected\\n").unwrap();\n'
    project.write({"csbench-consumer/build.rs": f"fn main() {{\n{out}{file}{lines}}}\n"})


@core
def test_a_library_named_like_a_flag_gives_a_compile_no_right_to_write(talker: Project) -> None:
    """`-l` takes the next word whatever it is: for the compiler a name, for a careless reader an output folder."""
    tells(talker, f"rustc-link-lib=-o{talker.target}")
    acts = {"plant": ("put", f"{talker.target}/csbench-planted", "x")}
    talker.write({"csbench-consumer/acts": acts_file(acts)})
    # What only checks never asks the linker for such a library.
    done = build(talker, guard_binary(), "check", options=REPORT)
    assert done.code == 0, done.shown
    assert outcomes(done.stderr) == {"plant": "EACCES"}
    assert not (talker.target / "csbench-planted").exists()
    tries = [event for event in done.run.events("open") if str(event["path"]).endswith("csbench-planted")]
    assert [(event["outcome"], event.get("by")) for event in tries] == [("denied", "landlock")]


def test_an_argument_file_in_another_packages_compile_is_refused_and_told(talker: Project) -> None:
    """A search path reaches the compilers of all that depend on the package, and `@FILE` is replaced by any flags."""
    tells(talker, "rustc-link-search=@{out}/args")
    done = build(talker, guard_binary(), "check", options=REPORT)
    assert done.code != 0, done.shown
    forged = [event for event in done.run.events("forged") if str(event.get("path")).endswith("/args")]
    assert forged and {event["outcome"] for event in forged} == {"denied"}, done.shown
    assert ("argument file", "CS0107") in {(entry["subject"], entry["code"]) for entry in done.run.findings()}
    assert not [
        event
        for event in done.run.events("open")
        if str(event["path"]).endswith("/out/args") and event["access"] == "read"
    ]
