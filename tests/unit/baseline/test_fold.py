"""What stands in no baseline, as it says nothing about a package."""

from __future__ import annotations

from sandbox.baseline.fold import telling
from tests.unit.baseline.made import fact, script

TEMPORARY = "$OUT_DIR/autocfg_<hash>_0.autocfg_<hash>_0.<cgu>-cgu.0.rcgu.ll"


def test_what_a_probes_compiler_takes_away_of_its_own_is_chance_and_all_else_is_told() -> None:
    gone = fact("write", "unlink", TEMPORARY, "own output", where="inside")
    others = (
        fact("write", "unlink", "$OUT_DIR/probe.ll", "own output", where="inside"),
        fact("write", "write", TEMPORARY, "own output", where="inside"),
        fact("write", "unlink", "/srv/x.rcgu.o", "other", where="outside"),
    )
    assert set(telling(script("num-traits", "0.2.19", gone, *others))) == set(others)
