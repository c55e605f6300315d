"""Outputs that change behind a unit's back are noticed, and freshness launders nothing."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.arena import Arena, Attack, actor_script, actor_source, acts_file, application, build, workspace
from tests.engines import core
from tests.harness import Lab, Project, guard_binary, processes, start, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.engine]

RLIB = "glob:{deps}/libcsbench_victim-*.rlib"
REPORT = ("--on-violation", "report")


def deps(arena: Arena) -> Path:
    return arena.project.build_dir / "debug/deps"


def victim(arena: Arena) -> Path:
    return next(deps(arena).glob("libcsbench_victim-*.rlib"))


@core
def test_a_macro_that_changes_another_crates_output_is_found_by_record_and_by_seal(arena: Arena) -> None:
    found = arena.attack(macro={"change": ("append", RLIB, "csbench")})
    assert found.macro["change"] == "ok", "all compilers share that folder; no wall can tell their files apart"
    path = str(victim(arena))
    assert [entry["subject"] for entry in found.run.findings("CS0112") if entry["package"] == "csbench-consumer"] == [
        path
    ]
    assert path in [entry["subject"] for entry in found.run.findings("CS0108")]
    assert found.run.result["verdict"] == "violation"
    # The damaged unit is not believed: it is built again, and so is the one that did it.
    again = arena.attack()
    assert {"rustc csbench-victim", "rustc csbench-consumer"} <= set(again.run.built()), again.run.built()
    assert not again.codes() and again.done.code == 0, again.done.shown


@pytest.mark.parametrize("act", ["touch", "chmod", "unlink", "mmap", "child", "link"])
def test_any_change_of_another_crates_output_breaks_its_seal(arena: Arena, act: str) -> None:
    words = {
        "touch": ("touch", RLIB),
        "chmod": ("chmod", "600", RLIB),
        "unlink": ("unlink", RLIB),
        "mmap": ("run", "/bin/sh", "-c", f"cp {victim(arena)} /tmp/csbench-copy; mv /tmp/csbench-copy {victim(arena)}"),
        "child": ("run", "/bin/sh", "-c", f"printf csbench >> {victim(arena)}"),
        "link": ("link", RLIB, "{deps}/csbench-second-name"),
    }[act]
    found = arena.attack(macro={"change": words})
    assert found.macro["change"].startswith("ok"), found.macro
    assert found.codes() & {"CS0108", "CS0112"}, found.done.shown
    assert "CS0108" in found.codes(), f"the seal alone finds it: {found.codes()}"
    arena.project.remove(str(deps(arena) / "csbench-second-name"))
    assert not arena.attack().codes()


def test_outputs_in_a_folder_that_cannot_be_listed_are_not_taken_for_sealed(arena: Arena) -> None:
    acts = {
        "make": ("mkdir", "{out}/hidden"),
        "fill": ("put", "{out}/hidden/generated.rs", "x"),
        "hide": ("chmod", "311", "{out}/hidden"),
    }
    found = arena.attack(script=acts)
    assert set(found.script.values()) == {"ok"}, found.script
    end = found.unit_record("script", "csbench-script")["end"]
    assert end["outputs_cut"] and not [one for one in end["outputs"] if "hidden" in str(one["path"])]
    fresh = Attack(build(arena.project, arena.guard, "build"))
    assert "script csbench-script" not in fresh.run.built()
    for run in (found.run, fresh.run):
        assert run.result["verdict"] == "incomplete", run.result["completeness"]
    undo = ("run", "/bin/sh", "-c", "chmod 755 $OUT_DIR/hidden; rm -r $OUT_DIR/hidden")
    assert arena.attack(script={"undo": undo}).run.result["verdict"] == "clean"


def test_with_the_record_blind_the_seal_still_finds_it_and_without_seals_nobody_does(weak: Arena) -> None:
    acts = {"change": ("append", RLIB, "csbench")}
    sealed = weak.attack(script=acts, removed=("landlock", "deny"))
    assert sealed.script["change"] == "ok"
    found = [entry for entry in sealed.run.findings("CS0108") if entry["subject"] == str(victim(weak))]
    assert found and found[0]["package"] == "csbench-victim", "the unit whose output it is"
    weak.attack()
    clean = weak.attack(removed=("seal",), script={"warm": ("ids",)}, macro={"warm": ("ids",)})
    assert clean.done.code == 0
    weak.project.remove("target")
    weak.attack(removed=("seal",))
    unsealed = weak.attack(script=acts, removed=("landlock", "deny", "seal"))
    assert unsealed.script["change"] == "ok" and "CS0108" not in unsealed.codes()
    weak.project.remove("target")
    assert weak.attack().done.code == 0


def test_nobody_writes_into_another_members_incremental_cache(lab: Lab, breakable_guard: Path) -> None:
    """rustc links the objects that it finds there, and nothing seals them."""
    env = {"CARGO_INCREMENTAL": "1"}
    arena = Arena(lab.project(workspace()), breakable_guard, breakable=True)
    assert arena.attack(env=env).done.code == 0
    incremental = arena.project.build_dir / "debug/incremental"
    inner = next(path for path in incremental.glob("csbench_victim-*/csbench_victim-*/s-*/*.o") if path.is_file())
    folder = next(incremental.glob("csbench_victim-*"))
    content = inner.read_bytes()
    acts = {
        "change": ("append", str(inner), "csbench"),
        "replace": ("rename", str(inner), f"{inner}.old"),
        "new": ("put", f"{folder}/csbench", "x"),
        "beside": ("mkdir", f"{incremental}/csbench-new"),
    }
    found = arena.attack(script=acts, macro=acts, env=env)
    for told in (found.script, found.macro):
        assert set(told.values()) == {"EACCES"}, told
    assert inner.read_bytes() == content
    for package in ("csbench-script", "csbench-consumer"):
        subjects = {entry["subject"] for entry in found.run.findings("CS0103") if entry["package"] == package}
        assert subjects == {str(inner), f"{inner}.old", f"{folder}/csbench", f"{incremental}/csbench-new"}
    # Nothing has changed, so the next build says the same.
    again = Attack(build(arena.project, arena.guard, "build", options=("--deny", "never", *REPORT), env=env))
    assert summary(again) == summary(found) and again.run.result["verdict"] == "violation", again.done.shown
    fallen = arena.attack(macro={"change": acts["change"]}, env=env, removed=("landlock",))
    assert fallen.macro["change"] == "ok" and inner.read_bytes() != content


@core
def test_a_build_dir_that_something_else_touched_is_noticed_and_built_again(arena: Arena) -> None:
    arena.attack()
    quiet = arena.attack()
    assert quiet.run.built() == [] and not quiet.codes(), "nothing is built without a reason"
    path = victim(arena)
    path.write_bytes(path.read_bytes() + b"csbench")
    found = arena.attack()
    touched = found.run.findings("CS0109")
    assert [entry["subject"] for entry in touched] == [str(path)] and touched[0]["package"] == "csbench-victim"
    assert "rustc csbench-victim" in found.run.built()
    after = arena.attack()
    assert after.run.built() == [] and not after.codes()


@pytest.mark.parametrize("what", ["generated", "script", "missing", "replaced"])
def test_each_kind_of_output_is_watched_between_builds(arena: Arena, what: str) -> None:
    arena.attack()
    build_dir = arena.project.build_dir / "debug/build"
    generated = next(build_dir.glob("csbench-victim-*/out/generated.rs"))
    script = next(build_dir.glob("csbench-script-*/build-script-build"))
    if what == "generated":
        generated.write_text("pub fn generated() -> u32 { 666 }")
    elif what == "script":
        script.chmod(0o755)
        script.write_bytes(Path("/bin/true").read_bytes())
    elif what == "missing":
        victim(arena).unlink()
    else:
        copy = victim(arena).with_suffix(".copy")
        copy.write_bytes(victim(arena).read_bytes())
        copy.rename(victim(arena))
    found = arena.attack()
    assert found.done.code == 0, found.done.shown
    assert "CS0109" in found.codes(), found.run.built()
    expected = {"generated": "script csbench-victim", "script": "rustc csbench-script"}.get(
        what, "rustc csbench-victim"
    )
    assert expected in found.run.built()
    assert "666" not in generated.read_text()
    assert not arena.attack().codes()


def test_the_stand_in_of_a_script_cannot_be_swapped_for_a_program_that_runs_unconfined(arena: Arena) -> None:
    """Somebody may replace the build script's binary between two builds; cargo would call it fresh and run it."""
    arena.attack(script={"first": ("ids",)})
    folder = arena.project.build_dir / "debug/build"
    script = next(folder.glob("csbench-script-*/build-script-build.real"), None)
    script = script or next(folder.glob("csbench-script-*/*.real"))
    script.write_bytes(Path("/bin/true").read_bytes())
    found = arena.attack(script={"second": ("ids",)})
    assert "CS0109" in found.codes()
    assert found.script["second"].startswith("ok:"), "it was compiled again and ran as itself"


