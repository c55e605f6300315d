"""What scripts/bench benign says of what it built, and of what it did not."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks.benign import BEGIN, Outcome, document
from benchmarks.detection import put

OLD = Outcome("old", "bubblewrap", (1.0, 0.2, 1.0), ("serde 1.0.183", "serde_derive 1.0.183"), 1)


def test_an_outcome_comes_back_from_json() -> None:
    assert Outcome.from_json({key: list(v) if isinstance(v, tuple) else v for key, v in asdict(OLD).items()}) == OLD


def test_what_was_not_built_is_named_and_not_counted() -> None:
    text = document([OLD])
    assert "Named crates built: **2** · whole programs: **0 of " in text
    assert "- standing: not built" in text and "- ripgrep: not built" in text


def test_a_program_that_failed_is_no_whole_program() -> None:
    failed = Outcome("ripgrep", "bubblewrap", (1.0,), ("ripgrep 15.1.0",), 0, failed="first build: code 101: x\ny")
    text = document([failed])
    assert "whole programs: **0 of " in text
    assert "- ripgrep with bubblewrap: first build: code 101\n" in text


def test_a_crate_of_a_group_of_which_nothing_was_compiled_is_not_counted() -> None:
    half = Outcome(
        "old", "bubblewrap", (1.0,), ("serde 1.0.183",), 1, missing=("serde_derive",), failed="first build: x"
    )
    assert "Named crates built: **1**" in document([half])


def test_a_false_alarm_stands_beside_its_class() -> None:
    alarmed = Outcome("old", "bubblewrap", (1.0,), OLD.built, 1, alarms=("first build: serde script CS0241 high: x",))
    text = document([alarmed])
    assert "false alarms: **1**" in text
    assert "| historical negatives | 2 | 1 |" in text


def test_the_other_half_of_the_document_stays(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "detection.md"
    put(path, "attacks here")
    put(path, "crates here", BEGIN, "Benign crates and programs")
    put(path, "crates again", BEGIN, "Benign crates and programs")
    text = path.read_text()
    assert "attacks here" in text and "crates again" in text and "crates here" not in text


def test_no_path_of_the_machine_is_written_down() -> None:
    lower = ("zoxide script CS0113 medium: tried to create /home/ann/x", "app script CS0210 medium: read /home/ann/y")
    text = document([Outcome("just", "docker", (1.0,), (), 0, lower=lower, failed="first build: code 1: /home/ann")])
    assert "/home" not in text and "- app CS0210" in text and "- zoxide CS0113" not in text
