"""Nobody speaks for a unit but its own guard: made-up reports, borrowed guards, and acts of those who ran away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attack.arena import Acts, Arena, Attack, actor_script, actor_source, acts_file, application, build, tag
from tests.attack.kernel_calls import numbers
from tests.attack.test_attribution import CSBX, FORGED, GUARD, REPORT, shell
from tests.engines import core
from tests.harness import Lab, Project, guard_binary, processes, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.engine]

COUNT = str(len(FORGED))
MADE_UP = "status=0,directive=cargo:csbench-forged=believed,survivor=9^csbench-ghost,output=1^2^3^4^-^/csbench-forged"
ASK, PART, END = "0", "1", "2"


def call(op: str, pairs: str = "") -> tuple[str, ...]:
    """The guard's own call, with a report that somebody made up."""
    size = len(pairs) + 1 if pairs else 0
    return ("call", str(numbers()["prctl"]), CSBX, op, f"pairs:{pairs}", str(size), "0")


def reports() -> Acts:
    return {
        "ask": call(ASK),
        "part": call(PART, MADE_UP),
        "part-in-child": ("call-in-child", *call(PART, MADE_UP)[1:]),
        "end": call(END),
    }


def end_of(found: Attack, role: str, package: str) -> dict[str, Any]:
    end = found.unit_record(role, package)["end"]
    assert end is not None
    return dict(end)


@core
def test_a_made_up_report_of_a_script_or_a_macro_is_not_believed(arena: Arena) -> None:
    acts = {**reports(), "later": ("read", "/etc/csbench-later")}
    found = arena.attack(script=acts, macro=acts)
    assert found.done.code == 0, found.done.shown
    for told, role, package in (
        (found.script, "script", "csbench-script"),
        (found.macro, "rustc", "csbench-consumer"),
    ):
        assert told["ask"] == "ok:0", "it is not the first process of its unit"
        assert (told["part"], told["end"], told["part-in-child"]) == ("EPERM", "EPERM", "ok:exit 1")
        end = end_of(found, role, package)
        assert "forged" not in str(end) and "ghost" not in str(end), end
        assert end["status"] == 0 and not end["survivors"]
        unit = found.unit_record(role, package)["unit"]
        assert found.select(path="/etc/csbench-later", unit=unit), "the unit went on"
        assert len(found.select(kind="forged", unit=unit, outcome="denied")) == 3
        assert {"CS0107"} <= found.codes(package)
    assert "CS0105" not in found.codes(), "no ghost is a survivor"


def test_without_that_check_a_made_up_report_would_be_the_record(weak: Arena) -> None:
    found = weak.attack(script=reports(), removed=("report",))
    end = end_of(found, "script", "csbench-script")
    assert "cargo:csbench-forged=believed" in end["directives"]
    assert {output["path"] for output in end["outputs"]} == {"/csbench-forged"}
    assert {"pid": 9, "argv": ["csbench-ghost"]} in end["survivors"]


def borrowed() -> Acts:
    """The guard in each of its roles, started by a unit."""
    out = "$OUT_DIR/borrowed"
    variables = f"{' '.join(FORGED[:3])} OUT_DIR={out}"
    stand_in = (
        f"mkdir {out}; cp -a {{build}}/csbench-victim-*/build?script* {out}; env {variables} {out}/build-script-build"
    )
    return {
        "rustc": ("run-with", COUNT, *FORGED, GUARD, "/bin/sh", "-c", "cat /etc/csbench-as-rustc"),
        "probe": shell(f"env -u CARGO_PKG_NAME {GUARD} sh -c 'cat /etc/csbench-as-probe'"),
        "init": shell(f"exec {GUARD} init"),
        "named-init": ("run-as", "init", GUARD, "init"),
        "script": shell(stand_in),
        "become": ("become", COUNT, *FORGED, GUARD, "/bin/sh", "-c", "cat /etc/csbench-become; exit 0"),
    }


def test_a_unit_that_becomes_the_guard_in_any_role_stays_in_its_own_unit(arena: Arena, weak: Arena) -> None:
    arena.attack(script={"warm": ("ids",)})
    found = arena.attack(script=borrowed())
    assert found.done.code == 0, found.done.shown
    ran = {(unit["role"], unit.get("package", "")) for unit in found.run.units()}
    assert ran <= {
        ("cargo", ""),
        ("probe", ""),
        ("script", "csbench-script"),
        ("rustc", "csbench-script"),
        ("rustc", "csbench-consumer"),
        ("rustc", "csbench-app"),
    }
    assert len(found.run.units("script")) == 1 and not [u for u in found.run.units() if u.get("version") == "9.9.9"]
    for name in ("as-rustc", "as-probe", "become"):
        reads = found.select(kind="open", path=f"/etc/csbench-{name}")
        assert {event["unit"] for event in reads} == {found.script_unit}, name
    made = [event for event in found.select(kind="open", access="write") if "borrowed/gen" in str(event["path"])]
    assert {event["unit"] for event in made} == {found.script_unit}, found.script["script"]
    assert "exit status: 0" not in found.script["init"] + found.script["named-init"]
    fallen = weak.attack(script={"rustc": borrowed()["rustc"]}, removed=("descent",))
    assert [unit["package"] for unit in fallen.run.units("rustc") if unit.get("version") == "9.9.9"] == [
        "csbench-victim"
    ]


