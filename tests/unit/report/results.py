"""Results that the report tests share: one of each kind of answer."""

from __future__ import annotations

from dataclasses import replace

from sandbox.judge.model import Completeness, Finding, RunResult
from sandbox.report.formats import Context, Place

CLEAN = RunResult(
    run="2026-11-20-k3f9",
    verdict="clean",
    findings=(),
    completeness=Completeness(seen=900, listed=120, quiet=780),
    exit_code=0,
    cargo_code=0,
    cargo_signal=None,
    units={"cargo": 1, "script": 31, "rustc": 78},
    fresh_units=4,
    engine="bubblewrap",
    duration_s=12.5,
    walls="bubblewrap, no network, Landlock 7",
    tier="standard",
    no_baseline=0,
)
SCRIPT = Finding(
    code="CS0101",
    severity="critical",
    title="touched a decoy credential or start-up file",
    unit="u3",
    role="script",
    package="csbench-fetch",
    version="0.1.0",
    manifest_dir="/home/ann/ws/fetch",
    subject="/home/ann/.ssh/id_ed25519",
    detail="read /home/ann/.ssh/id_ed25519",
    help="treat the package as hostile until its source explains this; do not publish or run artifacts linked from it",
    events=(412,),
    evidence=("+1.250s process 77 by build-script-build.real: open allowed",),
)
NETWORK = replace(
    SCRIPT,
    code="CS0102",
    severity="high",
    title="tried to reach the network",
    subject="192.0.2.44:48443",
    detail="connect to 192.0.2.44:48443",
    help="fetch what the build needs beforehand; nothing left the sandbox",
    events=(431, 440),
    count=2,
)
MACRO = replace(
    SCRIPT,
    code="CS0114",
    severity="medium",
    title="put a file that is none of its outputs among the outputs of others",
    role="rustc",
    unit="fresh:/x",
    package="tables",
    manifest_dir="/home/ann/ws/tables",
    subject="/home/ann/ws/target/.cargo-sandbox/build/debug/deps/evil-0123456789abcdef.so",
    detail="made it",
    evidence=(),
    events=(),
    fresh=True,
    run="2026-11-19-aaaa",
    macros=("/home/ann/ws/target/debug/deps/libderive-0123456789abcdef.so",),
)
DROPPER = replace(
    SCRIPT,
    code="CS0215",
    severity="medium",
    title="started a program that its baseline does not have",
    subject="/usr/bin/curl",
    detail="started curl, which csbench-fetch 0.0.9 did not",
    techniques=("T1105", "T1059.004"),
    rung="earlier version",
    tree=("all of", "  exec of /usr/bin/curl (#500)", "  not in the baseline of csbench-fetch 0.0.9"),
    fact='{"class":"exec","object":"$PATH/curl"}',
    score=3.5,
    events=(500,),
)
VIOLATION = replace(
    CLEAN,
    verdict="violation",
    findings=(MACRO, NETWORK, SCRIPT),
    exit_code=120,
    cargo_code=None,
    cargo_signal=9,
    stopped="the build was stopped at once because of csbench-fetch 0.1.0 (--on-violation kill)",
    no_baseline=None,
)
INCOMPLETE = replace(CLEAN, verdict="incomplete", completeness=Completeness(lost=3, reasons=("3 events were lost",)))
NO_BASELINE = replace(CLEAN, no_baseline=None)
SOME_BASELINE = replace(CLEAN, no_baseline=7)
CUT_SHORT = replace(CLEAN, cargo_code=101, exit_code=101)
NOTHING = replace(CLEAN, units={"cargo": 1}, fresh_units=0)
DRIFT = replace(CLEAN, verdict="drift", findings=(DROPPER,), no_baseline=2, waived=(NETWORK,))
DIFFERENT = {
    "clean": CLEAN,
    "incomplete": INCOMPLETE,
    "no-baseline": NO_BASELINE,
    "some-without-baseline": SOME_BASELINE,
    "cut-short": CUT_SHORT,
    "nothing-seen": NOTHING,
    "drift": DRIFT,
    "violation": VIOLATION,
}
"""Answers that no report may make look alike."""

CONTEXT = Context(
    header={
        "argv": ["cargo-sandbox", "build", "--release"],
        "workspace": "/home/ann/ws",
        "started": "2026-11-20T10:00:00+01:00",
        "versions": {"cargo": "cargo 1.95.0", "kernel": "6.18.0"},
    },
    chains={
        ("csbench-fetch", "0.1.0", "/home/ann/ws/fetch"): ("inventory 0.1.0", "tables 0.1.0", "csbench-fetch 0.1.0")
    },
    places={
        ("csbench-fetch", "0.1.0", "/home/ann/ws/fetch"): Place(7, 17),
        ("tables", "0.1.0", "/home/ann/ws/tables"): Place(31, 17),
    },
    anchor="rust/Cargo.lock",
    home="/home/ann",
)


def hostile(text: str) -> RunResult:
    """A violation in which everything that a build or a record can choose is `text`."""
    names = ("code", "title", "unit", "package", "version", "manifest_dir", "subject", "detail", "help", "run")
    finding = replace(SCRIPT, **dict.fromkeys(names, text), evidence=(text,), macros=(text,), role="rustc", fresh=True)
    finding = replace(finding, techniques=(text,), tree=(text, f"  {text}"), rung=text, fact=text)
    complete = Completeness(reasons=(text,))
    return replace(
        VIOLATION, findings=(finding,), waived=(finding,), completeness=complete, stopped=text, walls=text, run=text
    )


def hostile_context(text: str) -> Context:
    """A context as hostile as that."""
    key = (text, text, text)
    header = {"argv": ["cargo-sandbox", text], "workspace": text, "versions": {text: text}, "started": text}
    return Context(header=header, chains={key: (text, text)}, places={key: Place(3, 9)}, anchor=f"a/{text}")
