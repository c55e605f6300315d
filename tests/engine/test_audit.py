"""Supply-chain checks around real builds: `audit` says what was looked at, and what is known to be bad never runs."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from sandbox.preflight import audit_json
from tests.engine.crates import binary, manifest
from tests.engine.registry import package, registry
from tests.harness import Done, Lab, Project, sandboxed
from tests.unit.preflight.advisory_files import put_record

pytestmark = pytest.mark.engine

_SCHEMA = json.loads((Path(audit_json.__file__).parent / "schema" / "audit-v1.schema.json").read_text("utf-8"))
_MARK = 'fn main() { std::fs::write(std::env::var("OUT_DIR").unwrap() + "/ran", "yes").unwrap(); }'
_PLANTED = {"PYTHONPATH": str(Path(__file__).parent / "planted")}


def _needs(name: str) -> dict[str, str]:
    """A program with a dependency that has a build script."""
    more = f'\n[dependencies]\n{name} = {{ path = "dep" }}\n\n[workspace]\nexclude = ["dep"]\n'
    return binary(more=more) | {"dep/Cargo.toml": manifest(name), "dep/src/lib.rs": "", "dep/build.rs": _MARK}


def _locked(lab: Lab, files: dict[str, str]) -> Project:
    """A project with a lock file; nothing of it was built."""
    project = lab.project(files)
    done = sandboxed(project, "plan", "check")
    assert done.code == 0, done.shown
    assert (project.dir / "Cargo.lock").exists()
    return project


def _ran(project: Project) -> list[Path]:
    return list(project.target.rglob("ran"))


def _json(done: Done) -> dict[str, object]:
    data: dict[str, object] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(_SCHEMA).validate(data)
    return data


def test_an_audit_says_what_each_check_looked_at_and_leaves_the_tree_as_it_is(lab: Lab) -> None:
    project = _locked(lab, _needs("dep"))
    before = sorted(project.dir.rglob("*"))
    done = sandboxed(project, "audit", env=_PLANTED)
    assert done.code == 0, done.shown
    assert "  done     planted" in done.stdout
    assert "a list of names: 2 packages, 0 findings" in done.stdout
    assert "note[CS0593]: the project: has no pinned toolchain" in done.stdout
    assert sorted(project.dir.rglob("*")) == before
    data = _json(sandboxed(project, "audit", "--json", "--only", "planted,pinning", env=_PLANTED))
    assert (data["verdict"], data["complete"], data["packages"]) == ("drift", True, 2)


def test_a_missing_lock_file_is_told_and_none_is_written(lab: Lab) -> None:
    project = lab.project(_needs("dep"))
    done = sandboxed(project, "audit")
    assert done.code == 0, done.shown
    assert "note[CS0590]: the project: has no lock file" in done.stdout
    assert "warning: not looked at: there is no lock file, so no dependency was looked at" in done.stdout
    assert "Audit incomplete" in done.stdout
    assert sandboxed(project, "audit", options=["--require-complete"]).code == 122
    assert not (project.dir / "Cargo.lock").exists()


def test_an_outdated_lock_file_is_told_by_cargo_s_word_and_not_changed(lab: Lab) -> None:
    project = _locked(lab, binary(more="\n[workspace]\n"))
    lock = (project.dir / "Cargo.lock").read_text()
    project.write(_needs("dep"))
    done = sandboxed(project, "audit")
    assert "cargo would have to change it, by its own word" in done.stdout, done.shown
    assert "warning: not looked at: the lock file is not up to date" in done.stdout
    assert (project.dir / "Cargo.lock").read_text() == lock


def test_an_audit_of_a_malicious_dependency_fails_with_its_chain(lab: Lab) -> None:
    project = _locked(lab, _needs("csbench-malware"))
    done = sandboxed(project, "audit", "--report", "audit.md", env=_PLANTED)
    assert done.code == 120, done.shown
    assert "error[CS0550]: package csbench-malware 0.1.0 is known to be malicious" in done.stdout
    assert "= chain: app 0.1.0 -> csbench-malware 0.1.0" in done.stdout
    assert "CS0550" in (project.dir / "audit.md").read_text()
    assert sandboxed(project, "audit", "--only", "pinning", env=_PLANTED).code == 0
    assert sandboxed(project, "audit", "--deny", "never", env=_PLANTED).code == 0
    alone = sandboxed(project, "audit", "--lock", "Cargo.lock", "--json", env=_PLANTED)
    assert alone.code == 120, alone.shown
    assert _json(alone)["workspace"] is None


@pytest.mark.parametrize("options", [(), ("--on-violation", "report", "--deny", "never")])
def test_a_build_with_malware_stops_before_anything_runs(lab: Lab, options: tuple[str, ...]) -> None:
    project = _locked(lab, _needs("csbench-malware"))
    done = sandboxed(project, "build", options=options, env=_PLANTED)
    assert done.code == 120, done.shown
    assert "error[CS0550]: package csbench-malware 0.1.0 is known to be malicious" in done.stderr
    assert "= chain: app 0.1.0 -> csbench-malware 0.1.0" in done.stderr
    assert "nothing was run" in done.stderr
    assert not _ran(project)
    assert (done.run.result["verdict"], done.run.units()) == ("violation", [])
    again = sandboxed(project, "build", options=options, env=_PLANTED)
    assert again.code == 120, "what is kept stops it as well"


def test_what_policy_allows_by_its_code_is_built_and_shown_as_allowed(lab: Lab) -> None:
    allow = '[[allow]]\npackage = "csbench-malware"\nrule = "CS0550"\nreason = "looked at by me"\n'
    project = _locked(lab, _needs("csbench-malware") | {"cargo-sandbox.toml": allow})
    done = sandboxed(project, "build", env=_PLANTED)
    assert done.code == 0, done.shown
    assert _ran(project)
    assert [one["code"] for one in done.run.result["waived"]] == ["CS0550"]
    shown = sandboxed(project, "audit", env=_PLANTED)
    assert shown.code == 0, shown.shown
    assert "allowed by policy: 1 finding" in shown.stdout
    refused = sandboxed(project, "build", options=["--untrusted"], env=_PLANTED)
    assert refused.code == 120, refused.shown


def test_what_an_advisory_knows_stops_a_build_if_it_is_malware_and_is_told_if_it_is_a_weakness(lab: Lab) -> None:
    """The database is made up, the crate is real."""
    project = lab.project(binary(more='\n[dependencies]\nitoa = "=1.0.11"\n'))
    words = '[advisory]\nid = "{}"\npackage = "itoa"\ndate = "{}"\n{}\n[versions]\npatched = [">=1.0.12"]\n'

    def advise(number: str, more: str) -> None:
        text = "```toml\n" + words.format(number, date.today(), more) + "```\n\n# Made up\n\nFor a test.\n"
        project.write({f"db/crates/itoa/{number}.md": text})

    options = ["--advisory-db", str(project.dir / "db")]
    advise("RUSTSEC-2099-0001", 'cvss = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"')
    done = sandboxed(project, "build", options=options)
    assert done.code == 0 and "warning[CS0551]: package itoa 1.0.11" in done.stderr, done.shown
    assert [(one["code"], one["severity"]) for one in done.run.findings()] == [("CS0551", "medium")]
    audit = sandboxed(project, "audit", *options)
    assert audit.code == 120 and "error[CS0551]: package itoa 1.0.11" in audit.stdout, audit.shown
    advise("RUSTSEC-2099-0002", 'categories = ["malicious"]')
    done = sandboxed(project, "build", options=options)
    assert done.code == 120 and "error[CS0550]: package itoa 1.0.11" in done.stderr, done.shown
    assert "nothing was run" in done.stderr
    project.write({"db/crates/itoa/RUSTSEC-2099-0003.md": "no advisory"})
    done = sandboxed(project, "build", options=[*options, "--on-violation", "report", "--deny", "never"])
    assert done.code == 120 and "RUSTSEC-2099-0003" in done.stderr, done.shown


def test_what_is_odd_is_drift_and_what_is_mild_is_the_audit_s_alone(lab: Lab) -> None:
    project = _locked(lab, _needs("csbench-yanked"))
    done = sandboxed(project, "build", env=_PLANTED)
    assert done.code == 0, done.shown
    assert (done.run.result["verdict"], [one["code"] for one in done.run.findings()]) == ("drift", ["CS0536"])
    assert done.stderr.index("[CS0536]") < done.stderr.index("Compiling")
    mild = _locked(lab, _needs("csbench-old"))
    done = sandboxed(mild, "build", env=_PLANTED)
    assert (done.code, done.run.result["verdict"]) == (0, "clean"), done.shown
    assert "CS05" not in done.stderr
    assert done.run.header["preflight"]["planted"] == "done"
    assert sandboxed(mild, "build", options=["--deny", "low"], env=_PLANTED).code == 120


def test_a_check_that_fails_is_a_hole_and_is_tried_again(lab: Lab) -> None:
    project = _locked(lab, _needs("dep"))
    done = sandboxed(project, "build", env=_PLANTED | {"CSBENCH_BREAK": "1"})
    assert done.code == 0, done.shown
    assert done.run.result["verdict"] == "incomplete"
    assert "the check planted failed: the planted check is broken" in done.stderr
    assert sandboxed(project, "build", env=_PLANTED).run.result["verdict"] == "clean"
    audit = sandboxed(project, "audit", env=_PLANTED | {"CSBENCH_BREAK": "1"})
    assert audit.code == 122, audit.shown


def test_answers_are_kept_until_something_changes_and_a_broken_one_is_made_anew(lab: Lab) -> None:
    project = _locked(lab, _needs("dep"))
    folder = project.state / "cargo-sandbox" / "preflight"

    def kept() -> tuple[int, str]:
        (path,) = folder.iterdir()
        return path.stat().st_mtime_ns, path.read_text()

    assert sandboxed(project, "check", env=_PLANTED).code == 0
    first = kept()
    assert sandboxed(project, "check", env=_PLANTED).code == 0
    assert kept() == first
    for path in folder.iterdir():
        path.write_text("broken")
    assert sandboxed(project, "check", env=_PLANTED).code == 0
    assert kept()[1] == first[1]
    project.write(_needs("csbench-malware"))
    assert sandboxed(project, "check", env=_PLANTED).code == 120
    assert kept()[1] != first[1]


def test_what_an_advisory_database_calls_malicious_is_fetched_and_never_run(lab: Lab) -> None:
    files = {"Cargo.toml": manifest("csbench-evil", version="1.0.0"), "src/lib.rs": "", "build.rs": _MARK}
    more = '\n[dependencies]\ncsbench-evil = "1"\n\n[workspace]\n'
    with registry({("csbench-evil", "1.0.0"): package("csbench-evil", "1.0.0", files)}) as (url, _):
        source = f'[source.crates-io]\nreplace-with = "here"\n[source.here]\nregistry = "sparse+{url}"\n'
        project = _locked(lab, binary(more=more) | {"~/.cargo/config.toml": source})
        database = project.path("~/db")
        put_record(database, "MAL-2026-9999", "csbench-evil", {"introduced": "0"})
        options = ("--advisory-db", str(database))
        stopped = sandboxed(project, "build", options=options)
        assert stopped.code == 120, stopped.shown
        assert "error[CS0550]: package csbench-evil 1.0.0 is known to be malicious" in stopped.stderr
        assert "= chain: app 0.1.0 -> csbench-evil 1.0.0" in stopped.stderr
        assert not _ran(project)
        assert stopped.run.units() == []
        audit = sandboxed(project, "audit", "--only", "advisories", options=options)
        assert (audit.code, "MAL-2026-9999" in audit.stdout) == (120, True), audit.shown
        put_record(database, "MAL-2026-9999", "csbench-evil", {"introduced": "2.0.0"})
        other = sandboxed(project, "build", options=options)
        assert other.code == 0, other.shown
        assert _ran(project), "another version than the malicious one is built, as soon as the database says so"
        broken = sandboxed(project, "check", options=["--advisory-db", str(project.path("~/none"))])
        assert broken.run.result["verdict"] == "incomplete", broken.shown
        assert "the check advisories" in broken.stderr
