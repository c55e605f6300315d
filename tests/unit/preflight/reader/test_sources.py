"""What the reader says of techniques that build scripts and macros were seen to use, and of harmless work like them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.preflight.reader import payload
from sandbox.preflight.reader.explain import explain_package, reason_lines
from sandbox.preflight.reader.ranks import Judgement, judge
from sandbox.preflight.reader.unit import read_unit

CALIBRATE = Path(__file__).resolve().parents[4] / "scripts/calibrate-reader"
SOURCES = Path(__file__).parent / "sources"
CODES = {"attack-like combination": "CS0570", "reaches": "CS0571"}
EVERY = sorted(SOURCES.glob("*/*.rs"))


def _judged(source: Path, tmp_path: Path) -> Judgement:
    folder = tmp_path / "csbench-package"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests/sample.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "build.rs").write_bytes(source.read_bytes())
    unit = read_unit(folder, folder / "build.rs")
    assert (unit.unread, unit.doubts, unit.undone) == ((), (), ()), "the fixture itself must be Rust"
    return judge(unit.sightings)


@pytest.mark.parametrize("source", EVERY, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_source_gets_the_code_and_the_rule_that_its_first_line_says(source: Path, tmp_path: Path) -> None:
    code, _, rule = source.read_text().splitlines()[0].removeprefix("//! ").partition(" ")
    judged = _judged(source, tmp_path)
    assert CODES.get(judged.rank, "none") == code, "\n".join(reason_lines(judged))
    if rule:
        held = [reason.rule.name for reason in judged.reasons]
        assert rule in held, held


def test_no_twin_is_called_an_attack(tmp_path: Path) -> None:
    twins = [source.read_text().splitlines()[0] for source in EVERY if source.parent.name == "twins"]
    assert len(twins) >= 14 and not [line for line in twins if "CS0570" in line]


def test_evidence_names_file_line_and_what_stands_there(tmp_path: Path) -> None:
    lines = list(reason_lines(_judged(SOURCES / "attacks/dropper_in_process.rs", tmp_path)))
    assert "  build.rs:11 talks to the network: std::net::TcpStream::connect" in lines
    assert "  build.rs:14 makes a file executable: 0o755" in lines
    assert "  build.rs:15 starts a program in a scratch folder: /tmp/csbench-setup" in lines
    assert lines[0].startswith("attack-like combination: ")


def test_a_package_is_explained_for_people_with_the_gravest_first(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "csbench-x"\nversion = "1.0.0"\n')
    (tmp_path / "build.rs").write_bytes((SOURCES / "attacks/env_dump.rs").read_bytes())
    (tmp_path / "helper").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    lines = explain_package(tmp_path)
    assert lines[0] == "build script: attack-like combination (1 file read)"
    assert lines[1] == "  attack-like combination: takes the whole environment and talks to others"
    assert lines[-1].startswith("carries executable (ELF): helper, 64 bytes, sha256 ")


def test_a_package_without_build_time_code_says_so(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "csbench-x"\nversion = "1.0.0"\n')
    assert explain_package(tmp_path) == ("nothing of it runs while it is built, and it carries sources only",)


def test_libraries_that_are_not_followed_are_named(tmp_path: Path) -> None:
    manifest = '[package]\nname = "csbench-x"\nversion = "1.0.0"\n[build-dependencies]\n"csbench-\\u001bhelper" = "1"\n'
    (tmp_path / "Cargo.toml").write_text(manifest + '[dependencies]\ncsbench-other = "1"\n')
    (tmp_path / "build.rs").write_text("fn main() { csbench_helper::deliver(); }")
    *_, last = explain_package(tmp_path)
    assert last.startswith("not followed: what it calls in csbench-") and "audit does" in last
    assert "\x1b" not in last and "csbench-other" not in last, "a script does not see those"


def test_what_was_not_looked_at_is_said_to_people_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MAX_FILES", 2)
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "csbench-x"\nversion = "1.0.0"\n')
    for name in ("a", "b"):
        (tmp_path / name).write_text("")
    assert explain_package(tmp_path) == ("not looked at: more than 2 files",)


def test_all_of_a_package_that_was_fetched_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "csbench-x"\nversion = "1.0.0"\n')
    (tmp_path / "target").mkdir()
    (tmp_path / "target/tool").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    assert explain_package(tmp_path, whole=True)[0].startswith("carries executable (ELF): target/tool")
    assert not explain_package(tmp_path)[0].startswith("carries")


@pytest.mark.parametrize(("files", "code"), [({}, 2), ({"build.rs": "fn main() {}"}, 0)])
def test_a_calibration_that_read_nothing_is_no_success(tmp_path: Path, files: dict[str, str], code: int) -> None:
    folder = tmp_path / "registry/src/index.crates.io-0/csbench-x-1.0.0"
    folder.mkdir(parents=True)
    for name, text in {"Cargo.toml": '[package]\nname = "csbench-x"\nversion = "1.0.0"\n', **files}.items():
        (folder / name).write_text(text)
    done = subprocess.run([sys.executable, CALIBRATE, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("nothing was read" in done.stderr) is (code == 2)
