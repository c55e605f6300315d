"""The tier of a run: kept while nothing changes, looked at anew when something does, degraded when nobody can look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.doctor import standing
from sandbox.doctor.standing import demand, standing_of
from sandbox.doctor.tier import Reason, Standing
from sandbox.errors import SetupError

WEAK = Standing("bubblewrap", "degraded", (Reason("x-landlock", "Landlock: ABI 2", "less", "newer"),))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The engines that were looked at; each look finds WEAK."""
    made: list[str] = []

    def look(engine: str, env: object, runtime: object) -> Standing:
        made.append(engine)
        return WEAK

    monkeypatch.setattr(standing, "_look", look)
    yield made


def test_a_host_is_looked_at_once(looks: list[str], tmp_path: Path) -> None:
    assert [standing_of("bubblewrap", {}, str(tmp_path)) for _ in range(3)] == [WEAK] * 3
    assert looks == ["bubblewrap"]


def test_a_program_that_is_another_one_voids_what_is_kept(looks: list[str], tmp_path: Path) -> None:
    program = tmp_path / "bwrap"
    program.write_text("one")
    standing_of("bubblewrap", {}, str(tmp_path / "cache"), (str(program),))
    program.write_text("two!")
    standing_of("bubblewrap", {}, str(tmp_path / "cache"), (str(program),))
    assert len(looks) == 2


def test_another_boot_or_switch_voids_what_is_kept(
    looks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = tmp_path / "switch"
    monkeypatch.setattr(standing, "_FILES", (str(switch),))
    for value in ("0", "1", "1"):
        switch.write_text(value)
        standing_of("bubblewrap", {}, str(tmp_path))
    assert len(looks) == 2


def test_another_daemon_voids_what_is_kept_of_docker(looks: list[str], tmp_path: Path) -> None:
    socket = tmp_path / "docker.sock"
    socket.touch()
    env = {"DOCKER_HOST": f"unix://{socket}", "HOME": str(tmp_path)}
    standing_of("docker", env, str(tmp_path))
    socket.unlink()
    standing_of("docker", env, str(tmp_path))
    assert looks == ["docker", "docker"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": 1}', "\x00", '{"tier": "standard"'])
def test_what_is_kept_and_broken_is_looked_at_anew(looks: list[str], tmp_path: Path, text: str) -> None:
    standing_of("bubblewrap", {}, str(tmp_path))
    (kept,) = (tmp_path / "doctor").iterdir()
    kept.write_text(text)
    assert standing_of("bubblewrap", {}, str(tmp_path)) == WEAK
    assert len(looks) == 2


def test_a_kept_tier_of_another_name_is_not_believed(looks: list[str], tmp_path: Path) -> None:
    standing_of("bubblewrap", {}, str(tmp_path))
    (kept,) = (tmp_path / "doctor").iterdir()
    kept.write_text(kept.read_text().replace("degraded", "splendid"))
    assert standing_of("bubblewrap", {}, str(tmp_path)) == WEAK


def test_a_cache_that_can_t_be_written_only_costs_time(looks: list[str], tmp_path: Path) -> None:
    (tmp_path / "doctor").write_text("in the way")
    assert standing_of("bubblewrap", {}, str(tmp_path)) == WEAK


def test_a_host_that_nobody_can_look_at_is_degraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(engine: str, env: object, runtime: object) -> Standing:
        raise SetupError("the guard is missing")

    monkeypatch.setattr(standing, "_look", fail)
    found = standing_of("bubblewrap", {}, str(tmp_path))
    assert (found.tier, "guard is missing" in found.reasons[0].words) == ("degraded", True)
    assert not (tmp_path / "doctor").exists()


def test_an_engine_that_the_doctor_does_not_know_is_degraded(tmp_path: Path) -> None:
    assert standing_of("fake", {}, str(tmp_path)).tier == "degraded"


def test_walls_that_a_test_took_down_are_never_forgotten_and_never_kept(looks: list[str], tmp_path: Path) -> None:
    broken = standing_of("bubblewrap", {"CARGO_SANDBOX_TEST_BREAK": "network"}, str(tmp_path))
    assert broken.reasons[-1].words == "walls were removed for a test: network"
    assert standing_of("bubblewrap", {}, str(tmp_path)) == WEAK


def test_what_is_demanded_and_not_reached_is_exit_121_with_every_reason() -> None:
    demand(WEAK, "degraded")
    demand(Standing("docker", "strong"), "standard")
    with pytest.raises(SetupError) as caught:
        demand(WEAK, "standard")
    assert caught.value.exit_code == 121
    assert str(caught.value).splitlines() == [
        "this host is degraded with bubblewrap, and standard is demanded",
        "- Landlock: ABI 2 (less)",
    ]
    assert caught.value.hint == "newer"


def test_a_standing_survives_being_written_and_read() -> None:
    assert Standing.from_json(WEAK.to_json()) == WEAK


def test_what_is_kept_is_for_this_user_alone(looks: list[str], tmp_path: Path) -> None:
    standing_of("bubblewrap", {}, str(tmp_path))
    assert os.stat(tmp_path / "doctor").st_mode & 0o077 == 0
