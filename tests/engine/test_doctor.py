"""The doctor on this very machine: with what it has, with parts of it out of reach, and in the record of a run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import sandbox.doctor
from tests.engine.crates import binary
from tests.engines import core, once, only
from tests.harness import Done, Lab, Project, User, sandboxed

pytestmark = pytest.mark.engine

SCHEMA = json.loads((Path(sandbox.doctor.__file__).parent / "schema" / "doctor-v1.schema.json").read_text())
NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "CARGO_SANDBOX_ENGINE": "auto"}
ABOUT_ALL = once("asks about every engine")


def doctor(project: Project, *words: str, env: dict[str, str] | None = None) -> tuple[Done, dict[str, Any]]:
    done = sandboxed(project, "doctor", "--json", *words, env=env)
    data: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(data, SCHEMA)
    return done, data


def states(data: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["state"] for check in data["checks"]}


@ABOUT_ALL
def test_bubblewrap_is_tried_for_real_and_every_wall_is_seen_from_inside(lab: Lab) -> None:
    done, data = doctor(lab.project({}), env=NOWHERE)
    assert done.code == 0, done.shown
    inside = data["facts"]["bubblewrap"]["inside"]
    own = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("user", "net", "pid", "mnt", "ipc", "uts")}
    assert all(inside["namespaces"][name] not in ("", link) for name, link in own.items())
    assert inside["capabilities"] == inside["bounding"] == 0
    assert inside["answered"] and inside["continued"]
    found = states(data)
    assert found["user-namespaces"] == found["bubblewrap-notify"] == "good"
    assert found["docker"] == "missing"
    assert data["engine"] == "bubblewrap"


@ABOUT_ALL
@only("root", "compares root's answer with somebody else's")
def test_an_ordinary_user_gets_the_same_answer(lab: Lab, ordinary: User) -> None:
    mine, theirs = (doctor(lab.project({}, user=user), env=NOWHERE)[1] for user in (None, ordinary))
    assert theirs["tier"] == mine["tier"]
    assert states(theirs) | {"git": "", "rustup": ""} == states(mine) | {"git": "", "rustup": ""}


@only("docker", "a daemon's words")
def test_a_real_daemon_says_what_it_is(lab: Lab) -> None:
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    asked = subprocess.run(command, capture_output=True, text=True, check=True)
    _, data = doctor(lab.project({}))
    facts = data["facts"]["docker"]
    assert facts["version"] == asked.stdout.strip()
    assert facts["runc"] and facts["runtimes"] and facts["local"]
    assert states(data)["docker"] == "good"
    bad = tuple(int(part) for part in facts["version"].split("+")[0].split(".")[:2]) < (29, 5)
    assert (states(data).get("known-docker-cp") == "weak") == bad


@ABOUT_ALL
def test_where_user_namespaces_are_forbidden_it_says_so_and_what_to_do(lab: Lab) -> None:
    project = lab.project({})
    # A container whose user may make no further ones: what a restricted host looks like.
    cage = ("bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--")
    caged = Project(lab, project.home, project.dir, User(project.user.name, project.user.uid, project.user.gid, cage))
    done, data = doctor(caged, "--require", "degraded", env=NOWHERE)
    assert done.code == 121, done.shown
    assert data["tier"] == "none"
    assert states(data)["user-namespaces"] == "missing"
    assert "and degraded is demanded" in done.stderr
    assert "= help: " in done.stderr
    assert sandboxed(caged, "doctor", env=NOWHERE).code == 125


@ABOUT_ALL
def test_nothing_of_the_tree_has_a_say(lab: Lab) -> None:
    evil = '#!/bin/sh\ntouch "$(dirname "$0")/../ran"\n'
    project = lab.project(
        binary()
        | {
            "rust-toolchain.toml": '[toolchain]\npath = "tools"\n',
            ".cargo/config.toml": '[alias]\ndoctor = "run"\n[build]\nrustc-wrapper = "tools/bin/rustc"\n',
            "tools/bin/rustc*": evil,
            "tools/bin/cargo*": evil,
            "git*": evil,
        }
    )
    path = f".:tools/bin:{os.environ.get('PATH', '')}"
    assert doctor(project, env=NOWHERE | {"PATH": path})[0].code == 0
    assert not (project.dir / "ran").exists() and not (project.dir.parent / "ran").exists()


@core
def test_the_tier_stands_in_every_record_and_in_the_last_line_when_it_is_not_standard(lab: Lab) -> None:
    project = lab.project(binary())
    tier = doctor(project)[1]["tier"]
    first = sandboxed(project, "build")
    assert first.run.header["tier"]["tier"] == first.run.result["tier"] == tier
    assert ("see cargo-sandbox doctor" in first.stderr) == (tier == "degraded")
    broken = sandboxed(project, "build", env={"CARGO_SANDBOX_TEST_BREAK": "dotenv"})
    assert broken.run.result["tier"] == "degraded"
    assert broken.run.result["tier_reasons"][-1] == "walls were removed for a test: dotenv"
    assert "degraded: see cargo-sandbox doctor" in broken.stderr.splitlines()[-1]
    shown = sandboxed(project, "runs", "show", "last").stdout
    assert "tier       degraded" in shown and "removed for a test: dotenv" in shown


def test_strict_refuses_a_degraded_host_before_anything_runs(lab: Lab, engine: str) -> None:
    project = lab.project(binary())
    refused = sandboxed(project, "build", env={"CARGO_SANDBOX_TEST_BREAK": "dotenv"}, options=["--strict"])
    assert (refused.code, refused.run_id) == (121, None)
    assert f"this host is degraded with {engine}" in refused.stderr
    assert not (project.dir / "Cargo.lock").exists()
    tier = doctor(project)[1]["tier"]
    accepted = sandboxed(project, "build", options=["--strict"])
    assert accepted.code == (0 if tier == "standard" else 121), accepted.shown
    if tier == "standard":
        assert accepted.run.plan["require_landlock"] == 3
