"""Of which files a build script is made, by its text alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.policy.script_source import UNREADABLE, _asked, digest

MAIN = "fn main() {}\n"


def _write(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _digest(top: Path, package: str = "ws/dep") -> str:
    return digest(str(top / package / "build.rs"), str(top / package), str(top / "ws"))


@pytest.mark.parametrize(
    ("script", "file"),
    [
        ("mod probe;", "probe.rs"),
        ("mod probe;", "probe/mod.rs"),
        ("mod r#probe ;", "probe.rs"),
        ("mod /* x */ // y\n probe;", "probe.rs"),
        ("mod a { mod probe; }", "a/probe.rs"),
        ('#[path = "build/probe.rs"]\nmod x;', "build/probe.rs"),
        ('#[path = r"build/probe.rs"] mod x;', "build/probe.rs"),
        ('#[cfg_attr(unix, path = "build/probe.rs")] mod x;', "build/probe.rs"),
        ('include!("src/cli.rs");', "src/cli.rs"),
        ('core::include!{ "src/cli.rs" }', "src/cli.rs"),
        ('include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli.rs"));', "src/cli.rs"),
        ('const X: &[u8] = include_bytes!("payload.bin");', "payload.bin"),
        ("macro_rules! m { ($i:ident) => { mod $i; } } m!(hidden);", "hidden.rs"),
        ("macro_rules! m { ($k:tt, $i:ident) => { $k $i; } } m!(mod, hidden);", "hidden.rs"),
        ('macro_rules! m { ($p:literal) => { #[path = $p] mod x; } } m!("q.rs");', "q.rs"),
        ('macro_rules! m { ($p:ident) => { #[$p = "q.rs"] mod x; } } m!(path);', "q.rs"),
        ('include!(concat!("a", ".rs"));', "a.rs"),
        ('use std::include as take;\ntake!("a.rs");', "a.rs"),
        ('use std::{\n  include as take,\n};\ntake!("a.rs");', "a.rs"),
        ('#[path = "\\x61.rs"] mod x;', "a.rs"),
        ("mod " + "/**/" * 20 + "a;", "a.rs"),
    ],
)
def test_a_file_that_a_script_takes_in_is_part_of_its_digest(tmp_path: Path, script: str, file: str) -> None:
    _write(tmp_path / "ws/dep", {"build.rs": f"{script}\n{MAIN}", file: "// one", "src/lib.rs": ""})
    before = _digest(tmp_path)
    assert before != UNREADABLE
    _write(tmp_path / "ws/dep", {file: "// two"})
    assert _digest(tmp_path) != before
    _write(tmp_path / "ws/dep", {file: "// one"})
    assert _digest(tmp_path) == before


@pytest.mark.parametrize(
    "script",
    [
        MAIN,
        'fn main() { let path = "src/lib.rs"; cc::Build::new().include("native").file(path).compile("x"); }',
        '// the mod of it, and its path\nfn main() { println!("cargo::rerun-if-changed=src/lib.rs"); }',
    ],
)
def test_what_a_script_merely_speaks_of_is_no_part_of_it(tmp_path: Path, script: str) -> None:
    _write(tmp_path / "ws/dep", {"build.rs": script, "src/lib.rs": "// one", "native/lib.rs": "// one"})
    before = _digest(tmp_path)
    _write(tmp_path / "ws/dep", {"src/lib.rs": "// two", "native/lib.rs": "// two"})
    assert _digest(tmp_path) == before


def test_modules_of_modules_count_and_a_new_file_of_such_a_name_does(tmp_path: Path) -> None:
    files = {"build.rs": f"mod a;\n{MAIN}", "a.rs": "mod deep;", "a/deep.rs": "// one"}
    _write(tmp_path / "ws/dep", files)
    before = _digest(tmp_path)
    _write(tmp_path / "ws/dep", {"a/deep.rs": "// two"})
    changed = _digest(tmp_path)
    _write(tmp_path / "ws/dep", {"a/deep/mod.rs": "// three"})
    assert len({before, changed, _digest(tmp_path)}) == 3


def test_a_file_of_the_workspace_counts_and_one_outside_of_it_is_not_read(tmp_path: Path) -> None:
    taken = '#[path = "../../shared.rs"] mod shared;\n'
    _write(tmp_path / "ws/in/dep", {"build.rs": taken + MAIN})
    _write(tmp_path / "ws/dep", {"build.rs": taken + MAIN})
    _write(tmp_path, {"ws/shared.rs": "// one", "shared.rs": "// the host's"})
    before = _digest(tmp_path, "ws/in/dep")
    _write(tmp_path, {"ws/shared.rs": "// two"})
    assert _digest(tmp_path, "ws/in/dep") not in (before, UNREADABLE)
    assert _digest(tmp_path) == UNREADABLE


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    for script in ('include!("target/x.rs");', "mod target { mod x; }", 'mod a { #[path = "../../x.rs"] mod x; }'):
        _write(tmp_path / "ws/dep", {"build.rs": script + MAIN, "target/x.rs": "", "x.rs": ""})
        _write(tmp_path / "ws", {"x.rs": ""})
        assert _digest(tmp_path) == UNREADABLE, script
    _write(tmp_path / "ws/dep", {"build.rs": f"mod x;\n{MAIN}"})
    assert _digest(tmp_path) != UNREADABLE
    (tmp_path / "ws/dep/linked").symlink_to(tmp_path / "ws")
    assert _digest(tmp_path) == UNREADABLE
    _write(tmp_path / "ws/dep", {"build.rs": MAIN})
    assert _digest(tmp_path) != UNREADABLE, "a script of one file asks for no others"


@pytest.mark.parametrize(
    "part", ["(\n//(\n", "mod /*", "mod ", "path = ", "include!(", "use include ;", "#[$", "mod//\n"]
)
def test_no_text_makes_it_slow(part: str) -> None:
    text = part * ((1 << 18) // len(part))
    started = time.perf_counter()
    _asked(text)
    assert time.perf_counter() - started < 2


@given(
    st.lists(st.sampled_from(["mod ", "path", "include!", "(", '"a.rs"', "{", "}", "/*", "*/", "//", "\n", "$", "#["]))
)
def test_no_text_makes_it_fail(words: list[str]) -> None:
    _asked("".join(words))
