"""What the last run says of each package, read from stored records as a build leaves them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.judge.model import Completeness, Finding, RunResult
from sandbox.preflight.inventory.model import Code, Inventory
from sandbox.preflight.inventory.runs import joined, last_run
from sandbox.trace.ledger import Ledger
from sandbox.trace.reader import StoreError
from sandbox.trace.store import RunStore
from tests.unit.preflight.inventory.made import ROOT, find, inventory

WS = ROOT


def start(unit: str, role: str, package: str, **more: Any) -> dict[str, Any]:
    base = {"event": "start", "unit": unit, "role": role, "package": package, "version": "1.2.3", "pid": 9, "t_ns": 1}
    return base | more


def end(unit: str, status: int = 0) -> dict[str, Any]:
    return {"event": "end", "unit": unit, "status": status, "signal": None, "t_ns": 2}


def finding(package: str, code: str = "CS0102", severity: str = "high") -> Finding:
    return Finding(
        code=code, severity=severity, title="t", unit="u1", role="script", package=package, version="1.2.3",  # type: ignore[arg-type]
        manifest_dir="", subject="s", detail="d", help="h",
    )  # fmt: skip


def store_run(
    top: Path,
    *units: dict[str, Any],
    findings: tuple[Finding, ...] = (),
    result: dict[str, Any] | None = None,
    workspace: str = WS,
    when: int = 1,
    finished: bool = True,
    **values: Any,
) -> str:
    with RunStore(top / "runs").create(datetime.fromtimestamp(1_700_000_000 + when).astimezone()) as writer:
        started = {"started": f"day {when}", "started_ns": (1_700_000_000 + when) * 10**9}
        writer.write_header({"argv": [], "cwd": workspace, "workspace": workspace} | started)
        writer.write_plan({"build_dir": str(top / "build")})
        for unit in units:
            writer.unit(json.dumps(unit).encode() + b"\n")
        if finished:
            base: dict[str, Any] = {
                "run": writer.id, "verdict": "violation" if findings else "clean", "findings": findings,
                "completeness": Completeness(), "exit_code": 0, "cargo_code": 0, "cargo_signal": None,
                "units": {"script": 1, "rustc": 1},
            }  # fmt: skip
            writer.finish(result or RunResult(**(base | values)).to_json())
    return writer.id


def after(top: Path) -> Inventory:
    return joined(inventory(), last_run(WS, RunStore(top / "runs"), top))


def test_without_a_run_it_is_said_that_none_is_on_record(tmp_path: Path) -> None:
    made = after(tmp_path)
    assert made.ran is None and made.items == inventory().items
    assert any("no run of this workspace is on record" in note for note in made.notes)


def test_scripts_that_ran_failed_and_were_not_seen_are_told_apart(tmp_path: Path) -> None:
    run = store_run(
        tmp_path, start("u1", "script", "app"), end("u1"), start("u2", "script", "csbench-sys"), end("u2", 101)
    )
    made = after(tmp_path)
    assert made.ran is not None and (made.ran.id, made.ran.verdict) == (run, "clean")
    states = {item.name: item.script for item in made.items if item.has_script}
    assert states == {"app": "ran", "csbench-sys": "failed", "csbench-syn": "not seen"}
    verdicts = {item.name: item.verdict for item in made.items}
    assert (verdicts["app"], verdicts["csbench-sys"], verdicts["csbench-lib"]) == ("clean", "clean", "not seen")


def test_a_script_that_never_ended_failed(tmp_path: Path) -> None:
    store_run(tmp_path, start("u1", "script", "app"))
    assert find(after(tmp_path), "app").script == "failed"


def test_findings_are_with_their_package_and_make_its_verdict(tmp_path: Path) -> None:
    units = [start("u1", "script", name) for name in ("app", "csbench-sys", "csbench-syn")]
    low = finding("csbench-syn", "CS0301", "low")
    store_run(tmp_path, *units, findings=(finding("csbench-sys"), finding("csbench-sys"), low))
    made = after(tmp_path)
    assert find(made, "csbench-sys").findings == (Code("CS0102", "high"),)
    assert [find(made, name).verdict for name in ("app", "csbench-sys", "csbench-syn")] == [
        "clean", "violation", "drift",
    ]  # fmt: skip


def test_a_record_with_a_hole_calls_no_package_clean(tmp_path: Path) -> None:
    store_run(tmp_path, start("u1", "script", "app"), completeness=Completeness(reasons=("a hole",)))
    assert find(after(tmp_path), "app").verdict == "incomplete"


def test_a_run_that_was_interrupted_says_so_and_calls_nothing_clean(tmp_path: Path) -> None:
    store_run(tmp_path, start("u1", "script", "app"), end("u1"), finished=False)
    made = after(tmp_path)
    assert made.ran is not None and made.ran.verdict == "interrupted"
    assert find(made, "app").verdict == "incomplete"


def test_a_macro_counts_as_loaded_by_the_file_that_was_made_of_it(tmp_path: Path) -> None:
    store_run(
        tmp_path,
        start("u1", "rustc", "csbench-derive", crate="renamed", crate_types=["proc-macro"], extra="-0123456789abcdef"),
        start("u2", "rustc", "app", crate="app", macros=["/b/deps/librenamed-0123456789abcdef.so"]),
    )
    assert find(after(tmp_path), "csbench-derive").macro == "loaded"


def test_a_macro_that_was_made_before_counts_by_its_name(tmp_path: Path) -> None:
    store_run(tmp_path, start("u2", "rustc", "app", macros=["/b/libcsbench_derive-0123456789abcdef.so"]))
    assert find(after(tmp_path), "csbench-derive").macro == "loaded"


def test_a_macro_of_another_name_is_not_seen(tmp_path: Path) -> None:
    store_run(tmp_path, start("u2", "rustc", "app", macros=["/b/libcsbench_derive2-0123456789abcdef.so", 7]))
    assert find(after(tmp_path), "csbench-derive").macro == "not seen"


def test_a_library_that_was_made_of_another_package_is_not_ones_own(tmp_path: Path) -> None:
    library = "/b/libcsbench_derive-0123456789abcdef.so"
    kind = {"crate": "csbench_derive", "crate_types": ["proc-macro"], "extra": "-0123456789abcdef"}
    store_run(tmp_path, start("u1", "rustc", "csbench-lib", **kind), start("u2", "rustc", "app", macros=[library]))
    assert find(after(tmp_path), "csbench-derive").macro == "not seen"


def test_of_two_macros_of_one_name_none_is_guessed_to_be_the_loaded_one(tmp_path: Path) -> None:
    store_run(tmp_path, start("u2", "rustc", "app", macros=["/b/libcsbench_derive-0123456789abcdef.so"]))
    made = inventory()
    twin = replace(find(made, "csbench-derive"), version="2.0.0")
    found = joined(replace(made, items=(*made.items, twin)), last_run(WS, RunStore(tmp_path / "runs"), tmp_path))
    assert [item.macro for item in found.items if item.proc_macro] == ["not seen", "not seen"]


def test_a_run_that_still_runs_does_not_count(tmp_path: Path) -> None:
    wanted = store_run(tmp_path, start("u1", "script", "app"), end("u1"), when=1)
    with RunStore(tmp_path / "runs").create(datetime.fromtimestamp(1_700_000_009).astimezone()) as writer:
        writer.write_header({"argv": [], "workspace": WS, "started_ns": 1_700_000_009 * 10**9})
        made = after(tmp_path)
    assert made.ran is not None and made.ran.id == wanted


def test_the_newest_recorded_run_of_this_workspace_counts(tmp_path: Path) -> None:
    store_run(tmp_path, start("u1", "script", "csbench-sys"), end("u1"), when=1)
    wanted = store_run(tmp_path, start("u1", "script", "app"), end("u1"), when=2)
    store_run(tmp_path, start("u1", "script", "csbench-syn"), workspace="/other", when=3)
    store_run(tmp_path, when=4, recorded=False)
    made = after(tmp_path)
    assert made.ran is not None and made.ran.id == wanted
    assert find(made, "csbench-sys").script == "not seen"


def test_what_the_ledger_has_as_fresh_ran_in_an_earlier_run(tmp_path: Path) -> None:
    build = tmp_path / "build"
    out = build / "debug" / "build" / "csbench-sys-0123456789abcdef" / "out"
    unit = start("u7", "script", "csbench-sys", out_dir=str(out), exe=str(out.parent / "build-script-build"))
    with Ledger.open(tmp_path, build, "x") as ledger:
        ledger.renew()
        ledger.record(end("u7"), unit, "2026-11-01-aaaa")
        assert ledger.entries, "the unit must be one that the ledger keeps"
    store_run(tmp_path, start("u1", "script", "app"), end("u1"))
    made = after(tmp_path)
    assert (find(made, "csbench-sys").script, find(made, "csbench-sys").verdict) == ("fresh", "clean")


def test_a_damaged_record_is_an_error_and_not_none(tmp_path: Path) -> None:
    store_run(tmp_path, result={"verdict": "clean", "findings": [{"code": 1}], "completeness": {}})
    with pytest.raises(StoreError, match="is damaged"):
        after(tmp_path)
