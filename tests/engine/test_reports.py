"""`--report` on real builds: written whatever became of the build, never at its cost."""

from __future__ import annotations

import json

import pytest

from tests.engine.crates import binary, scripted
from tests.harness import Lab, sandboxed

pytestmark = pytest.mark.engine

CALLS = 'fn main() { let _ = std::net::TcpStream::connect("192.0.2.44:48443"); }'
SPOILS = """\
fn main() {
    std::fs::create_dir("target/report.json").unwrap();
    println!("hello");
}
"""


def test_a_stopped_build_has_its_reports_and_a_later_one_says_the_same(lab: Lab) -> None:
    project = lab.project(scripted(CALLS))
    done = sandboxed(project, "build", options=["--report", "a.json", "--report", "sarif:target/b"])
    assert done.code == 120 and done.out == b"", done.shown
    data = json.loads(project.path("a.json").read_text())
    assert (data["verdict"], data["exit_code"], data["seen"]["extent"]) == ("violation", 120, "part")
    place = data["findings"][0]["location"]
    line = project.path("Cargo.lock").read_text().split("\n")[place["line"] - 1]
    assert place["file"] == "Cargo.lock" and line.startswith("version = "), done.shown
    assert json.loads(project.path("target/b").read_text())["runs"][0]["results"][0]["ruleId"] == "CS0102"
    again = sandboxed(project, "report", "last", "--format", "json")
    assert again.out == project.path("a.json").read_bytes()


def test_a_report_that_the_program_spoils_costs_neither_output_nor_record(lab: Lab) -> None:
    project = lab.project(binary(main=SPOILS))
    done = sandboxed(project, "run", options=["--report", "target/report.json", "--report", "b.md"])
    assert done.out == b"hello\n", done.shown
    assert done.code == 2 and "error: the report target/report.json can't be written: Is a directory" in done.stderr
    assert done.run.status == "finished" and done.run.result["cargo_code"] == 0
    assert "## cargo-sandbox: " in project.path("b.md").read_text()


def test_a_report_that_has_no_place_is_told_before_anything_is_built(lab: Lab) -> None:
    project = lab.project(binary())
    done = sandboxed(project, "build", options=["--report", "no/such/a.json"])
    assert done.code == 2 and "the report no/such/a.json can't be written" in done.stderr
    assert not list(project.target.glob("debug/*")), done.shown
