"""Downloaded packages and what was unpacked of them: unchanged, changed, and not to be known."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.cargo import config
from sandbox.preflight.integrity import compare as compare_module
from sandbox.preflight.integrity import downloads
from sandbox.preflight.model import Answer
from sandbox.preflight.sources import folders
from tests.unit.preflight.integrity.homes import FILES, TOP, Home, crate, digest
from tests.unit.preflight.sources.make import ACME, codes, details, locked


def run(home: Home, **more: object) -> Answer:
    return downloads.run(home.looked_at(**more))  # type: ignore[arg-type]


def test_what_cargo_unpacked_is_clean(tmp_path: Path) -> None:
    answer = run(Home(tmp_path).unpack())
    assert (answer.state, answer.findings, answer.looked_at, answer.unit) == ("done", (), 4, "files")


def test_a_changed_source_is_told_by_name(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    (home.folder / "src/lib.rs").write_bytes(b"pub fn two() {}\n")
    answer = run(home)
    assert codes(answer) == ["CS0511"]
    (found,) = answer.findings
    assert (found.severity, found.package, found.tree) == ("critical", "csbench-x", ("changed src/lib.rs",))


def test_every_difference_is_listed_and_nothing_else(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    (home.folder / "big.bin").write_bytes(bytes(199_999) + b"x")
    (home.folder / "empty").write_bytes(b"now")
    (home.folder / "Cargo.toml").unlink()
    (home.folder / "build.rs").write_bytes(b"fn main() {}")
    (home.folder / "new/.cargo").mkdir(parents=True)
    (home.folder / "new/.cargo/config.toml").write_bytes(b"")
    (home.folder / "link").symlink_to("/etc/passwd")
    (found,) = run(home).findings
    assert found.tree == (
        "changed big.bin", "changed empty", "added build.rs", "added link", "added new/.cargo/config.toml",
        "missing Cargo.toml",
    )  # fmt: skip
    assert "2 files changed, 3 files added, 1 files missing" in found.detail


def test_a_file_that_became_a_link_to_the_same_content_is_no_longer_that_file(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    (tmp_path / "elsewhere").write_bytes(FILES["src/lib.rs"])
    (home.folder / "src/lib.rs").unlink()
    (home.folder / "src/lib.rs").symlink_to(tmp_path / "elsewhere")
    (found,) = run(home).findings
    assert found.tree == ("added src/lib.rs", "missing src/lib.rs")


def test_a_folder_that_became_a_link_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    home.folder.rename(tmp_path / "moved")
    home.folder.symlink_to(tmp_path / "moved")
    assert codes(run(home)) == ["CS0511"]


def test_a_fifo_is_told_and_not_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    (home.folder / "empty").unlink()
    os.mkfifo(home.folder / "empty")
    assert codes(run(home)) == ["CS0511"]


def test_an_archive_other_than_the_lock_file_s_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    answer = run(home, checksum="ab" * 32)
    assert codes(answer) == ["CS0510"] and digest(home.data) in details(answer)


def test_an_archive_that_was_swapped_with_its_sources_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    evil = {**FILES, "build.rs": b"fn main() {}"}
    home.archive.write_bytes(crate(evil))
    home.unpack(evil)
    assert codes(run(home)) == ["CS0510"]


def test_checksums_are_compared_without_regard_to_case(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    assert not run(home, checksum=digest(home.data).upper()).findings


def test_a_package_that_is_not_unpacked_yet_is_checked_all_the_same(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert (run(home).state, run(home).findings) == ("done", ())
    home.archive.write_bytes(b"x")
    assert codes(run(home)) == ["CS0510"]


def test_sources_without_their_archive_can_t_be_judged(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    home.archive.unlink()
    answer = run(home)
    assert answer.state == "not done" and "csbench-x 1.0.0" in answer.why and not answer.findings


def test_a_package_without_checksum_can_t_be_judged(tmp_path: Path) -> None:
    answer = run(Home(tmp_path).unpack(), checksum=None)
    assert answer.state == "not done" and "no checksum" in answer.why


def test_what_is_not_downloaded_is_only_counted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    answer = downloads.run(home.looked_at(locked("csbench-y"), locked("csbench-own", source=None)))
    assert answer.state == "done" and "1 packages of the lock file are not downloaded" in answer.notes


def test_without_a_cargo_home_nothing_is_done(tmp_path: Path) -> None:
    assert downloads.run(replace(Home(tmp_path).subject, cargo_home=None)).state == "not done"


@pytest.mark.parametrize("name, version", [("../../../../x", "1.0.0"), ("csbench-x", "../1"), ("csbench-x", "1/2")])
def test_a_name_that_leads_elsewhere_is_not_followed(tmp_path: Path, name: str, version: str) -> None:
    answer = downloads.run(Home(tmp_path).looked_at(locked(name, version)))
    assert answer.state == "not done" and "can be no package's name" in answer.why


def test_an_unpacking_that_was_broken_off_is_no_attack_but_a_changed_file_is(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    (home.folder / ".cargo-ok").unlink()
    (home.folder / "empty").unlink()
    assert not run(home).findings
    (home.folder / "src/lib.rs").write_bytes(b"x")
    assert run(home).findings[0].tree == ("changed src/lib.rs",)


def test_a_large_ok_file_hides_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    (home.folder / ".cargo-ok").write_bytes(b"x" * 100)
    assert run(home).findings[0].tree == ("added .cargo-ok",)


def test_an_ok_file_in_the_archive_is_left_out_as_by_cargo(tmp_path: Path) -> None:
    home = Home(tmp_path, crate({**FILES, ".cargo-ok": b"ok", "src/.cargo-ok": b"ok"})).unpack()
    assert not run(home).findings


def test_each_registry_has_folders_of_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path, source="sparse+http://127.0.0.1:1/").unpack()
    other = "sparse+http://127.0.0.1:2/"
    place = home.archive.parent.parent / folders.of_registry(other)[0]
    place.mkdir()
    (place / f"{TOP}.crate").write_bytes(crate({"other": b""}))
    assert not run(home).findings


def test_a_folder_with_an_unknown_hash_counts_by_its_host(tmp_path: Path) -> None:
    home = Home(tmp_path).unpack()
    name = folders.of_registry(home.package.source or "")[0]
    for host, looked_at in (("other.invalid", 0), ("index.crates.io", 4), ("github.com", 4)):
        for kind in ("cache", "src"):
            folder = tmp_path / "home/registry" / kind
            (folder / name).rename(folder / f"{host}-0123456789abcdef")
        name = f"{host}-0123456789abcdef"
        answer = run(home)
        assert answer.looked_at == looked_at
        assert ("1 packages of the lock file are not downloaded" in answer.notes) is (looked_at == 0)


def test_what_stands_in_for_crates_io_is_where_its_packages_lie(tmp_path: Path) -> None:
    home = Home(tmp_path, source=ACME).unpack()
    (home.folder / "empty").write_bytes(b"x")
    text = f'[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "{ACME}"\n'
    (tmp_path / "home/config.toml").write_text(text)
    looked_at = replace(home.looked_at(), config=config.load(tmp_path / "ws", tmp_path / "home"))
    public = locked("csbench-x", "1.0.0", checksum=digest(home.data))
    assert codes(downloads.run(replace(looked_at, locked=(public,)))) == ["CS0511"]


def test_a_local_registry_s_packages_are_checked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "local").mkdir()
    (tmp_path / f"local/{TOP}.crate").write_bytes(b"x")
    text = f'[source.crates-io]\nreplace-with = "l"\n[source.l]\nlocal-registry = "{tmp_path}/local"\n'
    (tmp_path / "home/config.toml").write_text(text)
    home.archive.unlink()
    looked_at = replace(home.looked_at(), config=config.load(tmp_path / "ws", tmp_path / "home"))
    assert codes(downloads.run(looked_at)) == ["CS0510"]


def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all files had been written long ago."""
    monkeypatch.setattr(downloads, "SETTLED_NS", -(10**12))


