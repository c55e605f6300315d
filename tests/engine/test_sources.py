"""Where sources come from: the tree, beside it, git, a vendored folder, a registry; and the lock file that says so."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.engine.compare import same
from tests.engine.crates import PAIR, binary, library, manifest
from tests.engine.registry import package, registry
from tests.engines import core, only
from tests.harness import Lab, Project, plain, sandboxed, wait_for

pytestmark = pytest.mark.engine

TINY = {"Cargo.toml": manifest("tiny", version="1.2.3"), "src/lib.rs": 'pub fn size() -> &\'static str { "tiny" }\n'}
USES_TINY = 'fn main() { println!("{}", tiny::size()); }'


def below(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def git(project: Project, folder: str, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, "-C", str(project.path(folder)), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=project.environment())


def test_a_virtual_workspace_is_built_from_its_root_and_from_a_member(lab: Lab) -> None:
    project = lab.project(PAIR)
    assert same(project, "build", "-j1").code == 0
    assert same(project, "build", "-j1", cwd="low").code == 0


def test_path_dependencies_may_lie_outside_of_the_workspace(lab: Lab) -> None:
    project = lab.project(
        binary(main=USES_TINY, more='\n[dependencies]\ntiny = { path = "../beside/tiny" }\n')
        | below("~/beside/tiny", TINY)
        | below("~/beside/lib", library())
        | {"~/beside/tiny/Cargo.toml": TINY["Cargo.toml"] + '\n[dependencies]\nlib = { path = "../lib" }\n'}
    )
    assert same(project, "run", "-j1", fresh_after=True).out == b"tiny\n"
    project.write({"~/beside/tiny/src/lib.rs": TINY["src/lib.rs"].replace('"tiny"', '"small"')})
    assert sandboxed(project, "run").out == b"small\n"


def test_a_member_may_be_a_link_to_somewhere_else(lab: Lab) -> None:
    project = lab.project(
        binary(main=USES_TINY, more='\n[dependencies]\ntiny = { path = "tiny" }\n') | below("~/beside/tiny", TINY)
    )
    project.path("tiny").symlink_to("../beside/tiny")
    assert same(project, "run", "-j1", fresh_after=True).out == b"tiny\n"


def test_a_replaced_dependency_is_found_where_the_patch_says(lab: Lab) -> None:
    project = lab.project(
        binary(main=USES_TINY, more='\n[dependencies]\ntiny = "1"\n\n[patch.crates-io]\ntiny = { path = "patched" }\n')
        | below("patched", TINY)
    )
    assert same(project, "run", "--offline", "-j1", fresh_after=True).out == b"tiny\n"


@contextlib.contextmanager
def served(project: Project, folder: str) -> Iterator[str]:
    """The repositories below a folder, at the URL of git's own server on a loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"--base-path={project.path(folder)}"
    command = ["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", base]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: listens(port), what="git's server")
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("scheme", ["git", "file"])
def test_a_git_dependency_is_fetched_before_and_built_without_network(lab: Lab, scheme: str) -> None:
    project = lab.project(below("~/repos/tiny", TINY))
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "one"]):
        git(project, "~/repos/tiny", *words)
    with served(project, "~/repos") as address:
        url = f"{address}/tiny" if scheme == "git" else project.path("~/repos/tiny").as_uri()
        # A repository of this machine is shown to no container unless its user says so.
        options = ["--allow-read", str(project.path("~/repos"))] if scheme == "file" else []
        project.write(binary(main=USES_TINY, more=f'\n[dependencies]\ntiny = {{ git = "{url}" }}\n'))
        cargo = plain(project, "run", "-j1")
        lock = project.path("Cargo.lock").read_bytes()
        project.remove("target", "Cargo.lock", "~/.cargo")
        ours = sandboxed(project, "run", "-j1", options=options)
        assert (ours.code, ours.out) == (cargo.code, cargo.out) == (0, b"tiny\n"), ours.shown
        assert project.path("Cargo.lock").read_bytes() == lock
        project.remove("target", "~/.cargo/git")
        assert sandboxed(project, "build", "--offline", options=options).code == 101
        assert sandboxed(project, "build", "--locked", options=options).code == 0
    assert same(project, "run", "-j1", "--locked", fresh_after=True).code == 0
    assert same(project, "run", "-j1", "--frozen").code == 0


