"""A package's files are read within bounds, and only from where they belong."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.files import Unreadable
from sandbox.preflight.packages import contents as module
from sandbox.preflight.packages.card import card_of
from sandbox.preflight.packages.contents import Contents, File, of_archive, of_crate, of_folder
from sandbox.preflight.packages.find import Packages
from sandbox.preflight.packages.scripts import build_files, script_files
from tests.unit.preflight.crates import FOLDER, archive, put


def _with(files: dict[str, str]) -> Contents:
    made = {
        path: File(len(text), hashlib.sha256(text.encode()).hexdigest(), text.encode()) for path, text in files.items()
    }
    return Contents("crate", made)


def _entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as out:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        out.addfile(entry)
    return made.getvalue()


def test_links_ways_out_and_second_entries_of_a_name_are_refused() -> None:
    twice = io.BytesIO()
    with tarfile.open(fileobj=twice, mode="w:gz") as out:
        for data in (b"1", b"2"):
            entry = tarfile.TarInfo("a-1/x")
            entry.size = 1
            out.addfile(entry, io.BytesIO(data))
    for packed in (
        twice.getvalue(), _entry("../x"), _entry("a-1/x", tarfile.SYMTYPE, "/etc/passwd"), _entry("x"),
        _entry("a-1/x", tarfile.LNKTYPE, "a-1/y"), _entry("a-1/x", tarfile.FIFOTYPE), archive({"a-1/x": b"1"})[:-12],
        b"", b"no archive", zlib.compress(b"x", wbits=31), _entry("/a-1/x"), _entry("a-1/../../x"),
    ):  # fmt: skip
        with pytest.raises(Unreadable):
            of_archive(packed, "a-1")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOTAL", 1 << 20)
    with pytest.raises(Unreadable, match="more than"):
        of_archive(archive({"a-1/x": bytes(2 << 20)}), "a-1")
    monkeypatch.setattr(module, "MAX_FILES", 3)
    with pytest.raises(Unreadable, match="more than 3 files"):
        of_archive(archive({f"a-1/{at}": b"" for at in range(4)}), "a-1")


def test_a_sparse_file_whose_holes_would_fill_the_memory_is_refused() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT) as out:
        entry = tarfile.TarInfo("a-1/x")
        entry.size, entry.pax_headers = 1, {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 50)}
        out.addfile(entry, io.BytesIO(b"1"))
    with tarfile.open(fileobj=io.BytesIO(made.getvalue())) as archive_read:
        assert next(iter(archive_read)).issparse()
    with pytest.raises(Unreadable, match="a pax header sets GNU"):
        of_archive(made.getvalue(), "a-1")


def test_of_data_only_a_sample_is_kept_and_of_code_all_that_is_read() -> None:
    big = b"\0" + b"x" * (1 << 20)
    files = of_archive(archive({"a-1/data.bin": big, "a-1/build.rs": big}), "a-1").files
    assert [(len(files[name].data), files[name].size) for name in ("data.bin", "build.rs")] == [
        (module.SAMPLE, len(big)), (len(big), len(big)),
    ]  # fmt: skip
    assert files["data.bin"].digest == hashlib.sha256(big).hexdigest()


@given(st.binary(max_size=400))
def test_any_bytes_for_an_archive_are_survived(data: bytes) -> None:
    for packed in (data, zlib.compress(data, wbits=31)):
        try:
            of_archive(packed, "a-1")
        except Unreadable:
            continue


def test_a_package_with_another_checksum_is_not_read(tmp_path: Path) -> None:
    package = put(tmp_path, "csbench-a", "1.0.0", {"src/lib.rs": "x"})
    assert Packages(tmp_path).contents(package) is not None
    packages = Packages(tmp_path)
    other = package._replace(checksum="0" * 64)
    assert packages.contents(other) is None and "checksum" in packages.why(other)
    with pytest.raises(Unreadable):
        of_crate(tmp_path / "registry" / "cache" / FOLDER / "csbench-a-1.0.0.crate", "0" * 64, "csbench-a-1.0.0")


def test_unpacked_sources_are_read_where_there_is_no_package_and_links_are_not_followed(tmp_path: Path) -> None:
    package = put(tmp_path, "csbench-a", "1.0.0", {})
    (tmp_path / "registry" / "cache" / FOLDER / "csbench-a-1.0.0.crate").unlink()
    top = tmp_path / "registry" / "src" / FOLDER / "csbench-a-1.0.0"
    (top / "src").mkdir(parents=True)
    (top / "Cargo.toml").write_text("[package]\nname = 'csbench-a'\n")
    (top / "src" / "lib.rs").write_text("x")
    os.symlink("/etc", top / "etc")
    os.symlink("/etc/passwd", top / "src" / "passwd")
    os.mkfifo(top / "pipe")
    found = Packages(tmp_path).contents(package)
    assert found is not None and found.origin == "unpacked"
    assert sorted(found.files) == ["Cargo.toml", "src/lib.rs"]
    (top / "Cargo.toml").unlink()
    os.symlink("/etc/passwd", top / "Cargo.toml")
    with pytest.raises(Unreadable, match="link"):
        of_folder(top, "unpacked", "Cargo.toml")


def test_folders_without_end_are_refused_and_not_followed_to_the_stacks_end(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("a", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(Unreadable, match="nested more than"):
        of_folder(tmp_path, "unpacked")
    subprocess.run(["rm", "-rf", tmp_path / "a"], check=True)


def test_other_packages_and_what_was_built_do_not_belong_to_a_folder_s_package(tmp_path: Path) -> None:
    for path in ("Cargo.toml", "src/lib.rs", "target/x", "src/target/x", ".git/x", "other/Cargo.toml", "other/deep/x"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert sorted(of_folder(tmp_path, "folder").files) == ["Cargo.toml", "src/lib.rs"]
    assert sorted(of_folder(tmp_path, "unpacked").files) == [
        "Cargo.toml", "other/Cargo.toml", "other/deep/x", "src/lib.rs",
    ]  # fmt: skip


def test_names_that_lead_elsewhere_find_nothing(tmp_path: Path) -> None:
    package = put(tmp_path, "csbench-a", "1.0.0", {})
    for name in ("../csbench-a", "a/b", "..", "", "a\0b", "x" * 200):
        packages = Packages(tmp_path)
        for other in (package._replace(name=name), package._replace(version=name)):
            assert packages.contents(other) is None
            assert packages.why(other)


@pytest.mark.parametrize(
    ("manifest", "files", "brings"),
    [
        ("[package]\nname='a'", {}, ""),
        ("[package]\nname='a'", {"build.rs": ""}, "a build script"),
        ("[package]\nname='a'\nbuild=false", {"build.rs": ""}, ""),
        ("[package]\nname='a'\nbuild='./b/x.rs'", {"b/x.rs": ""}, "a build script"),
        ("[package]\nname='a'\nbuild=['one.rs']", {"one.rs": ""}, "a build script"),
        ("[package]\nname='a'\n[lib]\nproc-macro=true", {}, "a proc macro"),
        ("[package]\nname='a'\n[lib]\nproc_macro=true", {"build.rs": ""}, "a build script and a proc macro"),
        ("[package]\nname='a'\n[lib]\ncrate-type=['proc-macro']", {}, "a proc macro"),
        ("[package]\nname='a'\n[lib]\ncrate_type=['proc-macro']", {}, "a proc macro"),
        ("[project]\nname='a'\nbuild='b/x.rs'", {"b/x.rs": ""}, "a build script"),
        ("[package]\nname='a'\nbuild=false\n[project]\nname='a'\nbuild='x.rs'", {"x.rs": ""}, "a build script"),
        ("package=3\nlib='x'", {}, ""),
    ],
)
def test_a_manifest_tells_what_runs_at_build_time(manifest: str, files: dict[str, str], brings: str) -> None:
    assert card_of(_with({"Cargo.toml": manifest, **files})).brings == brings


def test_renamed_and_platform_dependencies_are_seen() -> None:
    manifest = """
        [dependencies]
        a = "1"
        b = { package = "real", version = "1" }
        [target.'cfg(unix)'.build-dependencies]
        c = "1"
        [dev-dependencies]
        d = "1"
    """
    assert card_of(_with({"Cargo.toml": manifest})).needs == {"a", "real", "c"}


def test_without_a_proper_manifest_there_is_no_card() -> None:
    for files in ({}, {"Cargo.toml": "[package"}, {"Cargo.toml": "x" * (2 << 20)}):
        with pytest.raises(Unreadable):
            card_of(_with(files))


def test_a_build_scripts_modules_are_found_wherever_they_lie() -> None:
    files = {
        "Cargo.toml": "[package]\nname='a'\nbuild='build/main.rs'",
        "build/main.rs": 'mod one;\nmod r#two;\n#[path = "../shared/three.rs"]\nmod three;\n'
        'include!("../four.in");\nconst X: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/five.txt"));',
        "build/one.rs": "mod inner;",
        "build/one/inner.rs": "mod main; mod one;",
        "build/two/mod.rs": "mod deep;",
        "build/two/deep.rs": "",
        "shared/three.rs": "",
        "four.in": "",
        "five.txt": "",
        "src/lib.rs": "mod no;",
        "src/no.rs": "",
    }
    found = _with(files)
    assert set(build_files(found, card_of(found))) == set(files) - {"Cargo.toml", "src/lib.rs", "src/no.rs"}
    assert script_files(found, "missing.rs") == ()


@given(st.text(max_size=80), st.text(max_size=200))
def test_any_text_for_a_script_is_survived(path: str, text: str) -> None:
    script_files(_with({path: text, "build.rs": text}), "build.rs")
    script_files(_with({path: text}), path)