def test_an_unchanged_package_is_read_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    home, cache = Home(tmp_path).unpack(), tmp_path / "cache"
    assert "0 packages known" in run(home, cache=cache).notes[0]
    monkeypatch.setattr(compare_module, "_files", None)  # whoever reads anything now fails
    answer = run(home, cache=cache)
    assert "0 MB read, 1 packages known" in answer.notes[0] and (answer.state, answer.findings) == ("done", ())


def write(path: Path) -> None:
    path.write_bytes(b"pub fn two() {}\n")


def write_with_old_times(path: Path) -> None:
    before = path.stat()
    write(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_another_in_its_place(path: Path) -> None:
    before = path.stat()
    write(path.with_name("x"))
    os.utime(path.with_name("x"), ns=(before.st_atime_ns, before.st_mtime_ns))
    path.with_name("x").rename(path)


@pytest.mark.parametrize("change", [write, write_with_old_times, put_another_in_its_place, Path.unlink])
def test_no_change_gets_past_what_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: object
) -> None:
    settled(monkeypatch)
    home, cache = Home(tmp_path).unpack(), tmp_path / "cache"
    assert not run(home, cache=cache).findings
    change(home.folder / "src/lib.rs")  # type: ignore[operator]
    assert codes(run(home, cache=cache)) == ["CS0511"]
    assert codes(run(home, cache=cache)) == ["CS0511"], "what is not clean is not remembered"


def test_another_checksum_or_archive_is_not_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    home, cache = Home(tmp_path).unpack(), tmp_path / "cache"
    run(home, cache=cache)
    assert codes(run(home, cache=cache, checksum="ab" * 32)) == ["CS0510"]
    home.archive.write_bytes(home.data + b"x")
    assert codes(run(home, cache=cache)) == ["CS0510"]


def test_what_was_written_just_now_is_not_remembered(tmp_path: Path) -> None:
    home, cache = Home(tmp_path).unpack(), tmp_path / "cache"
    run(home, cache=cache)
    assert "0 packages known" in run(home, cache=cache).notes[0]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 100_000])
def test_a_broken_memory_is_none(tmp_path: Path, text: str) -> None:
    home, cache = Home(tmp_path).unpack(), tmp_path / "cache"
    cache.mkdir()
    (cache / "integrity-1.json").write_text(text)
    assert run(home, cache=cache).state == "done"


def test_a_memory_that_can_t_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    (tmp_path / "cache").write_text("a file")
    assert run(Home(tmp_path).unpack(), cache=tmp_path / "cache").state == "done"
