"""Dependency confusion and changed sources, with real cargo against two registries on loopback: attack and benign twin.

The public registry stands in for crates.io, so nothing is asked of any other machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from sandbox.cargo import config, lockfile
from sandbox.preflight import integrity, sources
from sandbox.preflight.model import Answer, SourceRule, Subject, Wishes
from sandbox.preflight.sources.fetch import fetch
from tests.engine.crates import library, manifest
from tests.engine.registry import package, registry
from tests.harness import ROOT

RULES = Wishes(sources=(SourceRule("csbench-internal*", "registry:acme"),))


def crate(name: str, version: str) -> bytes:
    return package(name, version, {**library(name), "Cargo.toml": manifest(name, version=version)})


PUBLIC = {(name, version): crate(name, version) for name, version in (
    ("csbench-internal", "99.0.0"), ("csbench-public", "1.0.0"), ("csbench-twin", "1.0.0"),
)}  # fmt: skip
PRIVATE = {
    ("csbench-internal", "1.2.0"): crate("csbench-internal", "1.2.0"),
    ("csbench-twin", "1.0.0"): PUBLIC[("csbench-twin", "1.0.0")],
}


class Place:
    """A project, and a cargo home that knows both registries."""

    def __init__(self, base: Path, public: str, private: str) -> None:
        self.root, self.home = base / "ws", base / "home"
        self.home.mkdir(parents=True)
        (self.root / "src").mkdir(parents=True)
        (self.root / "src/lib.rs").write_text("")
        self.config = (
            f'[source.crates-io]\nreplace-with = "public"\n[source.public]\nregistry = "sparse+{public}"\n'
            f'[registries.acme]\nindex = "sparse+{private}"\n'
        )
        (self.home / "config.toml").write_text(self.config)

    def wants(self, *dependencies: str) -> Place:
        lines = "\n".join(dependencies)
        (self.root / "Cargo.toml").write_text(manifest("csbench-app", f"\n[dependencies]\n{lines}\n"))
        (self.root / "Cargo.lock").unlink(missing_ok=True)
        return self

    def cargo(self, *words: str) -> str:
        env = {name: os.environ[name] for name in ("PATH", "HOME", "RUSTUP_HOME") if name in os.environ}
        # Whatever would go to another machine finds nobody there.
        env |= {"CARGO_HOME": str(self.home), "https_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1"}
        done = subprocess.run(["cargo", *words], cwd=self.root, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def audit(self, *words: str) -> tuple[int, list[str], str]:
        """Exit code, codes and the answer of `cargo-sandbox audit` on the lock file alone."""
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env |= {
            "CARGO_HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.root.parent / "cache"),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "sandbox", "audit", "--lock", "Cargo.lock", "--json", *words]
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        told = json.loads(done.stdout)
        return done.returncode, [one["code"] for one in told["findings"]], told["checks"][0]["state"]

    def diff(self, old: str, new: str) -> tuple[int, str]:
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env |= {"CARGO_HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "sandbox", "audit", "diff", old, new, "--markdown"]
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def subject(self, *, online: bool = False) -> Subject:
        lock = self.root / "Cargo.lock"
        return Subject(
            lock, lockfile.read(lock), date(2026, 1, 1), RULES, self.root, config=config.load(self.root, self.home),
            cargo_home=self.home, manifests=(self.root / "Cargo.toml",), fetch=fetch if online else None,
        )  # fmt: skip

    def answers(self, *, online: bool = False) -> dict[str, Answer]:
        subject = self.subject(online=online)
        return {check.name: check.run(subject) for check in (*sources.CHECKS, *integrity.CHECKS)}

    def codes(self, *, online: bool = False) -> list[str]:
        """All findings but that crates.io is replaced here."""
        found = [item for answer in self.answers(online=online).values() for item in answer.findings]
        return sorted(f"{item.code} {item.package}" for item in found if item.subject != "source.crates-io")

    def unpacked(self, name: str) -> Path:
        (folder,) = self.home.glob(f"registry/src/*/{name}")
        return folder


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with registry(PUBLIC) as (public, _), registry(PRIVATE) as (private, _):
        yield Place(tmp_path, public, private)


def test_a_private_name_without_its_registry_is_taken_from_the_public_one_and_that_is_told(place: Place) -> None:
    place.wants('csbench-internal = "*"', 'csbench-public = "1"').cargo("fetch")
    assert "99.0.0" in (place.root / "Cargo.lock").read_text(), "the attack works on cargo"
    assert place.codes(online=True) == [
        "CS0501 csbench-internal", "CS0502 csbench-internal", "CS0508 csbench-internal", "CS0509 csbench-internal",
    ]  # fmt: skip
    answers = place.answers(online=True)
    assert answers["private-index"].state == "done" and answers["unpacked"].state == "done"
    assert "1.2.0" in answers["private-index"].findings[0].detail


def test_the_benign_twin_names_the_registry_and_nothing_is_told(place: Place) -> None:
    place.wants('csbench-internal = { version = "1.2", registry = "acme" }', 'csbench-public = "1"').cargo("fetch")
    assert "1.2.0" in (place.root / "Cargo.lock").read_text()
    assert place.codes(online=True) == []
    assert {name: answer.state for name, answer in place.answers(online=True).items() if answer.state != "done"} == {}


def test_a_mirror_s_copy_of_a_public_package_is_not_told(place: Place) -> None:
    place.wants('csbench-twin = "1"').cargo("fetch")
    assert place.codes(online=True) == []


def test_an_audit_asks_the_private_index_only_when_it_is_told_to(place: Place) -> None:
    place.wants('csbench-internal = "*"').cargo("fetch")
    assert place.audit("--only", "private-index") == (122, [], "not done")
    assert place.audit("--only", "private-index", "--online") == (120, ["CS0502"], "done")


def test_an_update_that_brings_a_script_is_shown_first_and_its_twin_is_quiet(tmp_path: Path) -> None:
    """The attack on arrayref, by its form: a patch-level update, one new dependency, which has a build script."""
    name, payload = "csbench-slices", "csbench-payload"
    files = {**library(payload), "Cargo.toml": manifest(payload, version="1.0.0"), "build.rs": "fn main() {}"}
    script = package(payload, "1.0.0", files)
    more = f'\n[dependencies]\n{payload} = "1"\n'
    bad = package(name, "1.0.1", {**library(name), "Cargo.toml": manifest(name, more, version="1.0.1")})
    served = {(name, version): crate(name, version) for version in ("1.0.0", "1.0.2")}
    served |= {(name, "1.0.1"): bad, (payload, "1.0.0"): script, ("serde_jsom", "1.0.0"): crate("serde_jsom", "1.0.0")}
    with registry(served, {(name, "1.0.1"): payload}) as (public, _), registry(PRIVATE) as (private, _):
        place = Place(tmp_path, public, private)
        for version in ("1.0.0", "1.0.1", "1.0.2"):
            place.wants(f'{name} = "={version}"').cargo("fetch")
            (place.root / f"{version}.lock").write_bytes((place.root / "Cargo.lock").read_bytes())
        code, shown = place.diff("1.0.0.lock", "1.0.1.lock")
        first = shown[shown.index("#### ") :]
        assert first.startswith("#### New build-time code, brought by an update that changed little else (1)"), shown
        assert first.index(f"`{payload}` 1.0.0") < first.index(f"`{name}` 1.0.0"), shown
        assert code == 120 and "is not known" not in shown, "the files are those of what stands in for crates.io"
        assert "brought by an update" not in place.diff("1.0.0.lock", "1.0.2.lock")[1]
        place.wants('serde_jsom = "1"').cargo("fetch")
        assert place.audit("--only", "names") == (120, ["CS0520"], "done")


def test_what_cargo_keeps_of_the_private_index_tells_it_without_network(place: Place) -> None:
    place.wants('csbench-internal = { version = "1.2", registry = "acme" }').cargo("fetch")
    place.wants('csbench-internal = "99"').cargo("fetch")
    answer = place.answers()["private-index"]
    assert [item.code for item in answer.findings] == ["CS0502"] and answer.state == "not done"


def test_sources_that_were_changed_after_unpacking_are_told_though_cargo_takes_them(place: Place) -> None:
    place.wants('csbench-public = "1"').cargo("fetch")
    assert place.codes() == []
    (place.unpacked("csbench-public-1.0.0") / "src/lib.rs").write_text("pub fn other() {}\n")
    (place.unpacked("csbench-public-1.0.0") / "build.rs").write_text("fn main() {}\n")
    place.cargo("fetch", "--locked")
    (found,) = place.answers()["unpacked"].findings
    assert (found.code, found.tree) == ("CS0511", ("changed src/lib.rs", "added build.rs"))


def test_an_archive_that_was_swapped_is_told_though_cargo_unpacks_it(place: Place) -> None:
    place.wants('csbench-public = "1"').cargo("fetch")
    (archive,) = place.home.glob("registry/cache/*/csbench-public-1.0.0.crate")
    evil = {
        **library("csbench-public"),
        "Cargo.toml": manifest("csbench-public", version="1.0.0"),
        "build.rs": "fn main() {}",
    }
    archive.write_bytes(package("csbench-public", "1.0.0", evil))
    (place.unpacked("csbench-public-1.0.0") / ".cargo-ok").unlink()
    place.cargo("fetch", "--locked")
    assert (place.unpacked("csbench-public-1.0.0") / "build.rs").exists(), "cargo does not look at the checksum again"
    assert place.codes() == ["CS0510 csbench-public"]


def test_vendored_sources_are_checked_against_cargo_s_own_checksums(place: Place) -> None:
    place.wants('csbench-public = "1"').cargo("vendor", "--respect-source-config")
    (place.root / ".cargo").mkdir()
    text = '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n'
    (place.root / ".cargo/config.toml").write_text(text)
    place.cargo("fetch", "--locked", "--offline")
    answer = place.answers()["vendored"]
    assert (answer.state, answer.findings) == ("done", ()) and answer.looked_at > 3
    (place.root / "vendor/csbench-public/src/lib.rs").write_text("")
    assert [item.tree for item in place.answers()["vendored"].findings] == [("changed src/lib.rs",)]


def test_a_git_checkout_is_compared_with_the_commit_in_the_lock_file(place: Place) -> None:
    repository = place.root.parent / "repository"
    for path, content in {**library("csbench-git"), "Cargo.toml": manifest("csbench-git")}.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(content)
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.invalid"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *identity, *words], cwd=repository, check=True)
    place.wants(f'csbench-git = {{ git = "file://{repository}" }}').cargo("fetch")
    answer = place.answers()["git-checkouts"]
    assert (answer.state, answer.findings) == ("done", ()) and answer.looked_at > 4
    (source,) = place.home.glob("git/checkouts/*/*/src/lib.rs")
    source.write_text("pub fn other() {}\n")
    place.cargo("fetch", "--locked", "--offline")
    assert place.codes() == ["CS0505 csbench-git", "CS0511 csbench-git"]


def test_a_local_registry_s_sources_are_found_where_cargo_unpacks_them(place: Place) -> None:
    data = PUBLIC[("csbench-public", "1.0.0")]
    line = {"name": "csbench-public", "vers": "1.0.0", "deps": [], "features": {}, "yanked": False,
            "cksum": hashlib.sha256(data).hexdigest()}  # fmt: skip
    local = place.root.parent / "local"
    (local / "index/cs/be").mkdir(parents=True)
    (local / "index/cs/be/csbench-public").write_text(json.dumps(line) + "\n")
    (local / "csbench-public-1.0.0.crate").write_bytes(data)
    text = f'[source.crates-io]\nreplace-with = "l"\n[source.l]\nlocal-registry = "{local}"\n'
    (place.home / "config.toml").write_text(text)
    place.wants('csbench-public = "1"').cargo("fetch")
    assert place.codes() == [] and place.answers()["unpacked"].looked_at > 3
    (place.unpacked("csbench-public-1.0.0") / "src/lib.rs").write_text("")
    assert place.codes() == ["CS0511 csbench-public"]
