"""Whose act is it? By descent from the trusted cargo, never by name, path or self-report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.arena import (
    Arena,
    Attack,
    actor_script,
    actor_source,
    acts_file,
    application,
    build,
    manifest,
    outcomes,
    tag,
)
from tests.engines import core
from tests.harness import Lab, Project, guard_binary, processes, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.engine]

GUARD = "/run/cargo-sandbox/guard"
FORGED = ("CARGO_PKG_NAME=csbench-victim", "CARGO_PKG_VERSION=9.9.9", "CARGO_CRATE_NAME=csbench_victim", "OUT_DIR=/tmp")
CSBX = str(0x43534258)
REPORT: tuple[str, ...] = ("--deny", "never", "--on-violation", "report")


def shell(text: str) -> tuple[str, ...]:
    return ("run", "/bin/sh", "-c", text)


def units_before_and_after(found: Attack) -> set[tuple[str, str]]:
    return {(unit["role"], unit.get("package", "")) for unit in found.run.units()}


@core
def test_a_script_that_runs_the_guard_with_a_forged_environment_stays_in_its_own_unit(arena: Arena) -> None:
    arena.attack(script={"warm": ("ids",)}, macro={"warm": ("ids",)})
    count = str(len(FORGED))
    acts = {
        "rustc": ("run-with", count, *FORGED, GUARD, "/bin/sh", "-c", "cat /etc/csbench-rustc"),
        "rustdoc": ("run-as", "rustdoc", GUARD, "--version"),
        "init": ("run-with", count, *FORGED, GUARD, "init"),
        "seals": ("run", GUARD, "seals"),
        "stand-in": ("run-with", count, *FORGED, "glob:{build}/csbench-victim-*/build-script-build"),
        "copy": shell(f"cp {GUARD} $OUT_DIR/copy && exec $OUT_DIR/copy sh -c 'cat /etc/csbench-copy'"),
        "clone-parent": ("clone-parent", count, *FORGED, GUARD, "/bin/sh", "-c", "cat /etc/csbench-sibling"),
    }
    found = arena.attack(script=acts, macro={f"m-{name}": acts[name] for name in ("rustc", "clone-parent")})
    assert found.done.code == 0, found.done.shown
    assert units_before_and_after(found) <= {
        ("cargo", ""),
        ("probe", ""),
        ("rustc", "csbench-script"),
        ("rustc", "csbench-consumer"),
        ("rustc", "csbench-app"),
        ("script", "csbench-script"),
    }
    assert not [unit for unit in found.run.units() if unit.get("version") == "9.9.9"]
    for name, unit in (("rustc", found.script_unit), ("copy", found.script_unit)):
        reads = found.select(kind="open", path=f"/etc/csbench-{name}")
        assert unit in {event["unit"] for event in reads}, name
    assert found.macro_unit in {event["unit"] for event in found.select(kind="open", path="/etc/csbench-rustc")}
    assert {event["unit"] for event in found.select(kind="open", path="/etc/csbench-sibling")} <= {
        found.script_unit,
        found.macro_unit,
    }


def test_only_a_role_may_speak_to_the_recorder(arena: Arena) -> None:
    report = {f"op-{op}": ("call", "157", CSBX, op, "buf", "64", "0") for op in ("1", "2", "3", "99")}
    if not Path("/lib64/ld-linux-x86-64.so.2").exists():
        report = {name: (words[0], "167", *words[2:]) for name, words in report.items()}
    acts = {**report, "later": ("read", "/etc/csbench-later")}
    found = arena.attack(script=acts, macro={f"m-{name}": words for name, words in report.items()})
    assert found.done.code == 0, found.done.shown
    for unit, told, prefix in ((found.script_unit, found.script, ""), (found.macro_unit, found.macro, "m-")):
        assert {told[f"{prefix}op-1"], told[f"{prefix}op-2"]} == {"EPERM"}
        forged = found.select(kind="forged", unit=unit)
        assert len(forged) >= 2 and {event["outcome"] for event in forged} == {"denied"}
    assert {"CS0107"} <= found.codes("csbench-script") & found.codes("csbench-consumer")
    end = found.unit_record("script", "csbench-script")["end"]
    assert end["status"] == 0 and end["directives"], "the real report came all the same"
    assert found.select(path="/etc/csbench-later", unit=found.script_unit), "the unit had not ended"


def test_lines_that_look_like_the_recorders_are_only_output(arena: Arena) -> None:
    forged = 'X\\x19\\x00\\x00\\x00{"code":0,"seen":0,"quiet":0}'
    acts = {
        "frame": ("say", forged),
        "web": ("tcp", "192.0.2.1:80"),
        "event": ("say", '{"seq":1,"unit":"u1","kind":"open"}'),
    }
    found = arena.attack(script=acts)
    assert "CS0102" in found.codes("csbench-script")
    assert found.run.result["completeness"]["reasons"] == []


def test_an_orphan_stays_in_its_unit(arena: Arena) -> None:
    late = "sleep 0.3; (: < /etc/csbench-orphan); sleep 2"
    acts = {"orphan": ("daemon", "csbench-orphan", late), "wait": ("sleep", "700")}
    found = arena.attack(
        script=acts, macro={"m-orphan": ("daemon", "csbench-orphan", late), "m-wait": ("sleep", "700")}
    )
    reads = found.select(kind="open", path="/etc/csbench-orphan")
    assert {event["unit"] for event in reads} == {found.script_unit, found.macro_unit}
    assert not [event for event in found.events if event["unit"] == "u?"]


@core
def test_forks_that_ask_nobody_lead_no_act_away_from_its_unit(arena: Arena) -> None:
    """A process is heard of at its first call that the guard sees; here a hundred ancestors made none."""
    deep = "( " * 100 + ": < /etc/csbench-deep" + "; : )" * 100
    lost = "( ( ( (sleep 0.3; : < /etc/csbench-lost) & ) & ) & ) & sleep 0.6"
    acts = {"deep": shell(deep), "lost": shell(lost)}
    found = arena.attack(script=acts, macro={f"m-{name}": words for name, words in acts.items()})
    for name in ("deep", "lost"):
        reads = found.select(kind="open", path=f"/etc/csbench-{name}")
        assert {event["unit"] for event in reads} == {found.script_unit, found.macro_unit}, name
    assert not [event for event in found.events if event["unit"] == "u?"]


def test_a_cargo_within_a_build_script_belongs_to_the_scripts_unit(arena: Arena) -> None:
    body = 'fn main() { let _ = std::fs::read("/etc/csbench-nested"); println!("cargo:csbench-nested=ran"); }'
    inner = manifest("csbench-victim", "[workspace]").replace("\n", "\\n")
    nested = (
        f"set -e; mkdir -p $OUT_DIR/n/src; cd $OUT_DIR/n; printf '{inner}\\n' > Cargo.toml; "
        f"echo > src/lib.rs; printf '%s' '{body}' > build.rs; "
        "env -u CARGO_BUILD_BUILD_DIR CARGO_TARGET_DIR=$OUT_DIR/n/target $CARGO build --offline -vv"
    )
    arena.attack(script={"warm": ("ids",)})
    found = arena.attack(script={"nested": shell(nested)})
    assert found.script["nested"].startswith("ok:exit status: 0"), found.script
    reads = found.select(kind="open", path="/etc/csbench-nested")
    assert {event["unit"] for event in reads} == {found.script_unit}
    assert not found.run.units(package="csbench-victim")


@pytest.fixture
def forger(lab: Lab) -> Iterator[Project]:
    """A crate whose build script tries to give its own compile another crate's name, through cargo."""
    body = "".join(
        f'    println!("cargo:rustc-env={pair}");\n'
        for pair in (
            "CARGO_PKG_NAME=csbench-innocent",
            "CARGO_PKG_VERSION=9.9.9",
            "CARGO_MANIFEST_DIR=/",
            "CARGO_PRIMARY_PACKAGE=1",
        )
    )
    files = application("csbench-forger", "csbench-innocent") | actor_source()
    files |= actor_script("csbench-forger", body=body) | actor_script("csbench-innocent")
    yield lab.project(files)


