"""What each verb of ours says of its own use."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sandbox.cli import report, sbom
from sandbox.cli.main import main
from sandbox.cli.usage import USAGES, wants_help


@pytest.mark.parametrize("verb", sorted({name.split()[0] for name in USAGES}))
@pytest.mark.parametrize("way", [("{}", "--help"), ("{}", "-h"), ("help", "{}")])
def test_each_verb_of_ours_tells_how_it_is_used(
    verb: str, way: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(verb) for word in way]) == 0
    shown = capsys.readouterr().out
    for name, text in USAGES.items():
        assert (f"cargo-sandbox [OPTIONS] {text}\n" in shown) == (name.split()[0] == verb)


def test_help_of_one_of_its_own_verbs_is_of_that_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "accept", "--help"]) == 0
    shown = capsys.readouterr().out
    assert USAGES["baseline accept"] in shown and USAGES["baseline init"] not in shown


def test_what_comes_after_two_dashes_asks_for_no_help_of_ours() -> None:
    assert not wants_help(["baseline", "learn", "--runs", "2", "--", "build", "--help"])
    assert not wants_help(["plan", "build", "--help"]) and wants_help(["plan", "--help"])


def test_the_usages_name_every_format() -> None:
    assert "|".join(report.FORMATS) in USAGES["report"] and "|".join(sbom.FORMATS) in USAGES["sbom"]
