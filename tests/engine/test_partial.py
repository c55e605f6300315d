"""Who does thousands of harmless things first, so that what follows is lost among them, is not called clean."""

from __future__ import annotations

import pytest

from tests.engine.crates import binary, scripted
from tests.engines import core
from tests.harness import Lab, sandboxed

pytestmark = pytest.mark.engine


def makes(times: int) -> str:
    """A program that makes and removes so many files, where a build script should or else in scratch space."""
    return f"""\
fn main() {{
    let place = std::env::var("OUT_DIR").unwrap_or_else(|_| std::env::temp_dir().display().to_string());
    for number in 0..{times} {{
        let path = format!("{{place}}/csbench-{{number}}.txt");
        std::fs::write(&path, "").unwrap();
        std::fs::remove_file(&path).unwrap();
    }}
}}
"""


@core
def test_a_script_of_which_rules_saw_a_part_is_told_of_until_it_does_less(lab: Lab) -> None:
    project = lab.project(scripted(makes(5_500)))
    for fresh in (False, True):
        done = sandboxed(project, "build")
        assert (done.code, done.run.result["verdict"]) == (0, "drift"), done.shown
        (finding,) = done.run.findings()
        assert (finding["code"], finding["package"], finding["subject"]) == ("CS0117", "app", "write")
        assert (finding["severity"], finding["fresh"]) == ("medium", fresh)
        assert "in part only" in done.stderr
    project.write({"build.rs": makes(50)})
    done = sandboxed(project, "build")
    assert (done.code, done.run.result["verdict"]) == (0, "clean"), done.shown


def test_a_program_of_the_user_s_own_may_do_as_much_as_it_likes(lab: Lab) -> None:
    done = sandboxed(lab.project(binary(main=makes(5_500))), "run")
    assert (done.code, done.run.result["verdict"]) == (0, "clean"), done.shown