def test_a_script_cannot_put_another_name_on_its_crates_compile(forger: Project) -> None:
    """With the name would come another package's permissions, and with the folder a look away from what it reads."""
    key = f"{forger.home}/.ssh/id_rsa"
    forger.write({"csbench-forger/src/lib.rs": f'pub const STOLEN: &[u8] = include_bytes!("{key}");\n'})
    options = (*REPORT, "--allow-write", f"csbench-innocent={forger.target}")
    done = build(forger, guard_binary(), "build", options=options)
    assert done.code == 0, done.shown
    compiles = [(unit["crate"], unit["package"], unit["version"]) for unit in done.units("rustc")]
    assert ("csbench_forger", "csbench-forger", "0.1.0") in compiles, compiles
    assert ("csbench_forger", "csbench-innocent", "9.9.9") not in compiles
    unit = next(unit for unit in done.units("rustc") if unit["crate"] == "csbench_forger")
    assert unit["manifest_dir"] == f"{forger.dir}/csbench-forger"
    assert {entry["package"] for entry in done.run.findings()} == {"csbench-forger"}
    found = {(entry["package"], entry["code"]) for entry in done.run.acts()}
    assert {("csbench-forger", "CS0101"), ("csbench-forger", "CS0107")} == found, found


def test_a_script_that_gives_its_own_crate_a_longer_version_is_left_alone(lab: Lab) -> None:
    """The benign twin, and an old custom: the version that a program shows gets the commit's name."""
    body = (
        '    println!("cargo:rustc-env=CARGO_PKG_VERSION=0.1.0-7-gdeadbee");\n'
        '    println!("cargo:rustc-env=CARGO_PKG_DESCRIPTION=other");\n'
    )
    project = lab.project(
        application("csbench-versioned") | actor_source() | actor_script("csbench-versioned", body=body)
    )
    done = build(project, guard_binary(), "build")
    assert done.code == 0 and done.run.result["verdict"] == "clean", done.shown
    compiled = next(unit for unit in done.units("rustc") if unit["crate"] == "csbench_versioned")
    assert compiled["version"] == "0.1.0", "the record keeps to the manifest"


