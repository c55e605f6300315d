"""A project's policy in real builds: who may run, what is allowed, and what is new before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.cargo.metadata import Facts
from sandbox.policy import graph_state
from tests.engine.crates import binary, manifest, scripted
from tests.harness import Lab, Project, sandboxed

pytestmark = pytest.mark.engine

_MARK = 'fn main() { std::fs::write(std::env::var("OUT_DIR").unwrap() + "/ran", "yes").unwrap(); }'
_PROBES = """\
fn main() {
    let _ = std::fs::write("/usr/share/csbench-marker", "x");
    println!("cargo::rerun-if-changed=build.rs");
}
"""


def _with_dependency(script: str = _MARK) -> dict[str, str]:
    """A program whose dependency has a build script."""
    needs = '\n[dependencies]\ndep = { path = "dep" }\n\n[workspace]\nexclude = ["dep"]\n'
    return binary(more=needs) | {
        "dep/Cargo.toml": manifest("dep"),
        "dep/src/lib.rs": "",
        "dep/build.rs": script,
    }


def _facts(project: Project) -> Facts:
    """The resolved graph that the last build stored."""
    found = sorted((project.lab.cache / "cargo-sandbox" / "facts").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    facts = next(
        facts
        for path in reversed(found)
        if (facts := Facts.from_json(path.read_text().partition("\n")[2])) and facts.root == str(project.dir)
    )
    return facts


def _accept(project: Project) -> Path:
    return graph_state.accept_facts(project.dir / "cargo-sandbox.baseline", _facts(project), "2026-11-29")


def test_a_build_script_that_is_not_allowed_does_not_run_and_the_build_says_how_to_allow_it(lab: Lab) -> None:
    project = lab.project(_with_dependency() | {"cargo-sandbox.toml": "[build-scripts]\ndeny = true\n"})
    done = sandboxed(project, "build")
    assert done.code == 120, done.shown
    assert "error[CS0404]: package dep 0.1.0" in done.stderr
    assert "= chain: app 0.1.0 -> dep 0.1.0" in done.stderr
    assert 'allow = ["dep"]' in done.stderr
    assert not list(project.target.rglob("ran"))
    assert done.run.result["verdict"] == "violation"
    assert done.run.units() == []
    project.write({"cargo-sandbox.toml": '[build-scripts]\ndeny = true\nallow = ["dep@0.1"]\n'})
    assert sandboxed(project, "build").code == 0
    assert list(project.target.rglob("ran"))
    assert sandboxed(project, "build", options=["--allow-build-script", "x"]).code == 0


def test_a_dependency_cannot_allow_its_own_script(lab: Lab) -> None:
    own = {"dep/cargo-sandbox.toml": '[build-scripts]\ndeny = false\nallow = ["dep"]\n'}
    project = lab.project(_with_dependency() | own)
    done = sandboxed(project, "build", options=["--deny-build-scripts"])
    assert done.code == 120, done.shown


def test_an_untrusted_tree_may_only_tighten(lab: Lab) -> None:
    loosens = 'deny = "never"\non-violation = "report"\nallow-env = ["SECRET_OF_MINE"]\nprocess-limit = 500\n'
    script = 'fn main() { if std::env::var("SECRET_OF_MINE").is_ok() { panic!("seen"); } }'
    project = lab.project(scripted(script) | {"cargo-sandbox.toml": loosens})
    done = sandboxed(project, "build", options=["--untrusted"], env={"SECRET_OF_MINE": "x"})
    assert done.code == 0, done.shown
    assert "may only tighten: deny = never, on-violation = report, allow-env = [SECRET_OF_MINE]" in done.stderr
    assert done.run.plan["limits"]["processes"] == 500
    project.remove("target")
    trusted = sandboxed(project, "build", env={"SECRET_OF_MINE": "x"})
    assert trusted.code == 101, trusted.shown
    assert "note: the project's cargo-sandbox.toml loosens: deny = never" in trusted.stderr
    assert "deny = never" in trusted.run.header["policy"]["loosened"]


def test_a_mistake_in_the_file_stops_the_build_before_anything_is_resolved(lab: Lab) -> None:
    project = lab.project(binary() | {"cargo-sandbox.toml": 'deny = "high"\n\nalow-env = ["A"]\n'})
    done = sandboxed(project, "build")
    assert done.code == 2, done.shown
    assert "cargo-sandbox.toml:3: `alow-env` is not a known key" in done.stderr
    assert "did you mean `allow-env`?" in done.stderr
    assert not project.target.exists()


def test_a_package_that_is_new_with_a_build_script_is_told_before_that_script_runs(lab: Lab) -> None:
    project = lab.project(binary(more="\n[workspace]\n"))
    assert sandboxed(project, "build").code == 0
    assert "CS04" not in sandboxed(project, "build").stderr
    _accept(project)
    project.write(_with_dependency('fn main() { panic!("the script has run"); }'))
    done = sandboxed(project, "build")
    assert done.code == 101, done.shown
    assert done.stderr.index("[CS0401]: package dep 0.1.0 is new in the graph") < done.stderr.index("has run")
    assert [one["package"] for one in done.run.findings("CS0401")] == ["dep"]
    _accept(project)
    assert not sandboxed(project, "build").run.findings("CS0401")


def test_a_changed_script_of_the_same_version_is_told(lab: Lab) -> None:
    project = lab.project(_with_dependency())
    assert sandboxed(project, "build").code == 0
    _accept(project)
    assert sandboxed(project, "build").run.findings() == []
    project.write({"dep/build.rs": _MARK + "\n// changed"})
    done = sandboxed(project, "build")
    assert done.code == 0, done.shown
    assert [(one["code"], one["severity"]) for one in done.run.findings()] == [("CS0403", "low")]
    assert done.run.result["verdict"] == "drift"
