"""The population: archetypes from facts, shares of the pack, and the file that is made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.baseline.model import BaselineError
from sandbox.baseline.population import Population, archetypes, compute, dumps, loads, shipped
from sandbox.behaviour.model import Fact
from sandbox.behaviour.patterns import VERSION
from tests.unit.baseline.made import CC, CFG, CURL, INSIDE, accepted, fact, script

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        ((), ("pure",)),
        ((CFG,), ("pure",)),
        ((fact("exec", "exec", "$SYSROOT/bin/rustc", "toolchain"),), ("rustc probe",)),
        ((CC,), ("cc",)),
        ((fact("exec", "exec", "/usr/bin/x86_64-linux-gnu-gcc", "system"),), ("cc",)),
        ((fact("exec", "exec", "/usr/bin/cmake", "system"), CC), ("cc", "cmake")),
        ((fact("exec", "absent", "$PATH/pkg-config"),), ("pkg-config",)),
        ((fact("exec", "exec", "/usr/bin/git", "system"),), ("git metadata",)),
        ((fact("read", "read", "$WORKSPACE/.git/HEAD", "workspace"),), ("git metadata",)),
        ((fact("read", "read", "/usr/lib/llvm-14/lib/libclang.so", "system"),), ("bindgen",)),
        ((INSIDE,), ("codegen",)),
    ],
)
def test_the_kind_of_a_script_is_told_by_what_it_does(facts: tuple[Fact, ...], kinds: tuple[str, ...]) -> None:
    assert archetypes(facts) == kinds


def test_shares_are_of_the_scripts_of_a_kind() -> None:
    pack = accepted(script("a", "1.0.0", CC), script("b", "1.0.0", CC, CURL), script("c", "1.0.0", CFG))
    population = compute(pack.values())
    assert population.units == 3
    assert population.share(CC) == pytest.approx(2 / 3)
    assert population.share(CC, ("cc",)) == 1
    assert population.share(CURL, ("cc",)) == 0.5
    # Of a kind that the pack does not have, it is the share of all.
    assert population.share(CURL, ("cmake",)) == pytest.approx(1 / 3)
    assert Population().share(CC) is None


def test_the_file_gives_the_population_back() -> None:
    population = compute(accepted(script("a", "1.0.0", CC), script("b", "1.0.0", CURL, CFG)).values())
    assert loads(dumps(population)) == population
    assert loads(dumps(population).replace(f'"normaliser": {VERSION}', f'"normaliser": {VERSION + 1}')) == Population()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 9}', "[" * 100_000, f'{{"schema": 1, "normaliser": {VERSION}}}']
)
def test_a_broken_file_is_an_error(text: str) -> None:
    with pytest.raises(BaselineError):
        loads(text)


def test_the_file_that_ships_is_made_of_the_pack_that_ships() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/gen-population", "--check"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert shipped().units >= 0
