"""The terminal report reads like a compiler error, and nothing in it can forge another line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.judge.model import Completeness, Finding, RunResult
from sandbox.report.render import render_untrusted
from sandbox.report.terminal import last_line, report, use_colour

FINDING = Finding(
    code="CS0101",
    severity="critical",
    title="touched a decoy credential or start-up file",
    unit="u3",
    role="script",
    package="csbench-fetch",
    version="0.1.0",
    manifest_dir="/w/fetch",
    subject="/home/ann/.ssh/id_ed25519",
    detail="read /home/ann/.ssh/id_ed25519",
    help="treat the package as hostile",
    events=(412,),
    evidence=("+1.250s process 77 by build-script-build.real: open allowed",),
)


def result(*findings: Finding, **fields: object) -> RunResult:
    values: dict[str, object] = {
        "run": "2026-11-20-k3f9",
        "verdict": "violation" if findings else "clean",
        "findings": findings,
        "completeness": Completeness(),
        "exit_code": 0,
        "cargo_code": 0,
        "cargo_signal": None,
        "units": {"script": 31, "rustc": 78},
        "walls": "bubblewrap, no network, Landlock 7",
    }
    return RunResult(**(values | fields))  # type: ignore[arg-type]


def test_a_clean_run_is_one_line() -> None:
    assert report(result(), {}, False, "high") == (
        "Sandbox clean: 31 build scripts, 78 compile units, 0 findings "
        "(bubblewrap, no network, Landlock 7) · run 2026-11-20-k3f9"
    )


def test_what_nobody_saw_is_never_counted_as_nothing() -> None:
    missing = "runtime runsc: the guard can't record there: no user notification"
    unseen = result(
        verdict="incomplete", recorded=False, units={"cargo": 1}, completeness=Completeness(reasons=(missing,)),
        walls="docker runsc, no network, no Landlock", tier="strong",
    )  # fmt: skip
    told = report(unseen, {}, False, "high", quiet=True)
    assert told.splitlines() == [
        f"warning: the record has a hole: {missing}",
        "Sandbox incomplete: no record: units not seen, findings not seen "
        "(docker runsc, no network, no Landlock, strong) · run 2026-11-20-k3f9",
    ]
    one = last_line(result(FINDING, verdict="violation", recorded=False), False)
    assert "units not seen, 1 finding, others not seen" in one
    assert RunResult.from_json(unseen.to_json()) == unseen
    older = {name: value for name, value in result().to_json().items() if name != "recorded"}
    assert RunResult.from_json(older).recorded


def test_a_finding_names_who_by_which_chain_did_what_and_what_to_type() -> None:
    chains = {("csbench-fetch", "0.1.0", "/w/fetch"): ["inventory 0.1.0", "tables 0.1.0", "csbench-fetch 0.1.0"]}
    assert report(result(FINDING), chains, False, "high", home="/home/ann").splitlines() == [
        "error[CS0101]: build script of csbench-fetch 0.1.0 touched a decoy credential or start-up file",
        "  --> ~/.ssh/id_ed25519",
        "   = what: read /home/ann/.ssh/id_ed25519",
        "   = chain: inventory 0.1.0 -> tables 0.1.0 -> csbench-fetch 0.1.0",
        "   = evidence: +1.250s process 77 by build-script-build.real: open allowed",
        "   = severity: critical",
        "   = help: treat the package as hostile",
        "   = next: cargo-sandbox explain 2026-11-20-k3f9#412",
        "note: what was built from csbench-fetch 0.1.0 is not to be trusted; those units are built again next time",
        "Sandbox violation: 31 build scripts, 78 compile units, 1 finding "
        "(bubblewrap, no network, Landlock 7) · run 2026-11-20-k3f9",
    ]


def test_a_hole_in_the_record_is_said() -> None:
    text = report(
        result(verdict="incomplete", completeness=Completeness(reasons=("3 events were lost",))), {}, False, "high"
    )
    assert "warning: the record has a hole: 3 events were lost" in text


def test_quiet_hides_only_a_clean_run() -> None:
    assert report(result(), {}, False, "high", quiet=True) == ""
    assert "error[" in report(result(FINDING), {}, False, "high", quiet=True)


def test_fresh_units_are_counted() -> None:
    assert "109 units fresh" in last_line(result(units={}, fresh_units=109), False)


def test_the_tier_is_shown_only_when_it_is_not_the_usual_one() -> None:
    usual = last_line(result(), False)
    assert last_line(result(tier="standard"), False) == usual
    assert "Landlock 7, degraded: see cargo-sandbox doctor)" in last_line(result(tier="degraded"), False)
    assert "Landlock 7, strong)" in last_line(result(tier="strong"), False)


def test_a_record_from_before_there_were_tiers_can_be_read() -> None:
    old = {name: value for name, value in result().to_json().items() if not name.startswith("tier")}
    assert last_line(RunResult.from_json(old), False) == last_line(result(), False)


def test_colour_follows_cargo_s_rules() -> None:
    assert use_colour(True, None, {})
    assert not use_colour(True, None, {"NO_COLOR": "1"})
    assert use_colour(False, "always", {"NO_COLOR": "1"})
    assert not use_colour(True, "never", {})
    assert not use_colour(True, None, {"TERM": "dumb"})
    assert use_colour(False, None, {"CARGO_TERM_COLOR": "always"})


@given(st.text())
def test_untrusted_text_is_one_printable_line(text: str) -> None:
    shown = render_untrusted(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert all(ord(char) >= 0x20 and not 0x7F <= ord(char) < 0xA0 for char in shown)


@given(st.text(max_size=30))
def test_a_package_s_name_can_add_no_line_to_the_report(name: str) -> None:
    from dataclasses import replace

    plain = report(result(FINDING), {}, False, "high").splitlines()
    forged = report(result(replace(FINDING, package=name or "x", subject=name, detail=name)), {}, False, "high")
    assert len(forged.splitlines()) == len(plain)
