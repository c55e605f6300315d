"""A project's policy in real builds: who may run, what is allowed, and what is new before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def _accept(project: Project) -> Path:
    done = sandboxed(project, "baseline", "accept" if _graph(project).exists() else "init", "--reason", "as it is")
    assert done.code == 0, done.shown
    return _graph(project)


def _graph(project: Project) -> Path:
    return project.dir / "cargo-sandbox.baseline" / "graph.lock"


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
    untrusted = sandboxed(project, "build", options=("--untrusted",))
    assert untrusted.run.findings("CS0401") == [], "what an untrusted tree accepted was accepted by nobody"
    _accept(project)
    assert not sandboxed(project, "build").run.findings("CS0401")


def test_a_changed_script_of_the_same_version_is_told(lab: Lab) -> None:
    project = lab.project(_with_dependency("mod more;\n" + _MARK) | {"dep/more.rs": "// as accepted"})
    assert sandboxed(project, "build").code == 0
    _accept(project)
    assert sandboxed(project, "build").run.findings() == []
    project.write({"dep/more.rs": "// changed"})
    done = sandboxed(project, "build")
    assert done.code == 0, done.shown
    assert [one["severity"] for one in done.run.findings("CS0403")] == ["low"]
    assert done.run.result["verdict"] == "drift"


def test_an_allowance_with_a_reason_takes_a_finding_away_and_is_shown(lab: Lab) -> None:
    project = lab.project(_with_dependency(_PROBES))
    assert sandboxed(project, "build").code == 120
    allowed = '[[allow]]\npackage = "dep"\nrule = "CS0103"\npath = "/usr/share"\nreason = "looked at by me"\n'
    project.write({"cargo-sandbox.toml": allowed})
    done = sandboxed(project, "build")
    assert done.code == 0, done.shown
    assert done.run.findings() == []
    assert [one["evidence"][-1].rpartition(": ")[2] for one in done.run.result["waived"]] == ["looked at by me"]
    assert "note: 1 finding allowed by policy: CS0103 of dep 0.1.0 (/usr/share/csbench-marker)" in done.stderr
    project.write({"cargo-sandbox.toml": allowed.replace("/usr/share", "/usr/lib")})
    assert sandboxed(project, "build").code == 120


def test_an_allowance_that_nothing_needs_is_told(lab: Lab) -> None:
    unused = '[[allow]]\npackage = "dep"\nrule = "CS0103"\nreason = "once needed"\n'
    project = lab.project(_with_dependency() | {"cargo-sandbox.toml": unused})
    done = sandboxed(project, "build")
    assert done.code == 0, done.shown
    assert [(one["code"], one["severity"]) for one in done.run.findings()] == [("CS0405", "low")]
    assert "note[CS0405]: allowance for dep is not used any more" in done.stderr
    assert "~/ws/cargo-sandbox.toml:2" in done.stderr
