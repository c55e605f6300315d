"""Real crates with build scripts and proc macros, checked as by a developer and as in a CI: nothing is grave."""

from __future__ import annotations

import pytest

from sandbox.judge.model import at_least
from tests.engines import only
from tests.harness import Lab, sandboxed

pytestmark = [pytest.mark.benign, pytest.mark.slow, only("bubblewrap", "what a crate does is the same in both engines")]

# One or more of each kind: compiler probes, C and assembler, system library, code generation, git metadata, macros that
# read files, macros that are pure.
CRATES = """\
anyhow = "1"
libc = "0.2"
num-traits = "0.2"
rustversion = "1"
ring = "0.17"
zstd-sys = "2"
libz-sys = { version = "1", features = ["static"] }
protoc-bin-vendored = "3"
prost-build = "0.14"
vergen-gitcl = "1"
built = "0.7"
cfg_aliases = "0.2"
serde = { version = "1", features = ["derive"] }
thiserror = "2"
async-trait = "0.1"
derive_more = { version = "2", features = ["full"] }
pest_derive = "2"
askama = "0.14"
include_dir = "0.7"
const-random = "0.1"
"""
CI = {"CI": "true", "GITLAB_CI": "true", "GITHUB_ACTIONS": "true"}
# What a finding of less than high says of a crate that does nothing wrong, and why that is right.
EXPLAINED = {("protoc-bin-vendored", "CS0270"): "it ships a program and is there to have it run"}


def test_popular_crates_have_no_grave_finding_and_drift_only_where_it_is_explained(lab: Lab) -> None:
    project = lab.project(
        {
            "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[profile.dev]\ndebug = 0\n\n'
            f"[dependencies]\n{CRATES}",
            "src/lib.rs": "",
        }
    )
    for variables in ({}, CI):
        allowed = [word for name in variables for word in ("--allow-env", name)]
        done = sandboxed(project, "check", options=(*allowed, "--on-violation", "report"), env=variables, timeout=600)
        assert done.code == 0, done.shown
        found = done.run.result["findings"]
        assert not [one for one in found if at_least(one["severity"], "high")], done.shown
        assert {(one["package"], one["code"]) for one in found} <= EXPLAINED.keys(), done.shown
        assert done.run.result["completeness"]["reasons"] == []
        project.remove("target")
