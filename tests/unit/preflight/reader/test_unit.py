"""Which files belong to a script or macro, and that nothing leads out of its package."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sandbox.preflight.reader import tokens
from sandbox.preflight.reader import unit as unit_module
from sandbox.preflight.reader.cache import Cache
from sandbox.preflight.reader.unit import Unit, read_unit

SPAWN = 'pub fn f() { std::process::Command::new("make"); }'


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "csbench-package"
    folder.mkdir()
    return folder


def _read(top: Path, files: dict[str, str | bytes], root: str = "build.rs") -> Unit:
    for name, content in files.items():
        place = top / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_unit(top, top / root)


@pytest.mark.parametrize(
    ("root", "line", "where"),
    [
        ("build.rs", "mod steps;", "steps.rs"),
        ("build.rs", "mod steps;", "steps/mod.rs"),
        ("build/main.rs", "mod steps;", "build/steps.rs"),
        ("build.rs", '#[path = "tools/other.rs"] mod steps;', "tools/other.rs"),
        ("build.rs", '#[cfg_attr(unix, path = "unix.rs")] mod steps;', "unix.rs"),
        ("build.rs", "mod inner { pub mod steps; }", "inner/steps.rs"),
        ("build.rs", 'mod inner { #[path = "x.rs"] mod steps; }', "inner/x.rs"),
        ("build.rs", 'include!("src/shared.rs");', "src/shared.rs"),
        ("build.rs", 'include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/shared.rs"));', "src/shared.rs"),
        ("build.rs", "cfg_if::cfg_if! { if #[cfg(unix)] { mod steps; } }", "steps.rs"),
        ("build.rs", "pub(crate) mod steps;", "steps.rs"),
    ],
)
def test_a_module_is_found_where_the_compiler_finds_it(top: Path, root: str, line: str, where: str) -> None:
    unit = _read(top, {root: f"{line} fn main() {{}}", where: SPAWN}, root)
    assert unit.files == (root, where) and unit.unread == ()
    assert [(one.kind, one.file) for one in unit.sightings] == [("spawn", where)]


def test_modules_of_modules_lie_in_their_folder(top: Path) -> None:
    files = {"build.rs": "mod a;", "a.rs": "mod b;", "a/b.rs": "mod c;", "a/b/c/mod.rs": "mod d;", "a/b/c/d.rs": SPAWN}
    unit = _read(top, files)
    assert unit.files == tuple(files) and unit.unread == ()


def test_modules_that_name_each_other_are_read_once(top: Path) -> None:
    unit = _read(top, {"build.rs": '#[path = "a.rs"] mod a;', "a.rs": '#[path = "build.rs"] mod b; include!("a.rs");'})
    assert unit.files == ("build.rs", "a.rs")


def test_tests_of_a_macro_are_no_build_time_code(top: Path) -> None:
    assert _read(top, {"build.rs": "#[cfg(test)] mod tests;", "tests.rs": SPAWN}).files == ("build.rs",)


def test_a_missing_module_is_told_unless_a_condition_may_leave_it_out(top: Path) -> None:
    unit = _read(top, {"build.rs": "mod gone; #[cfg(windows)] mod windows;"})
    assert unit.unread == (("gone.rs", "no such file, for `mod gone` in build.rs"),)


def test_a_missing_script_is_told(top: Path) -> None:
    assert read_unit(top, top / "build.rs").unread == (("build.rs", "no such file"),)


@pytest.mark.parametrize("line", ['#[path = "../outside.rs"] mod x;', 'include!("../outside.rs");'])
def test_what_lies_outside_of_the_package_is_told_and_not_read(top: Path, line: str) -> None:
    (top.parent / "outside.rs").write_text(SPAWN)
    unit = _read(top, {"build.rs": line})
    assert unit.files == ("build.rs",) and [one.kind for one in unit.sightings] == ["outside"]


def test_what_is_taken_in_from_outside_is_not_even_looked_at(top: Path) -> None:
    (top.parent / "program").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    unit = _read(top, {"build.rs": 'const X: &[u8] = include_bytes!("../program");'})
    assert [(one.kind, one.text) for one in unit.sightings] == [("outside", "../program")]


def test_a_link_out_of_the_package_is_told_and_not_read(top: Path) -> None:
    (top.parent / "outside.rs").write_text(SPAWN)
    (top / "steps.rs").symlink_to("../outside.rs")
    unit = _read(top, {"build.rs": "mod steps;"})
    assert unit.files == ("build.rs",)
    assert unit.unread == (("steps.rs", "it lies outside of the package"),)


def test_a_fifo_is_not_waited_for(top: Path) -> None:
    os.mkfifo(top / "steps.rs")
    assert _read(top, {"build.rs": "mod steps;"}).unread == (("steps.rs", "not a regular file"),)


def test_bytes_that_are_no_text_are_told_and_still_looked_at(top: Path) -> None:
    unit = _read(top, {"build.rs": b"// \xff\n" + SPAWN.encode()})
    assert unit.unread == (("build.rs", "not UTF-8 at byte 3"),)
    assert [one.kind for one in unit.sightings] == ["spawn"]


def test_too_large_a_file_is_not_done_and_named(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_module, "MAX_BYTES", 100)
    assert _read(top, {"build.rs": "mod a;", "a.rs": " " * 101}).undone == (("a.rs", "larger than 100 bytes"),)


def test_too_many_files_are_not_done_and_named(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_module, "MAX_FILES", 2)
    unit = _read(top, {"build.rs": "mod a; mod b;", "a.rs": "", "b.rs": ""})
    assert unit.undone == (("b.rs", "more than 2 files"),)


def test_too_much_together_is_not_done_and_named(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_module, "MAX_TOTAL", 20)
    unit = _read(top, {"build.rs": "mod a;", "a.rs": " " * 30})
    assert unit.undone == (("a.rs", "all files together have more than 20 bytes"),)


def test_what_the_parser_does_not_end_with_is_not_done_and_named(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_SECONDS", 0.2)
    endless = 'r#"' * 20_000
    unit = _read(top, {"build.rs": "mod a; mod b; mod c;", "a.rs": endless, "b.rs": endless + " ", "c.rs": ""})
    assert unit.undone == (
        ("a.rs", "the parser found no end"),
        ("b.rs", "the parser found no end"),
        ("c.rs", "the parser found no end in other files"),
    )


def test_source_that_is_made_while_building_is_told(top: Path) -> None:
    unit = _read(top, {"build.rs": 'include!(concat!(env!("OUT_DIR"), "/x.rs"));'})
    assert [one.kind for one in unit.sightings] == ["generated"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('const X: &[u8] = include_bytes!("data");', "includes-executable"),
        ('const X: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/data"));', "includes-executable"),
        ('const X: &[u8] = include_bytes!("zeros");', "includes-binary"),
        ('fn f() { std::fs::read("zeros"); }', "reads-binary"),
        ('const X: &str = include_str!("text");', None),
        ('const X: &str = include_str!("gone");', None),
    ],
)
def test_files_that_are_taken_in_are_looked_at(top: Path, line: str, kind: str | None) -> None:
    (top / "data").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    (top / "zeros").write_bytes(bytes(100))
    (top / "text").write_text("plain")
    unit = _read(top, {"build.rs": line})
    assert [one.kind for one in unit.sightings] == ([kind] if kind else [])


def test_an_error_of_syntax_is_never_silently_clean(top: Path) -> None:
    unit = _read(top, {"build.rs": "fn main() { " + "@@ = 5 % } ; let let " * 20})
    assert unit.unread or unit.doubts


def test_a_cached_answer_is_the_same_and_follows_the_content(top: Path, tmp_path: Path) -> None:
    (top / "build.rs").write_text(SPAWN)
    cache = Cache(tmp_path / "cache")
    first = read_unit(top, top / "build.rs", cache=cache)
    assert read_unit(top, top / "build.rs", cache=cache) == first
    (entry,) = [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    entry.write_text("{broken")
    assert read_unit(top, top / "build.rs", cache=cache) == first
    kept = json.loads(entry.read_text())
    kept[1] = []
    entry.write_text(json.dumps(kept))
    assert read_unit(top, top / "build.rs", cache=cache).sightings == (), "what is in the cache is what is answered"
    (top / "build.rs").write_text(SPAWN + " ")
    assert read_unit(top, top / "build.rs", cache=cache).sightings == first.sightings
