"""The life of a baseline on real builds: init, a dependency that changes, diff, review, accept, verify."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.baseline.store import load_all
from tests.engine.crates import manifest
from tests.engine.loads import TELL, loaded
from tests.engines import core
from tests.harness import Lab, sandboxed

pytestmark = pytest.mark.engine

QUIET = 'fn main() { println!("cargo::rustc-cfg=quiet"); println!("cargo::rustc-check-cfg=cfg(quiet)"); }'
LOUD = """\
fn main() {
    println!("cargo::rustc-cfg=quiet");
    println!("cargo::rustc-check-cfg=cfg(quiet)");
    assert!(std::process::Command::new("/bin/uname").arg("-s").output().unwrap().status.success());
}
"""
TREE = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["low", "high", "app"]\n',
    "low/Cargo.toml": manifest("low"),
    "low/build.rs": QUIET,
    "low/src/lib.rs": "",
    "high/Cargo.toml": manifest("high", '\n[dependencies]\nlow = { path = "../low" }\n'),
    "high/build.rs": "fn main() {}",
    "high/src/lib.rs": "",
    "app/Cargo.toml": manifest("app", '\n[dependencies]\nhigh = { path = "../high" }\n'),
    "app/src/main.rs": "fn main() {}",
}


@core
def test_init_change_diff_review_accept_verify(lab: Lab) -> None:
    project = lab.project(TREE)
    store = project.dir / "cargo-sandbox.baseline"
    early = sandboxed(project, "baseline", "init")
    assert early.code == 2 and "build first: cargo-sandbox build" in early.stderr
    assert not store.exists()

    assert sandboxed(project, "build").code == 0
    done = sandboxed(project, "baseline", "init")
    assert done.code == 0, done.shown
    assert sorted(load_all(store)) == ["high", "low"]
    assert sandboxed(project, "baseline", "verify", "--locked-baseline").code == 0
    # Nothing runs in the second build: what is fresh is known all the same.
    again = sandboxed(project, "build")
    assert again.units("script") == []
    assert sandboxed(project, "baseline", "verify", "--locked-baseline").code == 0

    project.write({"low/build.rs": LOUD})
    assert sandboxed(project, "build").code == 0
    failed = sandboxed(project, "baseline", "verify", "--locked-baseline")
    assert failed.code == 123, failed.shown
    assert "low 0.1.0: 1 facts are not in the baseline" in failed.stdout
    diff = sandboxed(project, "baseline", "diff")
    assert diff.code == 0
    added = [line for line in diff.stdout.splitlines() if line.startswith("  + ")]
    assert len(added) == 1 and "exec exec /bin/uname" in added[0], diff.shown
    assert "high" not in diff.stdout

    before = (store / "low.toml").read_text()
    listed = sandboxed(project, "review")
    assert "/bin/uname" in listed.stdout and "nothing was accepted" in listed.stdout
    (unit,) = json.loads(sandboxed(project, "review", "--json").out)["units"]
    assert (unit["package"], unit["rung"], len(unit["new"])) == ("low", "same version", 1)
    asked = sandboxed(project, "review", tty=True, stdin=b"e\nr\ns\n")
    assert asked.code == 0, asked.shown
    assert "[1/1]" in asked.stdout and "accept, skip, show events, read its code, quit?" in asked.stdout
    assert "build script: notable (1 file read)" in asked.stdout, asked.shown
    assert '"path": "/bin/uname"' in asked.stdout and "nothing was accepted" in asked.stdout
    refused = sandboxed(project, "baseline", "accept", "low")
    assert refused.code == 2 and "without a reason" in refused.stderr
    assert (store / "low.toml").read_text() == before

    accepted = sandboxed(project, "baseline", "accept", "low", "--reason", "it asks for the system's name")
    assert accepted.code == 0, accepted.shown
    after = (store / "low.toml").read_text().splitlines()
    # One fact is one line more; the reason is another one.
    new = [line for line in after if line not in before.splitlines()]
    assert len(after) == len(before.splitlines()) + 1
    assert [line.split("=")[0].strip() for line in new] == ["reason", "{ class"]
    assert sandboxed(project, "baseline", "verify", "--locked-baseline").code == 0
    assert sandboxed(project, "baseline", "status").stdout.startswith(
        "high 0.1.0: same version (0.1.0, tree), nothing new"
    )


def test_learning_builds_anew_each_time_and_accepts_only_with_a_reason(lab: Lab) -> None:
    project = lab.project(TREE)
    store = project.dir / "cargo-sandbox.baseline"
    shown = sandboxed(project, "baseline", "learn", "--runs", "2", options=[])
    assert shown.code == 0, shown.shown
    assert "would accept low 0.1.0" in shown.stdout and "nothing was: give --reason" in shown.stdout
    assert not store.exists() and not project.target.exists()
    learned = sandboxed(project, "baseline", "learn", "--runs", "2", "--reason", "two clean builds")
    assert learned.code == 0, learned.shown
    (entry,) = load_all(store)["low"].versions
    assert (entry.runs, entry.reason) == (2, "two clean builds")
    assert {one.seen for unit in entry.units for one in unit.facts} == {2}
    assert sandboxed(project, "build").code == 0
    assert sandboxed(project, "baseline", "verify").code == 0


def test_a_build_under_a_locked_baseline_fails_until_all_of_it_is_accepted(lab: Lab) -> None:
    project = lab.project(TREE)
    locked = ("--locked-baseline",)
    missing = sandboxed(project, "build", options=locked)
    assert missing.code == 123 and "low 0.1.0: no baseline" in missing.stderr, missing.shown
    assert missing.run.result["exit_code"] == 123
    assert sandboxed(project, "baseline", "init").code == 0
    assert sandboxed(project, "build", options=locked).code == 0, "what is fresh is known as well"
    project.write({"low/build.rs": LOUD})
    new = sandboxed(project, "build", options=locked)
    assert new.code == 123 and "1 facts are not in the baseline" in new.stderr, new.shown


@core
def test_what_was_accepted_is_no_drift_any_more_though_nothing_is_built_again(lab: Lab) -> None:
    project = lab.project(TREE)
    assert sandboxed(project, "build").code == 0
    assert sandboxed(project, "baseline", "init").code == 0
    project.write({"low/build.rs": LOUD})
    drifted = sandboxed(project, "build")
    assert [one["package"] for one in drifted.run.findings("CS0301")] == ["low"], drifted.shown
    fresh = sandboxed(project, "build")
    assert fresh.run.built() == [] and [one["fresh"] for one in fresh.run.findings("CS0301")] == [True], fresh.shown
    assert sandboxed(project, "baseline", "accept", "low", "--reason", "it asks for the system's name").code == 0
    after = sandboxed(project, "build")
    assert after.run.built() == [] and after.run.findings() == [], after.shown
    assert after.run.result["verdict"] == "clean"


def test_an_open_finding_is_told_in_each_build_and_judged_anew_only_when_something_has_changed(lab: Lab) -> None:
    project = lab.project(TREE)
    assert sandboxed(project, "build").code == 0
    assert sandboxed(project, "baseline", "init").code == 0
    project.write({"low/build.rs": LOUD})
    drifted = sandboxed(project, "build").run.findings()

    def drift(findings: list[dict[str, Any]]) -> list[str]:
        return [f"{one['code']} {one['subject']}" for one in findings if one["code"].startswith("CS03")]

    def again() -> tuple[bool, list[str]]:
        done = sandboxed(project, "build", env=TELL)
        assert done.run.built() == [], done.shown
        return "sandbox.run.judgement" in loaded(done), drift(done.run.findings())

    told = drift(drifted)
    assert told == ["CS0301 /bin/uname"]
    assert [again(), again(), again()] == [(True, told), (False, told), (False, told)]
    # Another version of the same words: whoever wrote it may have accepted something.
    store = project.dir / "cargo-sandbox.baseline" / "low.toml"
    store.write_text(store.read_text() + "\n")
    assert [again(), again()] == [(True, told), (False, told)]
    store.unlink()
    unknown = ["CS0304 /bin/uname"]
    assert [again(), again()] == [(True, unknown), (False, unknown)]


@core
def test_a_baseline_that_cannot_be_read_hides_no_finding_and_makes_the_run_incomplete(lab: Lab) -> None:
    project = lab.project(TREE)
    project.write({"cargo-sandbox.baseline/low.toml": "schema = 99\n"})
    done = sandboxed(project, "build")
    assert done.run.result["verdict"] == "incomplete", done.shown
    assert "not all could be judged" in done.stderr and "low.toml" in done.stderr
    project.write({"low/build.rs": 'fn main() { let _ = std::fs::write("/usr/share/csbench-marker", "x"); }'})
    caught = sandboxed(project, "build", options=("--on-violation", "report"))
    assert caught.code == 120 and caught.run.findings("CS0103"), caught.shown
    options = ("--locked-baseline", "--deny", "never", "--on-violation", "report")
    assert sandboxed(project, "build", options=options).code == 123


def test_an_untrusted_tree_has_no_say_in_what_is_accepted(lab: Lab) -> None:
    project = lab.project(TREE)
    project.write({"low/build.rs": LOUD})
    assert sandboxed(project, "build").code == 0
    assert sandboxed(project, "baseline", "init").code == 0
    # From nothing, so that the units run again.
    project.remove("target")
    trusted = sandboxed(project, "build")
    assert trusted.run.result["no_baseline"] == 0, trusted.shown
    project.remove("target")
    untrusted = sandboxed(project, "build", options=("--untrusted",))
    assert untrusted.run.result["no_baseline"] == 2, untrusted.shown
    assert sandboxed(project, "build", options=("--untrusted", "--locked-baseline")).code == 123
