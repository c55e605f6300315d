"""The list of ATT&CK techniques is made of MITRE's own data, and an id that is none there is refused."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from sandbox.judge.rules import sources

ROOT = Path(__file__).resolve().parents[4]


def _pattern(folder: Path, id_: str, name: str, **more: Any) -> None:
    reference = {"source_name": "mitre-attack", "external_id": id_}
    other = {"source_name": "capec", "external_id": "CAPEC-1"}
    one = {"type": "attack-pattern", "name": name, "external_references": [other, reference]} | more
    (folder / f"attack-pattern--{id_}.json").write_text(json.dumps({"objects": [one]}))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "enterprise-attack" / "attack-pattern"
    folder.mkdir(parents=True)
    _pattern(folder, "T1005", "Data from Local System")
    _pattern(folder, "T1059", "Command and Scripting Interpreter")
    _pattern(folder, "T1059.004", "Unix Shell")
    _pattern(folder, "T1064", "Scripting", x_mitre_deprecated=True)
    _pattern(folder, "T1086", "PowerShell", revoked=True)
    return tmp_path


def _run(made: Path, *words: str) -> tuple[int, dict[str, str]]:
    script = runpy.run_path(str(ROOT / "scripts" / "gen-attack-techniques"))
    listed = made / "attack-techniques.yaml"
    if not listed.exists():
        listed.write_text('version: "1"\ntechniques:\n  T1005: An old name\n')
    script["main"].__globals__["LIST"] = listed
    return script["main"]([*words]), dict(sources.techniques(listed))


def test_names_are_taken_over_and_ids_added(made: Path) -> None:
    assert _run(made, "--check", str(made), "18.1")[0] == 1
    code, names = _run(made, str(made), "18.1", "T1059.004")
    assert (code, names) == (
        0,
        {"T1005": "Data from Local System", "T1059.004": "Command and Scripting Interpreter: Unix Shell"},
    )
    assert _run(made, "--check", str(made), "18.1")[0] == 0


@pytest.mark.parametrize("id_", ["T9999", "T1064", "T1086"])
def test_an_id_that_is_none_or_none_any_more_is_refused(
    made: Path, id_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(made, str(made), "18.1", id_) == (1, {"T1005": "An old name"})
    assert f"{id_} is no technique of v18.1" in capsys.readouterr().err


def test_too_few_words_are_a_usage_error(made: Path) -> None:
    assert _run(made, "--check", str(made))[0] == 2
