"""The first findings: each hostile act is named once, each benign twin is silent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.judge.first import Judge
from sandbox.judge.model import Completeness, Finding, RunResult, at_least, decide
from sandbox.trace.store import RunStore

HOME = "/home/ann"


def judge() -> Judge:
    made = Judge((HOME,), f"{HOME}/.cargo", ("/opt/toolchain",))
    for unit, role, package, version in (("u1", "script", "evil", "1.0.0"), ("u2", "rustc", "good", "2.0.0")):
        start = {"event": "start", "unit": unit, "role": role, "package": package, "version": version}
        made.unit(start | {"manifest_dir": f"/{package}"})
    return made


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "seq": fields.pop("seq", 1),
        "t_ns": 5,
        "unit": "u1",
        "pid": 7,
        "kind": kind,
        "outcome": "allowed",
        **fields,
    }


def code(made: Judge, *events: dict[str, Any]) -> list[str]:
    for one in events:
        made.event(one)
    return [finding.code for finding in made.findings()]


def test_reading_a_decoy_key_is_found_and_charged_to_the_unit() -> None:
    made = judge()
    assert code(made, event("open", access="read", path=f"{HOME}/.ssh/id_ed25519", seq=42)) == ["CS0101"]
    (finding,) = made.findings()
    assert (finding.package, finding.version, finding.severity, finding.events) == ("evil", "1.0.0", "critical", (42,))


def test_cargo_itself_may_look_for_its_credentials() -> None:
    assert code(judge(), event("open", access="read", path=f"{HOME}/.cargo/credentials.toml", unit="u0")) == []


def test_a_shell_reading_its_start_file_is_silent_but_writing_it_is_not() -> None:
    assert code(judge(), event("open", access="read", path=f"{HOME}/.bashrc")) == []
    written = event("open", access="write", path=f"{HOME}/.bashrc", outcome="denied", by="landlock")
    assert code(judge(), written) == ["CS0101"]


@pytest.mark.parametrize(
    "act",
    [
        event("connect", addr="192.0.2.1", port=443, family="inet", outcome="denied"),
        event("send", addr="192.0.2.1", port=53, family="inet", outcome="denied"),
        event("dns", dns="exfil.invalid", outcome="denied"),
    ],
)
def test_reaching_for_the_network_is_found(act: dict[str, Any]) -> None:
    assert code(judge(), act) == ["CS0102"]


def test_loopback_is_silent() -> None:
    assert code(judge(), event("connect", addr="127.0.0.1", port=80, family="inet")) == []


def test_a_write_outside_the_own_outputs_is_found() -> None:
    made = judge()
    assert code(
        made, event("open", access="write", flags=["create"], path="/src/x", outcome="denied", by="landlock")
    ) == ["CS0103"]
    assert "tried to create /src/x" in made.findings()[0].detail


def test_a_write_into_the_own_sources_is_milder() -> None:
    made = judge()
    assert code(made, event("mkdir", path="/evil/src/generated", outcome="denied", by="landlock")) == ["CS0113"]
    assert made.findings()[0].severity == "medium"


def test_a_new_file_among_the_outputs_of_others_is_found() -> None:
    made = judge()
    stray = event("open", access="write", flags=["create"], path="/b/debug/deps/libstray.rlib", note="stray output")
    assert code(made, stray) == ["CS0114"]


@pytest.mark.parametrize("name", ["libc.so.6", "libz.so", "libstdc++.so.6.0.30", "libLLVM.so.22.1-rust-1.95.0"])
def test_a_library_among_the_outputs_of_others_is_graver_than_another_file(name: str) -> None:
    made = judge()
    planted = event("open", access="write", flags=["create"], path=f"/b/debug/deps/{name}", note="stray output")
    assert code(made, planted) == ["CS0116"]
    assert made.findings()[0].severity == "critical"


def test_a_library_that_got_its_name_by_a_rename_or_a_link_is_one_too() -> None:
    for kind in ("rename", "link"):
        made = judge()
        moved = event(kind, path="/b/debug/deps/rustcA.tmp", path2="/b/debug/deps/libc.so.6", note="stray output")
        assert code(made, moved) == ["CS0116"], kind
        assert made.findings()[0].subject == "/b/debug/deps/libc.so.6"


@pytest.mark.parametrize("name", ["notes.txt", "x.sound", "lib.so/notes"])
def test_a_name_that_no_loader_asks_for_is_no_library(name: str) -> None:
    made = judge()
    stray = event("open", access="write", flags=["create"], path=f"/b/debug/deps/{name}", note="stray output")
    assert code(made, stray) == ["CS0114"]


def test_a_script_written_to_tmp_and_run_is_found() -> None:
    made = judge()
    found = code(made, event("open", access="write", path="/tmp/x.sh"), event("exec", path="/tmp/x.sh", argv=["x"]))
    assert found == ["CS0104"]


def test_a_program_that_a_compiler_put_into_tmp_may_run() -> None:
    made = judge()
    acts = [
        event("exec", path="/usr/bin/ld", argv=["ld"], pid=9),
        event("open", access="write", path="/tmp/conftest", pid=9),
        event("exec", path="/tmp/conftest", argv=["conftest"], pid=10),
    ]
    assert code(made, *acts) == []


def test_a_program_that_only_calls_itself_a_linker_is_no_compiler() -> None:
    made = judge()
    acts = [
        event("exec", path="/tmp/cs-1/ld", argv=["ld"], pid=9),
        event("open", access="write", path="/tmp/run", pid=9),
        event("exec", path="/tmp/run", argv=["run"], pid=10),
    ]
    assert code(made, *acts) == ["CS0104"]


def test_a_dropped_file_stays_known_after_a_rename() -> None:
    made = judge()
    acts = [
        event("open", access="write", path="/tmp/a"),
        event("rename", path="/tmp/a", path2="/tmp/b"),
        event("exec", path="/tmp/b", argv=["b"]),
    ]
    assert code(made, *acts) == ["CS0104"]


def test_a_file_that_another_unit_left_in_tmp_is_found_when_read() -> None:
    made = judge()
    assert code(
        made, event("open", access="write", path="/tmp/note"), event("open", access="read", path="/tmp/note", unit="u2")
    ) == ["CS0110"]
    assert "build script" not in made.findings()[0].detail and "script of evil" in made.findings()[0].detail


def test_running_from_memory_is_found() -> None:
    assert code(judge(), event("exec", path="/memfd:x (deleted)", argv=["x"], note="memfd")) == ["CS0104"]


def test_running_a_file_that_was_deleted_before_is_found() -> None:
    assert code(judge(), event("exec", path="/tmp/x (deleted)", argv=["x"], note="deleted")) == ["CS0104"]


def test_a_dropped_program_is_known_by_a_second_name_and_through_a_link() -> None:
    drop = event("open", access="write", path="/tmp/x")
    linked = event("link", path="/tmp/x", path2="/tmp/y")
    assert code(judge(), drop, linked, event("exec", path="/tmp/y")) == ["CS0104"]
    assert code(judge(), drop, event("exec", path="/proc/self/cwd/x", path2="/tmp/x")) == ["CS0104"]
    assert code(judge(), drop, event("link", path="/tmp/z", path2="/tmp/y"), event("exec", path="/tmp/y")) == []


def test_a_survivor_is_found() -> None:
    made = judge()
    made.unit({"event": "end", "unit": "u1", "survivors": [{"pid": 9, "argv": ["sleep", "99"]}]})
    assert [finding.code for finding in made.findings()] == ["CS0105"]


def test_denied_kernel_calls_are_found() -> None:
    assert code(judge(), event("ptrace", call="ptrace", outcome="denied")) == ["CS0106"]


def test_a_call_that_harmless_programs_try_is_a_mild_finding_and_hides_no_other() -> None:
    made = judge()
    ask = event("io_uring", call="io_uring_setup", args=[256, 1], outcome="denied")
    use = event("io_uring", call="io_uring_enter", args=[3, 1], outcome="denied")
    interfaces = event("socket", call="socket", args=[16, 3, 0], outcome="denied")
    audit = event("socket", call="socket", args=[16, 3, 9], outcome="denied")
    assert code(made, ask, use, interfaces, audit) == ["CS0115", "CS0106", "CS0115", "CS0106"]
    assert [finding.severity for finding in made.findings()] == ["low", "high", "low", "high"]


def test_a_program_that_would_confine_itself_is_no_attacker() -> None:
    made = judge()
    assert code(made, event("seccomp", call="seccomp", args=[1, 0, 1], outcome="denied")) == ["CS0106"]
    assert made.findings()[0].severity == "medium"


def test_a_forged_report_is_found() -> None:
    assert code(judge(), event("forged", outcome="denied")) == ["CS0107"]


def test_repetition_counts_on_one_finding() -> None:
    made = judge()
    for number in range(50):
        made.event(event("connect", addr="192.0.2.1", port=443, outcome="denied", seq=number))
    (finding,) = made.findings()
    assert finding.count == 50
    assert len(finding.events) == 5


def test_findings_are_bounded() -> None:
    made = judge()
    for number in range(3000):
        made.event(event("dns", dns=f"{number}.invalid", outcome="denied"))
    assert len(made.findings()) == 2000
    assert made.dropped == 1000


def test_the_user_s_own_program_is_judged_milder() -> None:
    made = judge()
    made.unit({"event": "start", "unit": "u3", "role": "program", "package": "app", "version": "1"})
    made.event(event("connect", addr="192.0.2.1", port=443, outcome="denied", unit="u3"))
    assert made.findings()[0].severity == "medium"


def _finding(severity: str) -> Finding:
    return Finding("CS0102", severity, "t", "u1", "script", "p", "1", "/p", "s", "d", "h")  # type: ignore[arg-type]


def test_the_verdict_orders_violation_incomplete_drift_clean() -> None:
    hole, whole = Completeness(reasons=("x",)), Completeness()
    assert decide((_finding("high"),), hole) == "violation"
    assert decide((_finding("low"),), hole) == "incomplete"
    assert decide((_finding("low"),), whole) == "drift"
    assert decide((), whole) == "clean"


def test_thresholds() -> None:
    assert at_least("critical", "high")
    assert not at_least("medium", "high")
    assert not at_least("critical", "never")


def test_a_result_survives_its_json_form() -> None:
    result = RunResult("r", "violation", (_finding("high"),), Completeness(1, 2, 3, 4, 5, ("x",)), 120, 0, None)
    assert RunResult.from_json(result.to_json()) == result


def test_a_run_with_as_many_and_as_long_findings_as_can_be_is_read_again(tmp_path: Path) -> None:
    made = judge()
    for number in range(2_100):
        path = f"/{number:04}" + "\x01" * 4_090
        made.event(event("open", access="write", path=path, outcome="denied", seq=number))
    complete = Completeness(reasons=(f"{made.dropped} more findings were not kept",))
    result = RunResult(
        run="", verdict=decide(made.findings(), complete), findings=made.findings(), completeness=complete,
        exit_code=120, cargo_code=0, cargo_signal=None,
    )  # fmt: skip
    store = RunStore(tmp_path)
    with store.create(datetime.now().astimezone()) as writer:
        writer.finish(result.to_json())
    with store.open("last") as run:
        assert run.status == "finished" and run.result is not None
        assert len(RunResult.from_json(run.result).findings) == 2_000
