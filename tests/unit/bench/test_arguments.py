"""The command line of scripts/bench."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import cli

ROOT = Path(__file__).resolve().parents[3]


def test_the_defaults_are_what_the_thresholds_speak_of() -> None:
    options = cli.parser().parse_args(["overhead"])
    assert (options.pairs, options.noop_pairs, options.version_runs) == (5, 20, 20)
    assert options.workspace == ROOT / "examples" / "workspace"
    assert not options.strace
    assert cli.parser().parse_args(["flood"]).opens == 200_000
    assert cli.parser().parse_args(["flood"]).events == 1_000_000


def test_everything_can_be_chosen(tmp_path: Path) -> None:
    words = f"overhead --pairs 1 --noop-pairs 2 --version-runs 3 --workspace {tmp_path} --strace --json x --scratch y"
    options = cli.parser().parse_args(words.split())
    assert (options.pairs, options.noop_pairs, options.version_runs, options.strace) == (1, 2, 3, True)
    assert (options.workspace, options.json, options.scratch) == (tmp_path, Path("x"), Path("y"))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "speed",
        "overhead --pairs 0",
        "overhead --pairs -1",
        "overhead --pairs 1.5",
        "overhead --pairs ¹",
        "overhead --workspace /no/such/folder",
        "guard --calls 10",
        "guard --strace",
        "integrity --rounds 0",
        "audit --packages 1",
        "integrity --cargo-home /no/such/folder",
        "flood --opens none",
    ],
)
def test_a_mistake_is_code_2_and_nothing_runs(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words.split())
    assert ended.value.code == 2
    assert "usage: scripts/bench" in capsys.readouterr().err


def test_a_report_that_can_not_be_written_is_said_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["overhead", "--json", "/no/such/folder/report.json"]) == 2
    assert "/no/such/folder" in capsys.readouterr().err


def bench(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts" / "bench", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_script_starts_from_any_folder(tmp_path: Path) -> None:
    done = bench(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert "overhead|guard|flood" in done.stdout


def test_a_mistake_is_found_before_any_environment_is_made(tmp_path: Path) -> None:
    assert bench(tmp_path, "overhead", "--pairs", "none").returncode == 2


def test_the_benign_set_is_its_standing_third_unless_more_is_asked_for() -> None:
    options = cli.parser().parse_args(["benign"])
    assert (options.whole, options.left, options.only, options.engine, options.docs) == (
        False, False, None, "bubblewrap", False,
    )  # fmt: skip
    assert options.results == ROOT / "tests/benign/results.json"
    options = cli.parser().parse_args("benign --only a --only b --results there.json".split())
    assert (options.only, options.results) == (["a", "b"], Path("there.json"))