def late(arena: Arena, ms: int, word: str) -> Acts:
    """Daemons that act by themselves once everybody has forgotten them."""
    home = arena.project.home
    return {
        "decoy": ("late", str(ms), "read", f"{home}/.ssh/id_ed25519"),
        "write": ("late", str(ms), "put", f"{home}/csbench-late", "x"),
        "web": ("late", str(ms), "tcp", "192.0.2.7:80"),
        "named": ("daemon", word, f"sleep {ms / 1000}; (: < /etc/csbench-late); sleep 2"),
    }


def acted(found: Attack) -> dict[str, list[dict[str, Any]]]:
    """What the daemons did, by act."""
    return {
        "decoy": [event for event in found.select(kind="open") if str(event["path"]).endswith("/id_ed25519")],
        "write": [event for event in found.select(kind="open") if str(event["path"]).endswith("/csbench-late")],
        "web": found.select(kind="connect", addr="192.0.2.7"),
    }


ELSEWHERE: Acts = {"sleep": ("sleep", "2200"), "alive": ("ids",)}


def test_what_a_daemon_does_later_is_charged_to_the_crate_that_left_it(arena: Arena) -> None:
    """At that time its script still runs, and so does a neighbour."""
    acts = {**late(arena, 300, tag("csbench-later")), "busy": ("sleep", "900")}
    found = arena.attack(script=acts, neighbour=ELSEWHERE, verb=("build", "-j4"))
    assert found.done.code == 0, found.done.shown
    for name, events in acted(found).items():
        assert events and {event["unit"] for event in events} == {found.script_unit}, name
    assert {"CS0101", "CS0102", "CS0103", "CS0105"} <= found.codes("csbench-script")
    assert not found.codes("csbench-neighbour")
    assert len(end_of(found, "script", "csbench-script")["survivors"]) >= 4
    assert not [event for event in found.events if event["unit"] == "u?"]
    wait_for(lambda: not processes(tag("csbench-later")), 1, "the end of the daemons")


def test_a_daemon_does_not_live_to_act_after_its_script_and_without_that_wall_it_does(
    arena: Arena, weak: Arena
) -> None:
    found = arena.attack(script=late(arena, 1200, tag("csbench-after")), neighbour=ELSEWHERE, verb=("build", "-j4"))
    assert found.done.code == 0, found.done.shown
    assert acted(found) == {"decoy": [], "write": [], "web": []}
    assert found.acts() == {"CS0105"}, "it was ended, and that is told"
    acts = late(weak, 1200, tag("csbench-after"))
    fallen = weak.attack(script=acts, neighbour=ELSEWHERE, verb=("build", "-j4"), removed=("kill",))
    over = end_of(fallen, "script", "csbench-script")["t_ns"]
    for name, events in acted(fallen).items():
        assert events and min(event["t_ns"] for event in events) > over, name
        neighbour = fallen.unit_record("script", "csbench-neighbour")["unit"]
        assert neighbour not in {event["unit"] for event in events}, "even then nobody else is charged"
    assert not fallen.codes("csbench-neighbour")
    wait_for(lambda: not processes(tag("csbench-after")), 1, "the end of the container with all that is in it")


COMPILER = "#!/bin/sh\\n: > {out}/csbench-ran\\nexit 1\\n"


def namer(lab: Lab, *names: str, value: str) -> Project:
    """A crate whose script puts a program into OUT_DIR, and variables into the environment of its crate's compile."""
    body = '    let out = std::env::var("OUT_DIR").unwrap();\n'
    body += "".join(f'    println!("cargo:rustc-env={name}={value}");\n' for name in names)
    files = application("csbench-namer", "csbench-victim") | actor_source()
    files |= actor_script("csbench-namer", body=body) | actor_script("csbench-victim")
    program = f"printf '{COMPILER}' > {{out}}/rustc; chmod 755 {{out}}/rustc"
    files["csbench-namer/acts"] = acts_file({"compiler": ("run", "/bin/sh", "-ec", program)})
    return lab.project(files)


def test_a_script_that_names_another_compiler_or_wrapper_for_its_crate_is_not_heard(lab: Lab) -> None:
    """cargo passes the variables on to this one compile, but who compiles was settled before."""
    names = ("RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO", "RUSTDOC", "CARGO_BUILD_RUSTC_WRAPPER")
    project = namer(lab, *names, value="{out}/rustc")
    done = build(project, guard_binary(), "build", options=REPORT)
    # No act was one that findings are about; the rules name it all the same.
    assert done.run.result["cargo_code"] == 0 and {one["code"] for one in done.run.findings()} == {"CS0248"}, done.shown
    assert (project.target / "debug/csbench-app").is_file()
    assert not [event for event in done.run.events("exec") if str(event["path"]).endswith("/out/rustc")]


def test_a_compiler_that_a_script_puts_into_the_search_path_stays_inside_the_walls_of_its_crate(lab: Lab) -> None:
    """cargo itself searches there, also without a sandbox: the program runs, as a part of that crate's compile."""
    project = namer(lab, "PATH", value="{out}:/usr/bin:/bin")
    done = build(project, guard_binary(), "build", options=REPORT)
    assert done.code == 101, done.shown
    unit = next(unit for unit in done.units("rustc") if unit["crate"] == "csbench_namer")
    ran = [event for event in done.run.events("exec") if str(event["path"]).endswith("/out/rustc")]
    assert ran and {event["unit"] for event in ran} == {unit["unit"]}
    assert {(entry["package"], entry["role"]) for entry in done.run.findings("CS0103")} == {("csbench-namer", "rustc")}
    assert not list(project.target.glob("**/csbench-ran"))
