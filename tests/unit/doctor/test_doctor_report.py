"""What people and programs read. Golden files: tests/golden/doctor; CARGO_SANDBOX_GOLDEN=write makes them anew."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import sandbox.doctor
from sandbox.cli.doctor import Wish, parse
from sandbox.doctor.diagnose import diagnose
from sandbox.doctor.known_bad import load
from sandbox.errors import UsageError
from sandbox.report.doctor import text, to_json
from tests.unit.doctor import hosts

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "doctor"
SCHEMA = json.loads((Path(sandbox.doctor.__file__).parent / "schema" / "doctor-v1.schema.json").read_text())


def compare(name: str, made: str) -> None:
    path = GOLDEN / name
    if os.environ.get("CARGO_SANDBOX_GOLDEN") == "write":
        path.write_text(made)
    assert made == path.read_text()


@pytest.mark.parametrize("name", sorted(hosts.GOLDEN))
def test_the_text_for_people(name: str) -> None:
    host = hosts.GOLDEN[name]
    compare(f"{name}.txt", text(diagnose(host, load()), False) + "\n")


def test_the_json_for_programs() -> None:
    host = hosts.GOLDEN["ubuntu-24.04-restricted"]
    made = to_json(diagnose(host, load()), host) + "\n"
    compare("ubuntu-24.04-restricted.json", made)


@pytest.mark.parametrize("host", [hosts.MODERN, hosts.NO_ENGINE, hosts.GVISOR, hosts.HOSTILE])
def test_the_json_keeps_to_its_schema(host: hosts.Host) -> None:
    data = json.loads(to_json(diagnose(host, load()), host))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(data, SCHEMA)
    assert data["tier"] == next(entry["tier"] for entry in data["standings"] if entry["engine"] == data["engine"])


def test_nothing_that_a_host_says_of_itself_can_add_a_line_or_move_the_cursor() -> None:
    plain = text(diagnose(replace(hosts.HOSTILE, docker=hosts.NO_DOCKER), load()), False)
    forged = text(diagnose(hosts.HOSTILE, load()), False)
    assert len(forged.splitlines()) == len(plain.splitlines())
    assert not set(forged) & set("\x1b\x07\x9b\u202e")


def test_colour_marks_words_and_changes_none() -> None:
    import re

    found = diagnose(hosts.DEBIAN_12, load())
    assert re.sub("\x1b\\[[0-9;]*m", "", text(found, True)) == text(found, False)


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ([], Wish()),
        (["--json"], Wish(json=True)),
        (["--require", "standard", "--json"], Wish(True, "standard")),
        (["--require=strong"], Wish(require="strong")),
    ],
)
def test_the_command_line_is_understood(words: list[str], wish: Wish) -> None:
    assert parse(words) == wish


@pytest.mark.parametrize("words", [["--require"], ["--require", "none"], ["--require=best"], ["--json=1"], ["now"]])
def test_what_is_not_understood_is_a_usage_error_with_the_usage(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert "--require degraded|standard|strong" in caught.value.hint
