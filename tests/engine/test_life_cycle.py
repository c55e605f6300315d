"""The life of a baseline as a team has it: accepted by one, an update by another, and a CI that knows only the tree."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sandbox.baseline.store import load_all
from tests.engine.crates import binary
from tests.engine.registry import package, registry
from tests.engines import core
from tests.harness import Done, Lab, Project, plain, sandboxed

pytestmark = pytest.mark.engine

_NAMES_THE_SYSTEM = 'assert!(std::process::Command::new("/bin/uname").arg("-s").output().unwrap().status.success());'


def _published(version: str, act: str = "") -> bytes:
    script = f'fn main() {{ println!("cargo::rustc-env=TINY={version}"); {act} }}'
    manifest = (
        f'[package]\nname = "csbench-tiny"\nversion = "{version}"\nedition = "2021"\n\n'
        '[features]\ndefault = ["std"]\nstd = []\n'
    )
    return package("csbench-tiny", version, {"Cargo.toml": manifest, "build.rs": script, "src/lib.rs": ""})


@pytest.fixture
def index() -> Iterator[str]:
    """A registry with two versions of one package, of which the later one's script does more."""
    versions = {
        ("csbench-tiny", "1.0.0"): _published("1.0.0"),
        ("csbench-tiny", "1.0.1"): _published("1.0.1", _NAMES_THE_SYSTEM),
    }
    with registry(versions, features={"default": ["std"], "std": []}) as (url, _):
        yield f'[source.crates-io]\nreplace-with = "here"\n[source.here]\nregistry = "sparse+{url}"\n'


def _checked_out(lab: Lab, of: Project, config: str) -> Project:
    """What somebody else has of a tree: its files, and no run, no target dir."""
    files = {str(path.relative_to(of.dir)): path.read_bytes() for path in of.dir.rglob("*") if path.is_file()}
    kept = {name: data for name, data in files.items() if not name.startswith("target/")}
    return lab.project(kept | {"~/.cargo/config.toml": config.encode()})


def _in_ci(lab: Lab, of: Project, config: str) -> Done:
    """A CI's build of a fresh checkout, which must find everything accepted."""
    return sandboxed(_checked_out(lab, of, config), "build", "--locked", options=("--locked-baseline",))


@core
def test_init_update_diff_review_accept_and_verify_in_ci(lab: Lab, index: str) -> None:
    project = lab.project(binary(more='\n[dependencies]\ncsbench-tiny = "1"\n') | {"~/.cargo/config.toml": index})
    assert plain(project, "update", "-p", "csbench-tiny", "--precise", "1.0.0").code == 0
    first = sandboxed(project, "build")
    assert first.code == 0 and first.run.result["no_baseline"] == 1, first.shown
    assert "1 without a baseline" in first.stderr
    assert _in_ci(lab, project, index).code == 123, "nobody has accepted anything"
    assert sandboxed(project, "baseline", "init").code == 0
    store = project.dir / "cargo-sandbox.baseline"
    (entry,) = load_all(store)["csbench-tiny"].versions
    assert (entry.version, entry.features) == ("1.0.0", ("default", "std"))
    assert entry.target.endswith("-linux-gnu") and entry.toolchain and len(entry.checksum) == 64
    assert _in_ci(lab, project, index).code == 0

    assert plain(project, "update", "-p", "csbench-tiny").code == 0
    unbuilt = sandboxed(project, "baseline", "verify")
    assert unbuilt.code == 123 and "Cargo.lock has changed since run" in unbuilt.stdout, unbuilt.shown
    refused = _in_ci(lab, project, index)
    assert refused.code == 123, refused.shown
    assert "csbench-tiny 1.0.1: not in the baseline (earlier version, 1.0.0)" in refused.stderr
    updated = sandboxed(project, "build")
    assert updated.code == 0 and updated.run.result["verdict"] == "drift", updated.shown
    assert [one["package"] for one in updated.run.findings("CS0303")] == ["csbench-tiny"]
    # From anywhere: the project is named as to cargo.
    there = ("--manifest-path", "ws/Cargo.toml")
    diff = sandboxed(project, "baseline", "diff", *there, cwd="..")
    assert "compared with 1.0.0 in the tree's baseline, earlier version" in diff.stdout, diff.shown
    assert "+ exec exec /bin/uname" in diff.stdout and "features: default, std" in diff.stdout
    (unit,) = json.loads(sandboxed(project, "review", "--json", *there, cwd="..").out)["units"]
    assert [fact["object"] for fact in unit["new"]] == ["/bin/uname"]
    reviewed = sandboxed(project, "review", *there, cwd="..", tty=True, stdin=b"a\nit names the system\n")
    assert reviewed.code == 0 and "accepted csbench-tiny 1.0.1" in reviewed.stdout, reviewed.shown
    assert _in_ci(lab, project, index).code == 0

    status = sandboxed(project, "baseline", "status").stdout
    assert "csbench-tiny 1.0.0: unused, Cargo.lock does not have it" in status
    assert "removed csbench-tiny 1.0.0" in sandboxed(project, "baseline", "prune").stdout
    assert [one.version for one in load_all(store)["csbench-tiny"].versions] == ["1.0.1"]
    assert sandboxed(project, "build").run.result["verdict"] == "clean"
    assert _in_ci(lab, project, index).code == 0
