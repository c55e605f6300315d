"""`sbom` and `tree` on a real workspace, resolved by the real cargo: before a build, after it, and with a baseline."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.engine.crates import KITCHEN, manifest
from tests.engine.registry import package, registry
from tests.engines import core
from tests.harness import Done, Lab, Project, sandboxed

pytestmark = pytest.mark.engine

TREE = KITCHEN | {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["native-sys", "derive", "middle", "app"]\n\n'
    '[workspace.package]\nlicense = "MIT/Apache-2.0"\n',
    "app/Cargo.toml": manifest("app", 'license.workspace = true\n\n[dependencies]\nmiddle = { path = "../middle" }\n'),
    "middle/Cargo.toml": manifest(
        "middle",
        'license-file = "COPYING"\n\n[dependencies]\nnative-sys = { path = "../native-sys" }\n'
        'derive = { path = "../derive" }\n',
    ),
    "middle/COPYING": "none\n",
}


def document(project: Project, *words: str) -> dict[str, Any]:
    done = sandboxed(project, "sbom", *words)
    assert done.code == 0, done.shown
    again = sandboxed(project, "sbom", *words)
    assert again.out == done.out, "two calls give the same bytes"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(done.stdout) is None
    data: dict[str, Any] = json.loads(done.out)
    return data


def told(data: dict[str, Any], name: str) -> dict[str, str]:
    found = next(one for one in data["components"] if one["name"] == name)
    return {one["name"].removeprefix("cargo-sandbox:"): one["value"] for one in found["properties"]}


def tree(project: Project, *words: str) -> str:
    done: Done = sandboxed(project, "tree", *words)
    assert done.code == 0, done.shown
    return done.stdout


@core
def test_before_a_build_nothing_ran_and_after_it_is_told_what_did(lab: Lab) -> None:
    project = lab.project(TREE)
    before = document(project)
    assert told(before, "middle")["build-script"] == "no run recorded"
    assert told(before, "middle")["verdict"] == "no run recorded"
    assert [one["use"] for one in (told(before, "derive"), told(before, "app"))] == ["build", "runtime"]
    assert "note: no run of this workspace is on record" in tree(project)

    built = sandboxed(project, "build")
    assert built.code == 0, built.shown
    after = document(project)
    run = {one["name"]: one["value"] for one in after["metadata"]["properties"]}
    assert run["cargo-sandbox:run"] == built.run_id
    assert run["cargo-sandbox:run-verdict"] == built.run.result["verdict"]
    assert [told(after, name)["build-script"] for name in ("middle", "native-sys", "app")] == ["ran", "ran", "none"]
    assert [told(after, name)["proc-macro"] for name in ("derive", "middle")] == ["loaded", "none"]
    assert told(after, "middle")["verdict"] == "clean" and told(after, "middle")["baseline"] == "none"
    licences = {one["name"]: one.get("licenses") for one in after["components"]}
    assert licences["app"] == [{"expression": "MIT OR Apache-2.0", "acknowledgement": "declared"}]
    assert licences["middle"] == [{"license": {"name": "see the file COPYING", "acknowledgement": "declared"}}]
    assert licences["derive"] is None
    assert str(project.home) not in json.dumps(after)

    text = tree(project)
    assert "native-sys 0.1.0 [path native-sys, script ran, links answer, baseline none]" in text
    assert "derive 0.1.0 [path derive, build-time, macro loaded]" in text
    assert "1  see" not in text and "MIT" not in text
    summed = tree(project, "--licences")
    assert "    1  Apache-2.0 OR MIT\n       app 0.1.0" in summed and "middle 0.1.0 (COPYING)" in summed


@core
def test_fresh_units_baselines_and_what_is_new_are_told_apart(lab: Lab) -> None:
    project = lab.project(TREE)
    assert sandboxed(project, "build").code == 0
    assert sandboxed(project, "baseline", "init").code == 0
    assert sandboxed(project, "build").code == 0
    made = document(project)
    assert told(made, "middle")["build-script"] == "fresh"
    assert told(made, "middle")["baseline"] == "known" and told(made, "middle")["baseline-store"] == "tree"
    assert told(made, "middle")["new"] == "false"

    script = KITCHEN["middle/build.rs"].replace(
        "fn main() {", 'fn main() {\n    assert!(Command::new("/bin/uname").output().unwrap().status.success());', 1
    )
    project.write({
        "middle/build.rs": script,
        "late/Cargo.toml": manifest("late"), "late/src/lib.rs": "",
        "app/Cargo.toml": TREE["app/Cargo.toml"] + 'late = { path = "../late" }\n',
    })  # fmt: skip
    assert sandboxed(project, "build").code == 0
    assert told(document(project), "middle")["baseline"] == "changed"
    assert tree(project, "--only", "new").splitlines()[:2] == ["app 0.1.0", "└── late 0.1.0 [path late, new]"]
    found = tree(project, "--only", "findings", "-p", "middle").splitlines()[0]
    assert "baseline changed" in found and "CS0301" in found
    # An untrusted tree has no say about what is accepted.
    assert "baseline known" in tree(project, "-p", "native-sys")
    loose = sandboxed(project, "tree", "-p", "native-sys", options=("--untrusted",))
    assert loose.code == 0 and "baseline none" in loose.stdout, loose.shown
    assert "note: the tree is not trusted" in loose.stdout


@core
def test_a_package_of_a_private_registry_and_a_lock_file_alone(lab: Lab) -> None:
    files = {"Cargo.toml": manifest("csbench-tiny", 'license = "ask us"\n'), "src/lib.rs": ""}
    with registry({("csbench-tiny", "0.1.0"): package("csbench-tiny", "0.1.0", files)}) as (url, _):
        project = lab.project(
            {
                "Cargo.toml": manifest(
                    "app", '\n[dependencies]\ncsbench-tiny = { version = "0.1", registry = "acme" }\n'
                ),
                "src/main.rs": "fn main() {}",
                "~/.cargo/config.toml": f'[registries.acme]\nindex = "sparse+{url}"\n',
            }
        )
        made = document(project)
        tiny = next(one for one in made["components"] if one["name"] == "csbench-tiny")
        assert tiny["purl"].startswith("pkg:cargo/csbench-tiny@0.1.0?repository_url=http")
        assert tiny["hashes"][0]["alg"] == "SHA-256"
        assert tiny["licenses"] == [{"license": {"name": "ask us", "acknowledgement": "declared"}}]
        assert f"registry {url}" in tree(project)
    alone = document(project, "--lock", "Cargo.lock")
    assert told(alone, "csbench-tiny")["build-script"] == "unknown"
    assert told(alone, "csbench-tiny")["licence"] == "unread"
    assert "note: not resolved" in tree(project, "--lock", "Cargo.lock")