@pytest.fixture
def offender(lab: Lab) -> Iterator[Project]:
    """A program with one crate that misbehaves."""
    yield lab.project(application("csbench-script") | actor_source() | actor_script("csbench-script"))


def with_acts(project: Project, *lines: str) -> None:
    project.write({"csbench-script/acts": "".join(line + "\n" for line in lines)})


def summary(attack: Attack) -> set[tuple[str, str, str]]:
    return {(entry["code"], entry["package"], entry["subject"]) for entry in attack.run.findings()}


def run(project: Project, *options: str) -> Attack:
    return Attack(build(project, guard_binary(), "build", options=(*REPORT, *options)))


@core
def test_a_second_fresh_build_gives_the_same_verdict_until_the_unit_is_fixed(offender: Project) -> None:
    with_acts(offender, "web\ttcp\t192.0.2.1:80", f"key\tread\t{offender.home}/.ssh/id_ed25519")
    first = run(offender)
    assert first.done.code == 120 and first.run.result["verdict"] == "violation", first.done.shown
    assert {entry["code"] for entry in first.run.acts()} == {"CS0101", "CS0102"}
    second = run(offender)
    assert (second.done.code, second.run.result["verdict"]) == (120, "violation"), second.done.shown
    assert summary(second) == summary(first)
    assert "script csbench-script" in second.run.built(), "a unit in violation is stale"
    tolerant = run(offender, "--deny", "never")
    assert tolerant.done.code == 0 and summary(tolerant) == summary(first)
    with_acts(offender, "nothing\tids")
    fixed = run(offender)
    assert fixed.done.code == 0 and fixed.run.result["verdict"] == "clean", fixed.done.shown
    assert run(offender).run.built() == []


