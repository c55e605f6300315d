"""Git checkouts against the commit of the lock file, with repositories that real git made."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cargo.files import Unreadable
from sandbox.preflight.integrity import checkouts, objects
from sandbox.preflight.integrity.objects import Objects
from sandbox.preflight.model import Answer
from tests.unit.preflight.sources.make import codes, locked, subject

FILES = {"Cargo.toml": b"[package]\n", "src/lib.rs": b"pub fn one() {}\n", "deep/er/x": b"", "crlf.txt": b"a\nb\n"}


def git(folder: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    settings_ = ["-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "core.autocrlf=false"]
    return subprocess.run(
        ["git", *settings_, *words], cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout.strip()


class Repository:
    """A cargo home with a bare repository and a checkout, as cargo has them."""

    def __init__(self, tmp_path: Path, packed: bool = True) -> None:
        self.subject = subject(tmp_path)
        home = tmp_path / "home/git"
        self.folder = home / "checkouts/x-0123/placeholder"
        self.folder.mkdir(parents=True)
        git(self.folder, "init", "--quiet")
        for path, content in FILES.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(content)
        (self.folder / "link").symlink_to("src/lib.rs")
        for number in range(6):  # a history with deltas in the pack
            for part in ("many", "many2"):
                (self.folder / part).mkdir(exist_ok=True)
                for file in range(30):
                    (self.folder / part / f"{file}.txt").write_text(f"{file}\n" if file else f"{number}\n")
            git(self.folder, "add", ".")
            git(self.folder, "commit", "--quiet", "-m", f"n{number}")
        self.commit = git(self.folder, "rev-parse", "HEAD")
        self.database = home / "db/x-0123"
        self.database.parent.mkdir(parents=True)
        if packed:
            git(self.folder, "repack", "-adfq", "--depth=50", "--window=50")
        git(self.folder, "clone", "--quiet", "--bare", "--no-hardlinks", ".", str(self.database))
        self.folder = self.folder.rename(self.folder.with_name(self.commit[:7]))
        (self.folder / ".cargo-ok").write_bytes(b"")

    def run(self, commit: str = "") -> Answer:
        package = locked("csbench-g", "1.0.0", f"git+https://git.invalid/x?branch=main#{commit or self.commit}")
        return checkouts.run(dataclasses.replace(self.subject, locked=(package, locked("serde"))))


@pytest.fixture(scope="module", params=[True, False], ids=["packed", "loose"])
def pristine(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Repository:
    return Repository(tmp_path_factory.mktemp("git"), request.param)


def test_a_checkout_as_git_made_it_is_clean(pristine: Repository) -> None:
    answer = pristine.run()
    assert (answer.state, answer.findings, answer.why) == ("done", (), "") and answer.looked_at > 60


def test_every_object_is_read_as_git_reads_it(pristine: Repository) -> None:
    store = Objects(str(pristine.database / "objects"))
    names = git(pristine.database, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    for line in names.splitlines():
        name, kind = line.split()
        assert store.read(name)[0] == kind  # read() itself compares the content with the name


def test_differences_are_listed(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    (made.folder / "src/lib.rs").write_bytes(b"pub fn two() {}\n")
    (made.folder / "build.rs").write_bytes(b"fn main() {}\n")
    (made.folder / "deep/er/x").unlink()
    (made.folder / "link").unlink()
    (made.folder / "link").symlink_to("elsewhere")
    (made.folder / "Cargo.toml").unlink()
    (made.folder / "Cargo.toml").symlink_to("/etc/passwd")
    (found,) = made.run().findings
    assert found.code == "CS0511" and found.severity == "critical" and found.package == "csbench-g"
    assert found.tree == (
        "changed Cargo.toml", "changed link", "changed src/lib.rs", "added build.rs", "missing deep/er/x",
    )  # fmt: skip


def test_line_ends_that_a_checkout_changed_are_no_difference(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    (made.folder / "crlf.txt").write_bytes(b"a\r\nb\r\n")
    assert not made.run().findings
    (made.folder / "crlf.txt").write_bytes(b"a\r\nc\r\n")
    assert codes(made.run()) == ["CS0511"]


def test_a_repository_that_was_changed_too_is_not_believed(tmp_path: Path) -> None:
    made = Repository(tmp_path, packed=False)
    tree = git(made.folder, "rev-parse", "HEAD^{tree}")
    (made.folder / "src/lib.rs").write_bytes(b"evil")
    git(made.folder, "add", ".")
    other = git(made.folder, "write-tree")
    objects_ = made.database / "objects"
    fake = (made.folder / ".git/objects" / other[:2] / other[2:]).read_bytes()
    target = next(objects_.glob(f"{tree[:2]}/{tree[2:]}"), None)
    if target is None:
        (objects_ / tree[:2]).mkdir(exist_ok=True)
        target = objects_ / tree[:2] / tree[2:]
    target.chmod(0o644) if target.exists() else None
    target.write_bytes(fake)
    answer = made.run()
    assert answer.state == "not done" and "not what its name says" in answer.why


def test_a_missing_repository_or_commit_is_not_done(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.database.rename(tmp_path / "away")
    assert made.run().state == "not done" and "no object" in made.run().why


def test_a_commit_that_is_no_sha_1_is_not_done(tmp_path: Path) -> None:
    made = subject(tmp_path, locked("a", source="git+https://git.invalid/x#main"))
    assert checkouts.run(made).state == "not done"
    assert checkouts.run(dataclasses.replace(made, locked=(locked("serde"),))).state == "done"


def test_what_is_not_checked_out_is_not_done(pristine: Repository) -> None:
    answer = pristine.run("0" * 40)
    assert answer.state == "not done" and answer.why == "1 commits of the lock file are not checked out"


def test_submodules_are_named_as_not_done(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    git(made.folder, "update-index", "--add", "--cacheinfo", f"160000,{made.commit},sub")
    git(made.folder, "commit", "--quiet", "-m", "sub")
    commit = git(made.folder, "rev-parse", "HEAD")
    git(made.folder, "push", "--quiet", str(made.database), "HEAD:refs/heads/sub")
    made.folder = made.folder.rename(made.folder.with_name(commit[:7]))
    (made.folder / "sub").mkdir()
    (made.folder / "sub/file").write_bytes(b"")
    answer = made.run(commit)
    assert answer.state == "not done" and "sub" in answer.why and not answer.findings


def _loose(database: Path, kind: str, content: bytes) -> str:
    data = f"{kind} {len(content)}\0".encode() + content
    name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    path = database / "objects" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zlib.compress(data))
    return name


def test_a_few_trees_that_name_one_another_without_end_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkouts, "MAX_FILES", 5_000)
    tree = _loose(tmp_path, "tree", b"")
    for _ in range(6):
        tree = _loose(tmp_path, "tree", b"".join(b"40000 %d\0" % at + bytes.fromhex(tree) for at in range(10)))
    commit = _loose(tmp_path, "commit", f"tree {tree}\n".encode())
    with pytest.raises(Unreadable, match="more than 5000"):
        checkouts._wanted(Objects(str(tmp_path / "objects")), commit)


class _Chain:
    """A pack with a base of ten bytes and deltas on it, each of `step`."""

    def __init__(self, folder: Path, step: bytes, count: int) -> None:
        pack = bytearray(b"PACK" + bytes(8))
        at = len(pack)
        pack += _head(3, 10) + zlib.compress(b"x" * 10)
        for _ in range(count):
            before, at = at, len(pack)
            pack += _head(6, len(step)) + _back(at - before) + zlib.compress(step)
        self.path, self.last = folder / "a.pack", at
        self.path.write_bytes(pack)


def _head(kind: int, size: int) -> bytes:
    return bytes([0x80 | kind << 4 | size & 15, *([size >> 4 & 0x7F | 0x80, size >> 11])])


def _back(distance: int) -> bytes:
    low = distance & 0x7F
    return bytes([(distance >> 7) - 1 | 0x80, low]) if distance > 0x7F else bytes([low])


SAME = bytes([10, 10, 0b10010000, 10])


def test_deltas_that_are_large_together_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = _Chain(tmp_path, SAME, 50)
    store = Objects(str(tmp_path))
    assert store._entry(str(chain.path), "", chain.last) == ("blob", b"x" * 10)
    monkeypatch.setattr(objects, "MAX_OBJECT", 50 * len(SAME) - 1)
    with pytest.raises(Unreadable, match="a chain of deltas of more"):
        store._entry(str(chain.path), "", chain.last)
    monkeypatch.undo()
    monkeypatch.setattr(objects, "_MAX_MADE", 499)
    with pytest.raises(Unreadable, match="makes too much"):
        store._entry(str(chain.path), "", chain.last)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=40))
def test_no_delta_makes_the_reader_crash(base: bytes, change: bytes) -> None:
    try:
        objects._changed(base, bytes([len(base)]) + change)
    except (Unreadable, IndexError):
        return


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_damage_to_a_pack_makes_the_reader_crash(pristine: Repository, data: st.DataObject) -> None:
    for suffix in ("idx", "pack"):
        for path in (pristine.database / "objects/pack").glob(f"*.{suffix}"):
            whole = path.read_bytes()
            broken = bytearray(whole)
            for _ in range(data.draw(st.integers(1, 8))):
                broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
            path.chmod(0o644)
            try:
                path.write_bytes(broken)
                assert pristine.run().state in ("done", "not done")
            finally:
                path.write_bytes(whole)