PRELOAD = """\
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
    char program[500] = "", mark[1000];
    if (readlink("/proc/self/exe", program, sizeof program - 1) > 0) {
        snprintf(mark, sizeof mark, "%s/csbench-preloaded-%s", TARGET, strrchr(program, '/') + 1);
        close(open(mark, O_CREAT | O_WRONLY, 0600));
    }
}
"""


def test_a_library_that_a_script_preloads_into_its_crates_compile_stays_inside_the_walls(lab: Lab) -> None:
    """cargo passes on what a script says: to the guard's role as well, which has no Landlock domain."""
    body = (
        '    let out = std::env::var("OUT_DIR").unwrap();\n'
        '    println!("cargo:rustc-env=LD_PRELOAD={out}/preload.so");\n'
    )
    files = application("csbench-preloader") | actor_source() | actor_script("csbench-preloader", body=body)
    project = lab.project(files | {"csbench-preloader/preload.c": PRELOAD})
    target = f'-DTARGET=\\"{project.target}\\"'
    compiled = shell(f"cc -shared -fPIC {target} -o $OUT_DIR/preload.so preload.c")
    project.write({"csbench-preloader/acts": acts_file({"compile": compiled})})
    done = build(project, guard_binary(), "build", options=REPORT)
    assert done.code == 0, done.shown
    assert [path.name for path in project.target.glob("csbench-preloaded-*")] == []
    tries = [event for event in done.run.events("open") if "csbench-preloaded-" in str(event["path"])]
    compile_unit = next(unit for unit in done.units("rustc") if unit["crate"] == "csbench_preloader")
    assert {(event["unit"], event["outcome"]) for event in tries} == {(compile_unit["unit"], "denied")}, tries
    assert not [event for event in tries if str(event["path"]).endswith("guard")]


def test_a_program_that_the_user_tests_cannot_pose_as_a_compiler(lab: Lab) -> None:
    """Test programs are cargo's own children, so their siblings are too."""
    count = str(len(FORGED))
    acts = {
        "sibling": ("clone-parent", count, *FORGED, GUARD, "/bin/sh", "-c", "cat /etc/csbench-sibling"),
        "kill": ("clone-parent", "0", "/bin/sh", "-c", "kill -USR1 2"),
        "child": ("run-with", count, *FORGED, GUARD, "/bin/sh", "-c", "cat /etc/csbench-child"),
        "web": ("tcp", "192.0.2.1:80"),
        "daemon": ("daemon", tag("csbench-tested"), "sleep 2.5"),
    }
    files = application("csbench-innocent") | actor_source() | actor_script("csbench-innocent")
    files["Cargo.toml"] += '\n[dev-dependencies]\ncsbench-actor = { path = "csbench-actor" }\n'
    files["src/main.rs"] = (
        "fn main() {}\n#[test]\nfn acts() {\n"
        '    csbench_actor::expansion(concat!(env!("CARGO_MANIFEST_DIR"), "/program"));\n}\n'
    )
    files |= {"program/acts": acts_file(acts), "program/csbench-marker": ""}
    project = lab.project(files)
    done = build(project, guard_binary(), "test", "--", "--nocapture", options=REPORT)
    assert done.code == 0, done.shown
    told = outcomes(done.stderr)
    assert set(told) == set(acts), done.shown
    assert told["web"] == "ENETUNREACH"
    wait_for(lambda: not processes(tag("csbench-tested")), 1, "the end of what the test left")
    assert {"CS0102", "CS0105"} <= {entry["code"] for entry in done.run.findings()}
    program = done.units("program")
    assert len(program) == 1, [unit["role"] for unit in done.units()]
    assert not [unit for unit in done.units() if unit.get("version") == "9.9.9"]
    reads = [
        event for event in done.run.events("open") if event["path"] in ("/etc/csbench-sibling", "/etc/csbench-child")
    ]
    assert {event["unit"] for event in reads} == {program[0]["unit"]}, reads


def test_one_scripts_name_or_path_on_another_program_changes_nothing(arena: Arena) -> None:
    place = "$OUT_DIR/csbench-victim-0123456789abcdef"
    acts = {
        "like": shell(
            f"mkdir -p {place} && cp /bin/cat {place}/build-script-build && "
            f"{place}/build-script-build /etc/csbench-like"
        ),
        "named": ("run-as", "/usr/bin/rustc", "/bin/cat", "/etc/csbench-named"),
    }
    found = arena.attack(script=acts)
    for name in acts:
        assert {event["unit"] for event in found.select(path=f"/etc/csbench-{name}")} == {found.script_unit}