def test_a_milder_finding_is_repeated_from_the_ledger_while_its_unit_stays_fresh(offender: Project) -> None:
    with_acts(offender, "dumpable\tcall\t157\t4\t0") if _x86() else with_acts(offender, "dumpable\tcall\t167\t4\t0")
    first = run(offender)
    assert first.done.code == 0 and first.run.result["verdict"] == "drift", first.done.shown
    second = run(offender)
    assert second.run.built() == [] and summary(second) == summary(first) != set()
    assert [entry["fresh"] for entry in second.run.findings()] == [True]
    # What carries it is the ledger: without its findings the second verdict would be clean.
    ledger = next((offender.state / "cargo-sandbox/ledger").glob("*/units.jsonl"))
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    ledger.write_text("".join(json.dumps(entry | {"findings": []}) + "\n" for entry in entries))
    assert run(offender).run.result["verdict"] == "clean"


def _x86() -> bool:
    return Path("/lib64/ld-linux-x86-64.so.2").exists()


def test_without_a_ledger_nothing_is_believed_and_all_is_built_again(offender: Project) -> None:
    first = run(offender)
    assert run(offender).run.built() == []
    for path in (offender.state / "cargo-sandbox/ledger").glob("*/*"):
        path.unlink()
    again = run(offender)
    assert sorted(again.run.built()) == sorted(first.run.built())
    assert again.done.code == 0 and run(offender).run.built() == []


def test_a_build_dir_from_elsewhere_is_not_believed(offender: Project, lab: Lab) -> None:
    """A target dir that came with the tree, filled by somebody with the same tool, holds what they want."""
    run(offender)
    token = offender.build_dir / ".cargo-sandbox-token"
    token.write_text("0" * 32 + "\n")
    again = run(offender)
    assert "rustc csbench-script" in again.run.built() and again.done.code == 0


def test_a_fingerprint_that_no_entry_knows_is_not_fresh(offender: Project) -> None:
    """A unit whose entry is lost (a crash, an older tool) is built again, not called clean."""
    run(offender)
    ledger = next((offender.state / "cargo-sandbox/ledger").glob("*/units.jsonl"))
    lines = [line for line in ledger.read_text().splitlines(True) if '"script"' not in line]
    ledger.write_text("".join(lines))
    again = run(offender)
    assert "script csbench-script" in again.run.built(), again.run.built()
    assert again.run.result["verdict"] == "clean"


