"""What the guard's and the flood's benchmarks check before they believe a figure."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from benchmarks import events, flood, guard
from benchmarks.command import BenchError

from sandbox.trace import frames

SCHEMAS = Path(frames.__file__).parent / "schema"
COUNTERS = {"seen": 12, "listed": 9, "quiet": 3, "unreadable": 0, "lost": 0}


def test_the_measurements_come_back_by_what_was_asked() -> None:
    assert guard.parse_output(b"read:1:9:/a b 120\nexec:1:2:/c 7\n", ["exec:1:2:/c", "read:1:9:/a b"]) == {
        "read:1:9:/a b": 120, "exec:1:2:/c": 7
    }  # fmt: skip


@pytest.mark.parametrize("output", [b"", b"other 12\n", b"a 1\na 2\n", b"a one\n", b"a -1\n", b"\xff\xff\n"])
def test_other_measurements_than_those_asked_for_are_refused(output: bytes) -> None:
    with pytest.raises(BenchError):
        guard.parse_output(output, ["a"])


def ending(**changes: Any) -> dict[str, Any]:
    return {"code": 0, "lost": 0, "unreadable": 0, "written": 100, "maxrss_kb": 4000} | changes


def test_a_guard_that_lost_nothing_is_believed() -> None:
    assert guard.checked(guard.Heard(events=100, ending=ending()), 100)["maxrss_kb"] == 4000


@pytest.mark.parametrize(
    "heard",
    [
        guard.Heard(events=100),
        guard.Heard(events=100, ending={"wall": "seccomp", "why": "no"}),
        guard.Heard(events=99, ending=ending()),
        guard.Heard(events=100, ending=ending(lost=1)),
        guard.Heard(events=100, ending=ending(unreadable=1)),
        guard.Heard(events=100, ending=ending(code=1)),
        guard.Heard(events=90, ending=ending(written=90)),
    ],
)
def test_a_hole_in_the_record_makes_the_figures_worthless(heard: guard.Heard) -> None:
    with pytest.raises(BenchError):
        guard.checked(heard, 100)


@pytest.mark.parametrize(("opens", "cores"), [(1000, 1), (200_000, 2), (200_000, 64), (1_000_003, 2)])
def test_the_opens_are_shared_by_all_cores_and_none_is_forgotten(opens: int, cores: int) -> None:
    shares = flood.divide(opens, cores)
    assert shares.scripts >= max(2, cores)
    assert shares.scripts * shares.each >= opens
    assert shares.writes / shares.scripts < 50_000


@pytest.mark.parametrize("each", [1, 2, 4, 5, 999, 1000, 12_345])
def test_the_arithmetic_is_that_of_the_build_script(each: int) -> None:
    done: Counter[str] = Counter()
    for number in range(flood.FILES + each):
        kind = "write" if number < flood.FILES or number % 5 == 0 else "own" if number % 5 == 1 else "read"
        done[kind] += 1
    shares = flood.Shares(1, each)
    assert (shares.writes, shares.own_reads, shares.reads) == (done["write"], done["own"], done["read"])
    assert shares.total == flood.FILES + each


def whole() -> tuple[flood.Shares, Counter[str]]:
    shares = flood.Shares(2, 100)
    return shares, Counter(read=shares.reads, write=shares.writes, quiet=shares.own_reads)


def test_a_whole_record_lacks_nothing() -> None:
    shares, opens = whole()
    assert flood.missing("clean", COUNTERS, opens, shares, {}) == []


@pytest.mark.parametrize(
    ("verdict", "counters", "opens", "problems", "words"),
    [
        ("incomplete", {}, {}, {}, "the verdict is incomplete"),
        (None, {}, {}, {}, "the verdict is None"),
        ("clean", {"seen": 13}, {}, {}, "13 seen, but 9 listed + 3 counted"),
        ("clean", {"lost": 2}, {}, {}, "2 lost"),
        ("clean", {"unreadable": 4}, {}, {}, "4 unreadable"),
        ("clean", {"seen": None}, {}, {}, "no counters"),
        ("clean", {}, {"read": -1}, {}, "opens to read are recorded"),
        ("clean", {}, {"write": 1}, {}, "opens to write are recorded"),
        ("clean", {}, {"quiet": -1}, {}, "were counted"),
        ("clean", {}, {}, {"events": ["cut off at the end"]}, "events: cut off at the end"),
    ],
)
def test_whatever_is_missing_is_named(
    verdict: str | None, counters: dict[str, Any], opens: dict[str, int], problems: dict[str, list[str]], words: str
) -> None:
    shares, good = whole()
    good.update(opens)
    wrong = flood.missing(verdict, COUNTERS | counters, good, shares, problems)
    assert len(wrong) == 1
    assert words in wrong[0]


def test_only_opens_charged_to_the_script_that_made_them_count() -> None:
    units: list[dict[str, Any]] = [
        {"event": "start", "unit": "u1", "role": "script", "out_dir": "/b/one"},
        {"event": "start", "unit": "u2", "role": "script", "out_dir": "/b/two"},
        {"event": "start", "unit": "u3", "role": "rustc", "out_dir": "/b/deps"},
        {"event": "end", "unit": "u1", "quiet": 5},
        {"event": "end", "unit": "u3", "quiet": 70},
    ]

    def opened(unit: str, access: str, path: str, kind: str = "open") -> dict[str, Any]:
        return {"unit": unit, "kind": kind, "access": access, "path": path}

    made = [
        opened("u1", "write", "/b/one/flood/f1"),
        opened("u1", "read", "/w/shared/f1"),
        opened("u2", "read", "/w/shared/f1"),
        opened("u2", "write", "/b/one/flood/f1"),
        opened("u1", "write", "/w/shared/f1"),
        opened("u1", "read", "/etc/hosts"),
        opened("u3", "read", "/w/shared/f1"),
        opened("u1", "write", "/b/one/flood/f2", "rename"),
    ]
    assert flood.count_opens(iter(made), units, "/w/shared/") == Counter(write=1, read=2, quiet=5)


def test_the_speaking_guard_says_what_a_guard_may_say() -> None:
    unit_schema = json.loads((SCHEMAS / "units-v1.schema.json").read_text())
    event_schema = json.loads((SCHEMAS / "events-v1.schema.json").read_text())
    decoder, sequence, units = frames.FrameDecoder(), 0, []
    kinds: Counter[str] = Counter()
    for kind, payload in decoder.feed(b"".join(events.speak(2_345, "/w/target/build"))):
        kinds[kind] += 1
        if kind == frames.EVENTS:
            for line in payload.splitlines():
                event = json.loads(line)
                sequence += 1
                assert event["seq"] == sequence
                if sequence <= 60:
                    jsonschema.validate(event, event_schema)
        elif kind == frames.UNIT:
            units.append(json.loads(payload))
            jsonschema.validate(units[-1], unit_schema)
        elif kind == frames.EXIT:
            assert json.loads(payload)["written"] == sequence == 2_345
    decoder.finish()
    assert kinds[frames.STATE] == kinds[frames.EXIT] == 1
    assert len({unit["unit"] for unit in units}) == 20
