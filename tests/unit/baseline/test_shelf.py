"""The shelf: what fresh units did, and an honest gap where nobody knows."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.baseline import shelf as module
from sandbox.baseline.judge import drift
from sandbox.baseline.shelf import FILE, BehaviourShelf, joined, mark_fresh
from sandbox.baseline.store import Stores
from sandbox.behaviour.canonical import unit_json
from sandbox.behaviour.model import Behaviour
from tests.unit.baseline.made import CC, CURL, SUM, accepted, profile, script


def put(shelf: BehaviourShelf, run: str, **units: Behaviour) -> None:
    shelf.put(run, ((key, [(one.key.package, one.key.version, unit_json(one))]) for key, one in units.items()))


RING, OTHER = script("ring", "1.0.0", CC), script("ring", "1.0.0", CURL)


def test_the_latest_word_on_each_key_is_read_back(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=RING, k2=OTHER)
    put(shelf, "r2", k1=OTHER)
    found = BehaviourShelf(tmp_path).read(["k1", "k2", "k3"])
    assert found.behaviours == {"k1": (OTHER,), "k2": (OTHER,)}
    assert found.runs == {"k1": "r2", "k2": "r1"}
    assert found.missing == {"k3"}
    assert found.holes == ("1 fresh units have no behaviour on record",)


def test_only_current_keys_are_given(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=RING, k2=OTHER)
    found = shelf.read(["k2"])
    assert (set(found.behaviours), found.missing, found.holes) == ({"k2"}, frozenset(), ())


def test_a_shelf_larger_than_our_memory_is_kept_read_and_shrunk_line_by_line(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    facts = [replace(CURL, object=f"/usr/bin/{'x' * 200}{number}") for number in range(500)]
    unit = script("big", "1.0.0", *facts)
    keys = [f"k{number}" for number in range(200)]
    tracemalloc.start()
    try:
        shelf.put("r1", ((key, [("big", "1.0.0", unit_json(unit))]) for key in keys))
        shelf.put("r2", ((key, [("big", "1.0.0", unit_json(unit))]) for key in keys[:100]))
        shelf.compact(keys[:60])
        found = shelf.read(keys[:2])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.behaviours == {"k0": (unit,), "k1": (unit,)} and set(found.runs.values()) == {"r2"}
    line = len((tmp_path / FILE).read_bytes().partition(b"\n")[0])
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 60
    assert most < 20 * line


def test_a_line_that_is_torn_takes_the_place_of_what_its_unit_did_before(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=RING)
    put(shelf, "r2", k1=OTHER)
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data[:-40])
    assert shelf.read(["k1"]).missing == {"k1"}


def test_no_room_costs_what_is_old_and_not_what_this_run_has_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", **{f"old{number}": RING for number in range(10)})
    monkeypatch.setattr(module, "SHELF_MAX", (tmp_path / FILE).stat().st_size + 50)
    new = {f"new{number}": RING for number in range(5)}
    put(shelf, "r2", **new)
    found = shelf.read([*new, "old0"])
    assert (set(found.behaviours), found.missing) == (set(new), {"old0"})
    assert (tmp_path / FILE).stat().st_size <= module.SHELF_MAX


def test_a_key_may_hold_what_json_writes_with_escapes(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    keys = ['/w/"quoted"', "/w/back\\slash", "/w/\udcff", "/w/ü\n"]
    put(shelf, "r1", **dict.fromkeys(keys, RING))
    assert set(shelf.read(keys).behaviours) == set(keys)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_costs_only_its_own_unit(tmp_path: Path, cut: int) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=RING)
    put(shelf, "r1", k2=OTHER)
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data[:-cut])
    found = shelf.read(["k1", "k2"])
    # The newline alone may be missing; then the line is whole.
    assert found.missing == (frozenset() if cut == 1 else {"k2"})
    put(shelf, "r2", k2=OTHER)
    assert shelf.read(["k1", "k2"]).missing == frozenset()


def test_lines_that_make_no_sense_are_missing_and_never_a_crash(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=RING)
    good = json.loads((tmp_path / FILE).read_text())
    broken = [{"key": "k2"}, good | {"key": "k3", "normaliser": 0},
              good | {"key": "k4", "units": [{"unit": {"facts": 5}}]},
              good | {"key": "k5", "units": "x"}, good | {"key": "k6", "units": []}]  # fmt: skip
    with (tmp_path / FILE).open("ab") as out:
        out.write(b"\xff\xfe\n[]\n" + b"".join(json.dumps(line).encode() + b"\n" for line in broken))
    assert shelf.read(["k1", *(f"k{n}" for n in range(2, 7))]).missing == {f"k{n}" for n in range(2, 7)}


def test_it_shrinks_to_what_is_needed(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    for number in range(80):
        put(shelf, f"r{number}", k1=RING, **{f"old{number}": OTHER})
    size = (tmp_path / FILE).stat().st_size
    shelf.compact(["k1"])
    assert (tmp_path / FILE).stat().st_size < size / 100
    assert shelf.read(["k1"]).runs == {"k1": "r79"}
    assert shelf.failed is None


def test_it_never_outgrows_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHELF_MAX", 20_000)
    shelf = BehaviourShelf(tmp_path)
    for number in range(100):
        put(shelf, f"r{number}", **{f"k{number}": RING})
    assert (tmp_path / FILE).stat().st_size <= 20_000
    assert shelf.read(["k99"]).missing == frozenset()


def test_a_unit_that_is_too_large_is_missing_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=RING)
    monkeypatch.setattr(module, "LINE_MAX", 50)
    put(shelf, "r2", k1=RING)
    assert shelf.read(["k1"]).missing == {"k1"}
    assert "larger than" in str(shelf.failed)


def test_no_folder_is_no_crash(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path / "gone")
    put(shelf, "r1", k1=RING)
    shelf.compact(["k1"])
    assert "can't be" in str(shelf.failed)
    assert shelf.read(["k1"]).missing == {"k1"}


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / FILE).symlink_to(victim)
    shelf = BehaviourShelf(folder)
    put(shelf, "r1", k1=RING)
    assert shelf.failed and victim.read_text() == "kept"


def test_drift_of_a_fresh_unit_is_told_as_such_until_it_is_accepted(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=OTHER)
    shelved = shelf.read(["k1"])
    sums = {("ring", "1.0.0"): SUM}
    whole = joined(profile(), shelved)
    (finding,) = mark_fresh(drift(whole, sums, Stores(tree=accepted(RING), has_own=True)).findings, shelved)
    assert (finding.fresh, finding.run, finding.unit, finding.events) == (True, "r1", "fresh:k1", (7,))
    assert not drift(whole, sums, Stores(tree=accepted(RING, OTHER), has_own=True)).findings


def test_events_of_an_earlier_run_are_not_charged_to_this_one(tmp_path: Path) -> None:
    shelf = BehaviourShelf(tmp_path)
    put(shelf, "r1", k1=OTHER)
    shelved = shelf.read(["k1"])
    whole = joined(profile(script("ring", "1.0.0", CC, unit="u5")), shelved)
    found = drift(whole, {("ring", "1.0.0"): SUM}, Stores(tree=accepted(RING), has_own=True))
    (finding,) = mark_fresh(found.findings, shelved)
    assert (finding.unit, finding.events, finding.fresh) == ("u5", (), False)