def test_what_a_program_of_the_user_changes_in_the_build_dir_is_noticed(lab: Lab) -> None:
    """Programs have no Landlock domain; the seals stand before the next build."""
    files = application("csbench-script") | actor_source() | actor_script("csbench-script")
    files["Cargo.toml"] += 'csbench-actor = { path = "csbench-actor" }\n'
    files["src/main.rs"] = 'fn main() { csbench_actor::expansion(concat!(env!("CARGO_MANIFEST_DIR"), "/program")); }\n'
    project = lab.project(files | {"program/csbench-marker": "", "program/acts": ""})
    first = build(project, guard_binary(), "run", options=REPORT)
    assert first.code == 0, first.shown
    rlib = next((project.build_dir / "debug/deps").glob("libcsbench_script-*.rlib"))
    project.write({"program/acts": acts_file({"change": ("append", str(rlib), "csbench")})})
    done = build(project, guard_binary(), "run", options=REPORT)
    assert "csbench-change=ok" in done.stderr, done.shown
    events = [
        event for event in done.run.events("open") if event["path"] == str(rlib) and event.get("access") == "write"
    ]
    assert events and events[0].get("note") == "build dir"
    project.write({"program/acts": ""})
    after = build(project, guard_binary(), "run", options=REPORT)
    assert "CS0109" in {entry["code"] for entry in after.run.findings()}
    assert "rustc csbench-script" in after.run.built()


def test_a_write_that_the_record_misses_is_seen_on_disk_and_makes_the_run_incomplete(weak: Arena) -> None:
    acts = {"plant": ("put", "{deps}/libcsbench_planted.rlib", "csbench")}
    seen = weak.attack(macro=acts)
    assert seen.macro["plant"] == "ok" and seen.codes("csbench-consumer") == {"CS0114"}, seen.done.shown
    assert not seen.run.result["completeness"]["reasons"], "an event answers for it"
    missed = weak.attack(macro=acts, removed=("record",))
    assert missed.macro["plant"] == "ok" and not missed.codes()
    assert missed.run.result["verdict"] == "incomplete"
    assert [reason for reason in missed.run.result["completeness"]["reasons"] if "libcsbench_planted.rlib" in reason]
    weak.project.remove(str(deps(weak) / "libcsbench_planted.rlib"))
    assert weak.attack().run.result["verdict"] == "clean"


@core
def test_a_run_that_is_killed_before_it_was_judged_launders_nothing(lab: Lab) -> None:
    """Rules speak at a run's end. A script that has ended by then would be fresh in the next build, and unsuspected."""

    def manifest(name: str, more: str = "") -> str:
        return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n[build-dependencies]\n{more}'

    marker = f"600.{secrets.randbelow(10**9):09}"
    project = lab.project(
        {
            "Cargo.toml": manifest("csbench-app", 'csbench-first = { path = "first" }\n[workspace]\n'),
            "src/lib.rs": "",
            "build.rs": f'fn main() {{ std::process::Command::new("sleep").arg("{marker}").status().unwrap(); }}',
            "first/Cargo.toml": manifest("csbench-first"),
            "first/src/lib.rs": "",
            # Cargo hands it to the compile of that crate, where nothing of that name lies.
            "first/build.rs": 'fn main() { println!("cargo::rustc-env=GCONV_PATH=/csbench/none"); }',
        }
    )
    running = start(project, "build", "-j1", options=REPORT)
    wait_for(lambda: processes(marker), what="the second build script")
    wait_for(lambda: "csbench-first" in _ledger_text(project), what="the first one in the ledger")
    os.kill(running.pid, signal.SIGKILL)
    running.wait(30)
    assert not project.run().findings("CS0248"), "nobody had judged it"
    project.write({"build.rs": "fn main() {}"})
    again = build(project, guard_binary(), "build", options=REPORT)
    assert [one["package"] for one in again.run.findings("CS0248")] == ["csbench-first"], again.shown
    assert "script csbench-first" in again.run.built()
    assert not list((project.state / "cargo-sandbox/ledger").glob("*/unjudged.*"))


def _ledger_text(project: Project) -> str:
    found = (project.state / "cargo-sandbox/ledger").glob("*/units.jsonl")
    return "".join(path.read_text() for path in found)
