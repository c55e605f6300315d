"""What scripts/bench benign says of what it built, and of what it did not."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import cli
from benchmarks.benign import chosen
from benchmarks.benign_record import BEGIN, Outcome, document, read, write
from benchmarks.detection import put

OLD = Outcome("old", "bubblewrap", (1.0, 0.2, 1.0), ("serde 1.0.183", "serde_derive 1.0.183"), 1)


def test_an_outcome_comes_back_from_json() -> None:
    assert Outcome.from_json({key: list(v) if isinstance(v, tuple) else v for key, v in asdict(OLD).items()}) == OLD


def test_what_is_kept_is_read_again_and_holds_nothing_that_a_build_printed(tmp_path: Path) -> None:
    failed = replace(OLD, engine="docker", failed="first build: code 101: error in /home/ann/x")
    path = tmp_path / "results.json"
    assert read(path) == []
    write(path, [failed, OLD])
    assert read(path) == [OLD, replace(failed, failed="first build: code 101")]
    assert "/home/ann" not in path.read_text()


def test_only_what_is_left_is_built_again() -> None:
    failed = replace(OLD, name="ripgrep", failed="first build: code 101")

    def names(words: str) -> list[str]:
        return chosen(cli.parser().parse_args(["benign", *words.split()]), [OLD, failed])

    assert names("") == ["standing"]
    assert names("--docs") == []
    assert names("--only old --only ripgrep") == ["old", "ripgrep"]
    assert names("--only old --only ripgrep --left") == ["ripgrep"]
    assert names("--only old --only ripgrep --left --engine docker") == ["old", "ripgrep"]
    assert "old" in names("--whole --docs") and "old" not in names("--whole --left")


def test_drift_is_counted_and_named_by_package_and_code() -> None:
    text = document([replace(OLD, drift=("serde script CS0301 medium: read /home/ann/x",))])
    assert "| Drift without a reason | **1** |" in text and "- serde CS0301" in text


def test_what_was_held_against_nothing_is_not_said_to_be_without_drift() -> None:
    text = document([replace(OLD, compared=False)])
    assert "| 0 | not compared |" in text and "compared with what was accepted | **0** |" in text


def test_what_was_not_built_is_named_and_not_counted() -> None:
    text = document([OLD])
    assert "| Named crates built | **2** | **2** | **0** |" in text
    assert "| Whole programs | **0** | **0** | **0** |" in text
    assert "- standing with bubblewrap: not built" in text and "- old with docker: not built" in text


def test_a_program_that_failed_is_no_whole_program() -> None:
    failed = Outcome("ripgrep", "bubblewrap", (1.0,), ("ripgrep 15.1.0",), 0, failed="first build: code 101: x\ny")
    text = document([failed])
    assert "| Whole programs | **0** |" in text
    assert "- ripgrep with bubblewrap: first build: code 101\n" in text


def test_a_crate_of_a_group_of_which_nothing_was_compiled_is_not_counted() -> None:
    half = Outcome("old", "bubblewrap", (1.0,), ("serde 1.0.183",), 1, missing=("serde_derive",))
    assert "| Named crates built | **1** |" in document([half])


def test_no_crate_of_a_group_whose_builds_did_not_all_pass_is_counted() -> None:
    text = document([replace(OLD, failed="ci build: code 101")])
    assert "| Named crates built | **0** |" in text and "| historical negatives | 0 | 0 |" in text


def test_a_false_alarm_stands_beside_its_class() -> None:
    alarmed = Outcome("old", "bubblewrap", (1.0,), OLD.built, 1, alarms=("first build: serde script CS0241 high: x",))
    text = document([alarmed])
    assert "| False alarms | **1** |" in text
    assert "| historical negatives | 2 | 1 |" in text


def test_the_other_half_of_the_document_stays(tmp_path: Path) -> None:
    path = tmp_path / "detection.md"
    put(path, "attacks here")
    put(path, "crates here", BEGIN, "Benign crates and programs")
    put(path, "crates again", BEGIN, "Benign crates and programs")
    text = path.read_text()
    assert "attacks here" in text and "crates again" in text and "crates here" not in text


def test_no_path_of_the_machine_is_written_down() -> None:
    lower = ("benign-codegen script CS0270 medium: ran /home/ann/x", "app script CS0210 medium: read /home/ann/y")
    text = document([Outcome("just", "docker", (1.0,), (), 0, lower=lower, failed="first build: code 1: /home/ann")])
    assert "/home" not in text and "- app CS0210" in text and "- benign-codegen CS0270" not in text