def test_vendored_sources_take_the_place_of_the_registry(lab: Lab) -> None:
    sums = {path: hashlib.sha256(content.encode()).hexdigest() for path, content in TINY.items()}
    project = lab.project(
        binary(main=USES_TINY, more='\n[dependencies]\ntiny = "1"\n')
        | below("vendor/tiny", TINY)
        | {
            "vendor/tiny/.cargo-checksum.json": json.dumps({"files": sums, "package": "0" * 64}),
            ".cargo/config.toml": (
                '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"\n'
            ),
        }
    )
    assert same(project, "run", "-j1", fresh_after=True).out == b"tiny\n"
    assert same(project, "run", "-j1", "--frozen").out == b"tiny\n"
    assert not project.path("~/.cargo/registry/src").exists()


@core
def test_a_package_of_a_registry_is_fetched_once_and_locked_as_by_cargo(lab: Lab) -> None:
    with registry({("tiny", "1.2.3"): package("tiny", "1.2.3", TINY)}) as (url, asked):
        source = f'[source.crates-io]\nreplace-with = "here"\n[source.here]\nregistry = "sparse+{url}"\n'
        project = lab.project(
            binary(main=USES_TINY, more='\n[dependencies]\ntiny = "1"\n') | {"~/.cargo/config.toml": source}
        )
        cargo = plain(project, "run", "-j1")
        lock = project.path("Cargo.lock").read_bytes()
        project.remove("target", "Cargo.lock", "~/.cargo/registry")
        asked.clear()
        ours = sandboxed(project, "run", "-j1")
        assert (ours.code, ours.out) == (cargo.code, cargo.out) == (0, b"tiny\n"), ours.shown
        assert project.path("Cargo.lock").read_bytes() == lock
        assert asked.count("/dl/tiny/1.2.3/download") == 1
        for words in ("Updating", "Locking 1 package", "Downloading", "Downloaded tiny v1.2.3"):
            assert words in ours.stderr, ours.shown
    assert same(project, "run", "-j1", fresh_after=True).out == b"tiny\n"


def test_a_missing_lock_file_is_written_as_by_cargo(lab: Lab) -> None:
    project = lab.project(PAIR)
    assert not project.path("Cargo.lock").exists()
    assert same(project, "check", "-j1").code == 0
    assert b'name = "low"' in project.path("Cargo.lock").read_bytes()


def test_a_stale_lock_file_is_brought_up_to_date_as_by_cargo_or_refused_with_locked(lab: Lab) -> None:
    project = lab.project(binary(main=USES_TINY) | below("tiny", TINY))
    assert plain(project, "generate-lockfile").code == 0
    project.write({"Cargo.toml": manifest("app", '\n[dependencies]\ntiny = { path = "tiny" }\n')})
    refused = same(project, "run", "--locked", stderr=False)
    assert refused.code == 101
    assert "because --locked was passed" in refused.stderr
    assert same(project, "run", "-j1", fresh_after=True).out == b"tiny\n"
    assert b'name = "tiny"' in project.path("Cargo.lock").read_bytes()


@only("ordinary", "root may write where modes say no")
def test_a_checkout_that_can_not_be_written_is_built_into_a_target_dir_elsewhere(lab: Lab) -> None:
    project = lab.project(PAIR | {"app/build.rs": "fn main() {}"})
    assert plain(project, "generate-lockfile").code == 0
    folders = [path for path in (project.dir, *project.dir.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        elsewhere = project.home / "elsewhere"
        done = same(project, "run", "-j1", "--target-dir", str(elsewhere), target=elsewhere, fresh_after=True)
        assert done.code == 0
        # Without another target dir cargo fails; we fail too, and say which wall has no place to stand.
        assert plain(project, "build").code == 101
        refused = sandboxed(project, "build")
        assert refused.code == 121
        assert "--target-dir" in refused.stderr
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "could not find `Cargo.toml`"),
        ({"Cargo.toml": "[package\n"}, "Cargo.toml"),
        ({"Cargo.toml": manifest("app")}, "no targets specified in the manifest"),
        ({"Cargo.toml": manifest("app", '\n[dependencies]\nx = { path = "x" }\n'), "src/main.rs": ""}, "x/Cargo.toml"),
        ({"Cargo.toml": manifest("app", '\n[dependencies]\nx = "1"\n'), "src/main.rs": ""}, "offline"),
    ],
    ids=["no manifest", "no TOML", "no target", "no dependency", "not fetched"],
)
def test_a_project_that_cargo_can_not_read_is_refused_with_its_exit_code(
    lab: Lab, files: dict[str, str], words: str
) -> None:
    done = same(lab.project(files), "build", "--offline", stderr=False)
    assert done.code == 101
    assert words in done.stderr, done.shown
