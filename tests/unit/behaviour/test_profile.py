"""From events to facts: each class, chains, evidence, order, bounds, and what was not seen."""

from __future__ import annotations

import random
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.behaviour import collect, facts, processes, room
from sandbox.behaviour.canonical import BehaviourError, canonical, digest, from_json, schema, to_json, unit_json
from sandbox.behaviour.compare import compare, compare_runs
from sandbox.behaviour.model import CLASSES, Behaviour, Fact, Key
from sandbox.behaviour.profile import Profiler, profile
from sandbox.report.behaviour import lines
from tests.unit.behaviour.made import Build

HERE = Build()


def elsewhere() -> Build:
    """The same build in other folders, with other hashes and pids."""
    return Build("/srv/b/tree", "/root", "/srv/cargo", "/opt/rust", "fedcba9876543210", 31)


def test_reading_the_own_sources_is_counted_and_other_reads_are_facts() -> None:
    build = Build()
    build.act("open", access="read", path=f"{build.ws}/evil/a.txt").act("open", access="read", path="/etc/hosts")
    assert build.fact() == Fact("read", "read", "/etc/hosts", "system")
    assert build.unit().own_reads == 1


def test_a_link_in_the_own_sources_does_not_hide_what_is_read() -> None:
    build = Build()
    build.act("open", access="read", path=f"{build.ws}/evil/link", path2="/etc/hosts")
    assert build.fact() == Fact("read", "read", "$SRC/link", "system", detail=(("real", "/etc/hosts"),))


def test_what_git_keeps_beside_the_sources_is_no_source() -> None:
    build = Build().act("open", access="read", path=f"{HERE.ws}/evil/.git/config")
    assert build.fact() == Fact("read", "read", "$SRC/.git/config", "own source")


def test_a_folder_that_cargo_does_not_know_as_a_package_is_nobody_s_own_source() -> None:
    build = Build().act("open", access="read", path="/etc/shadow")
    units = build.units()
    units[1]["manifest_dir"] = "/etc"
    (fact,) = profile("r", build.plan(), build.ws, units, build.events).behaviours[1].facts
    assert (fact.object, fact.owner) == ("/etc/shadow", "system")


def test_a_write_says_whether_it_stays_inside() -> None:
    build = Build()
    build.act("open", access="write", path=f"{build.out}/a").act("mkdir", path="/tmp/b")
    build.act("rename", path=f"{build.out}/a", path2=f"{build.ws}/target/a")
    where = {(fact.act, dict(fact.detail)["where"]) for fact in build.facts("write")}
    assert where == {("write", "inside"), ("mkdir", "outside"), ("rename", "outside")}


def test_a_payload_that_names_itself_like_a_token_stays_visible() -> None:
    build = Build()
    build.act("open", access="write", flags=["create"], mode=0o755, path="/tmp/$OUT_DIR")
    build.act("exec", path="/tmp/$OUT_DIR", argv=["$SYSROOT/bin/rustc"])
    write, ran = build.facts("write")[0], build.facts("exec")[0]
    assert (write.object, write.owner, dict(write.detail)["exec"]) == ("$TMP/\\$OUT_DIR", "scratch", "yes")
    assert (ran.object, ran.owner) == ("$TMP/\\$OUT_DIR", "scratch")
    assert dict(ran.detail)["called"] == "rustc"


def test_a_payload_with_a_random_looking_name_stays_apart_from_the_compiler_s_files() -> None:
    build = Build()
    build.act("open", access="write", path=f"{build.scratch}/ccAb12Xy.s", mode=0o600)
    build.act("open", access="write", path=f"{build.scratch}/ccZz99Zz.s", mode=0o755)
    build.act("exec", path=f"{build.scratch}/ccZz99Zz.s", argv=["x"])
    assert [dict(fact.detail).get("exec") for fact in build.facts("write")] == ["yes", None]
    assert build.facts("exec")[0].owner == "scratch"


def test_an_executable_bit_is_part_of_the_fact() -> None:
    plain, runnable = Build(), Build()
    plain.act("chmod", path="/tmp/x", mode=0o644)
    runnable.act("chmod", path="/tmp/x", mode=0o755)
    assert plain.unit() != runnable.unit()


def test_a_chain_leads_from_the_first_process_through_forks_and_repeated_execs() -> None:
    build = Build()
    build.act("exec", path=build.script)
    build.act("exec", path="/usr/bin/sh", argv=["sh"], pid=30, parent=20)
    build.act("exec", path="/usr/bin/env", argv=["env"], pid=31, parent=40)
    # 40 is a fork of 30 that never execs; its first act is heard of after its child's.
    build.act("open", access="read", path="/etc/x", pid=40, parent=30)
    build.act("exec", path="/usr/bin/cc", argv=["cc"], pid=31, parent=40)
    chains = {fact.object: fact.chain for fact in build.facts("exec")}
    script = "$SCRIPT/build-script-build"
    assert chains == {
        script: (),
        "/usr/bin/sh": (script,),
        "/usr/bin/env": (script, "/usr/bin/sh"),
        "/usr/bin/cc": (script, "/usr/bin/sh", "/usr/bin/env"),
    }


def test_a_link_of_the_chain_that_nobody_saw_is_said() -> None:
    build = Build()
    build.act("exec", path="/usr/bin/cc", argv=["cc"], pid=31, parent=40)
    assert build.fact().chain == ("?",)


def test_a_pid_that_is_used_again_is_another_process() -> None:
    build = Build()
    build.act("exec", path="/usr/bin/sh", pid=30, parent=20, start=8)
    build.act("exec", path="/usr/bin/make", pid=30, parent=20, start=9)
    build.act("exec", path="/usr/bin/cc", pid=31, parent=30, start=10)
    assert {fact.object: fact.chain for fact in build.facts()}["/usr/bin/cc"] == ("/usr/bin/make",)


def test_processes_that_are_each_other_s_parents_do_not_hang() -> None:
    build = Build()
    build.act("open", access="read", path="/etc/x", pid=41, parent=40)
    build.act("exec", path="/usr/bin/cc", pid=40, parent=41)
    assert "?" in build.facts("exec")[0].chain


def test_a_search_through_path_that_finds_the_program_is_one_exec() -> None:
    build = Build()
    build.act("exec", path="/usr/local/bin/cc", argv=["cc"], pid=30, parent=20, note="absent")
    build.act("exec", path="/usr/bin/cc", argv=["cc"], pid=30, parent=20)
    assert [(fact.act, fact.object) for fact in build.facts()] == [("exec", "/usr/bin/cc")]


def test_a_search_that_finds_nothing_is_a_fact_without_the_folders_of_path() -> None:
    build = Build()
    for folder in ("/usr/local/bin", "/usr/bin"):
        build.act("exec", path=f"{folder}/curl", argv=["curl"], pid=30, parent=20, note="absent")
    fact = build.fact()
    assert (fact.act, fact.object, fact.count) == ("absent", "$PATH/curl", 2)
    elsewhere = Build().act("exec", path="/opt/x/curl", argv=["curl"], pid=30, parent=20, note="absent")
    assert elsewhere.fact().object == "/opt/x/curl"


def test_digests_are_taken_from_the_record_and_absent_where_it_has_none() -> None:
    sha = "ab" * 32
    build = Build(outputs=[{"path": "/b/known", "sha256": sha}, {"path": "/b/not", "sha256": None}])
    for name in ("known", "not", "never"):
        build.act("exec", path=f"/b/{name}")
    assert {fact.object: fact.digest for fact in build.facts("exec")} == {
        "/b/known": f"sha256:{sha}",
        "/b/not": "absent",
        "/b/never": "absent",
    }


def test_files_of_a_script_that_are_executed_or_linked_are_named() -> None:
    build = Build()
    names = ("tool", "lib/libfoo.a", "lib/foo.o", "lib/libfoo.a.txt", "libfoo.a", "script.ld", "bar.o", "unused.a")
    build.outputs = [{"path": f"{build.out}/{name}", "sha256": None} for name in names]
    build.directives = [
        f"cargo:rustc-link-search=native={build.out}/lib",
        "cargo::rustc-link-lib=static:+whole-archive=foo",
        f"cargo:rustc-link-arg=-Wl,-T,{build.out}/script.ld",
        f"cargo:rustc-link-arg-bins={build.out}/bar.o",
    ]
    build.act("exec", path=f"{build.out}/tool", unit="u2", pid=901, parent=900)
    used = [(fact.act, fact.object, fact.digest) for fact in build.facts("used")]
    assert used == [
        ("executed", "$OUT_DIR/tool", "absent"),
        ("linked", "$OUT_DIR/bar.o", "absent"),
        ("linked", "$OUT_DIR/lib/libfoo.a", "absent"),
        ("linked", "$OUT_DIR/script.ld", "absent"),
    ]


@pytest.mark.parametrize(
    ("event", "fact"),
    [
        (
            {"kind": "connect", "addr": "192.0.2.1", "port": 443, "outcome": "denied"},
            Fact("network", "connect", "192.0.2.1:443", detail=(("outcome", "denied"),)),
        ),
        ({"kind": "bind", "addr": "127.0.0.1", "port": 45123}, Fact("network", "bind", "127.0.0.1:<port>")),
        ({"kind": "connect", "addr": "::1", "port": 80}, Fact("network", "connect", "[::1]:80")),
        (
            {"kind": "connect", "family": "unix", "path": "/run/docker.sock", "outcome": "denied"},
            Fact("network", "connect", "unix /run/docker.sock", detail=(("outcome", "denied"),)),
        ),
        (
            {"kind": "dns", "dns": "exfil.invalid", "outcome": "denied"},
            Fact("dns", "ask", "exfil.invalid", detail=(("outcome", "denied"),)),
        ),
        (
            {"kind": "unlink", "path": "/home/ann/ws/x", "outcome": "denied", "by": "landlock"},
            Fact("denied", "unlink", "$WORKSPACE/x", "workspace"),
        ),
        (
            {"kind": "exec", "path": "/tmp/x", "outcome": "denied", "note": "no"},
            Fact("denied", "exec", "$TMP/x", "scratch", detail=(("note", "no"),)),
        ),
        (
            {"kind": "open", "access": "read", "path": "/home/ann/.ssh/id_ed25519"},
            Fact("decoy", "read", "$HOME/.ssh/id_ed25519", "home"),
        ),
        (
            {"kind": "open", "access": "read", "path": "/tmp/l", "path2": "/home/ann/.ssh/id_ed25519"},
            Fact("decoy", "read", "$TMP/l", "home", detail=(("real", "$HOME/.ssh/id_ed25519"),)),
        ),
        (
            {"kind": "ptrace", "call": "ptrace", "args": [16, 2], "outcome": "denied"},
            Fact("kernel", "ptrace", "ptrace", detail=(("outcome", "denied"),)),
        ),
        (
            {"kind": "socket", "call": "socket", "args": [16, 3, 9, 4711], "outcome": "denied"},
            Fact("kernel", "socket", "socket", detail=(("args", "16 3 9"), ("outcome", "denied"))),
        ),
        (
            {"kind": "kill", "target": 1, "args": [9], "outcome": "denied"},
            Fact("denied", "kill", "init", detail=(("args", "9"),)),
        ),
        ({"kind": "memfd", "path": "$OUT_DIR"}, Fact("kernel", "memfd", "\\$OUT_DIR")),
        ({"kind": "survivor", "argv": ["/tmp/x", "-d"]}, Fact("survivor", "survive", "$TMP/x", "scratch")),
        ({"kind": "other", "call": "utimensat", "path": "/tmp/x"},
         Fact("write", "times", "$TMP/x", "scratch", detail=(("where", "outside"),))),
        (
            {"kind": "exec", "path": "/memfd:x (deleted)", "argv": ["x"], "note": "memfd"},
            Fact("exec", "exec", "/memfd:x (deleted)", "memory", detail=(("called", "x"), ("note", "memfd"))),
        ),
        ({"kind": "of-tomorrow"}, Fact("kernel", "of-tomorrow", "")),
    ],
)  # fmt: skip
def test_each_class_of_acts(event: dict[str, Any], fact: Fact) -> None:
    assert Build().act(**event).fact() == fact


def test_a_survivor_of_the_end_record_is_a_fact() -> None:
    build = Build(survivors=[{"pid": 9, "argv": ["sleep", "99"]}, {"pid": 10, "argv": []}])
    assert [fact.object for fact in build.facts("survivor")] == ["process", "sleep"]


@pytest.mark.parametrize(
    ("line", "act", "value"),
    [
        ("cargo:rustc-link-search=native={out}/lib", "rustc-link-search", "native=$OUT_DIR/lib"),
        ("cargo::rustc-env=HASH=0123456789abcdef", "rustc-env", "HASH=<hash>"),
        ("cargo:rustc-cfg=x", "rustc-cfg", "x"),
        ("cargo::metadata=root={out}", "metadata", "root=$OUT_DIR"),
        ("cargo:root={out}", "metadata", "root=$OUT_DIR"),
        ("cargo:metadata=a=b", "metadata", "metadata=a=b"),
        ("cargo::of-tomorrow=1", "of-tomorrow", "1"),
        ("cargo:nonsense", "malformed", "nonsense"),
        ("cargo:rerun-if-changed=$OUT_DIR", "rerun-if-changed", "\\$OUT_DIR"),
    ],
)
def test_directives_are_facts_with_paths_as_tokens(line: str, act: str, value: str) -> None:
    build = Build()
    build.directives = [line.format(out=build.out)]
    assert build.fact() == Fact("directive", act, value)


def test_a_directive_that_is_not_utf8_is_kept() -> None:
    build = Build(directives=[{"b64": "Y2FyZ286cnVzdGMtZW52PUE9/w=="}])
    assert build.fact().object == "A=\\xff"


def test_macros_and_names_belong_to_the_unit() -> None:
    unit = Build().unit("rustc")
    assert unit.key == Key("evil", "1.0.0", "rustc", "evil", ("lib",))
    assert unit.macros == ("$BUILD/debug/deps/libm-<hash>.so",)


def test_cargo_itself_has_no_behaviour_and_nobody_s_acts_are_kept() -> None:
    build = Build().act("exec", path="/x", unit="u0").act("exec", path="/y", unit="u?")
    found = {one.key.role: one for one in build.profile().behaviours}
    assert set(found) == {"script", "rustc", "unknown"}
    assert found["unknown"].facts[0].object == "/y"


def some_acts(build: Build) -> None:
    build.act("exec", path=build.script)
    build.act("exec", path="/usr/bin/cc", argv=["cc"], pid=build.first_pid + 5, parent=build.first_pid)
    build.act("open", access="write", path=f"{build.scratch}/cc{'aB3dE9' if build.first_pid == 20 else 'Zz0Zz0'}.s",
              pid=build.first_pid + 5, parent=build.first_pid)  # fmt: skip
    build.act("open", access="read", path=f"{build.good}/include/x.h")
    build.act("open", access="read", path="/proc/self/exe", path2=build.script)
    build.act("open", access="read", path=f"/proc/{build.first_pid}/maps")
    build.act("mkdir", path=f"{build.out}/x-{build.hash}", mode=0o777)
    build.act("exec", path=f"{build.toolchain}/bin/rustc", argv=["rustc"], unit="u2", pid=900, parent=2)
    build.directives = [f"cargo:rustc-link-search={build.out}", "cargo:rustc-cfg=x"]


def test_the_same_build_at_another_place_behaves_the_same() -> None:
    here, there = Build(), elsewhere()
    some_acts(here)
    some_acts(there)
    assert here.profile().behaviours == there.profile().behaviours
    assert compare_runs(here.profile(), there.profile()) == {}
    for one, two in zip(here.profile().behaviours, there.profile().behaviours, strict=True):
        assert digest(one) == digest(two)


@given(st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_interleaved_units_and_processes_behave_as_one_after_the_other(chance: random.Random) -> None:
    """With -j the events of several processes mix; each process's own come in their order."""
    build = Build()
    some_acts(build)
    for number in range(6):
        pid = 40 + number
        build.act("exec", path="/usr/bin/make", argv=["make"], pid=pid, parent=20)
        build.act("exec", path=f"/usr/bin/tool{number % 3}", pid=pid + 20, parent=pid)
        build.act("open", access="write", path=f"{build.out}/f{number}", pid=pid + 20, parent=pid)
    straight = build.profile()
    queues: dict[int, list[dict[str, Any]]] = {}
    for event in build.events:
        queues.setdefault(event["pid"], []).append(event)
    mixed: list[dict[str, Any]] = []
    ran: set[int] = {2}
    while any(queues.values()):
        # A process begins after its parent's first act.
        ready = [pid for pid, queue in queues.items() if queue and (queue[0]["parent"] in ran)]
        pid = chance.choice(ready)
        mixed.append(queues[pid].pop(0) | {"seq": len(mixed) + 1})
        ran.add(pid)
    build.events = mixed
    assert build.profile().behaviours == straight.behaviours


def test_the_order_of_directives_and_outputs_does_not_matter_and_repeating_does_not_either() -> None:
    one, two = Build(), Build()
    one.directives = ["cargo:rustc-cfg=a", "cargo:rustc-cfg=b"]
    two.directives = ["cargo:rustc-cfg=b", "cargo:rustc-cfg=a", "cargo:rustc-cfg=b"]
    assert one.unit() == two.unit()
    assert [fact.count for fact in two.facts()] == [1, 2]


def test_what_is_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MOST_FACTS", 3)
    build = Build()
    for number in range(9):
        build.act("open", access="write", path=f"{build.out}/name{number}")
    unit = build.unit()
    assert (len(unit.facts), unit.cut) == (3, ("write",))
    assert "write" in compare(unit, unit).unsure and not compare(unit, unit).same


@pytest.mark.parametrize("name", ["MOST_PROCESSES", "MOST_IMAGES"])
def test_more_processes_than_are_kept_make_execs_not_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, name, 2)
    build = Build()
    for number in range(5):
        build.act("exec", path="/usr/bin/cc", pid=30 + number, parent=20)
    assert build.unit().cut == ("exec",)


def test_what_one_unit_takes_of_the_room_for_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Build()
    for number in range(2_000):
        build.act("open", access="write", path=f"{build.out}/{number:04}{'x' * 3_000}")
    whole = build.unit()
    assert (len(whole.facts), whole.cut) == (2_000, ())
    monkeypatch.setattr(room.Room.__init__, "__defaults__", (5 << 20,))
    part = build.unit()
    assert 100 < len(part.facts) < 400
    assert part.cut == ("write",)


def test_a_process_that_becomes_one_program_after_another_has_a_chain_that_says_it_is_cut() -> None:
    build = Build()
    for number in range(40):
        build.act("exec", path=f"/usr/bin/tool{number}")
    chains = {fact.object: fact.chain for fact in build.facts()}
    assert len(chains["/usr/bin/tool39"]) <= 18
    assert "…" in chains["/usr/bin/tool39"] and "…" not in chains["/usr/bin/tool9"]
    assert chains["/usr/bin/tool39"][-1] == "/usr/bin/tool38"


def test_forks_of_forks_without_end_have_a_chain_that_says_it_is_cut() -> None:
    build = Build()
    for number in range(300):
        build.act("open", access="read", path="/etc/x", pid=100 + number, parent=99 + number)
    build.act("exec", path="/usr/bin/cc", pid=400, parent=399)
    assert build.facts("exec")[0].chain == ("…",)


def test_more_execs_than_are_kept_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MOST_EXECS", 2)
    build = Build()
    for number in range(5):
        build.act("exec", path=f"/usr/bin/a{number}", pid=30 + number, parent=20)
    assert (len(build.facts()), build.unit().cut) == (2, ("exec",))


def test_a_flood_makes_writes_not_whole() -> None:
    assert "write" in Build().act("flood", note="more than 50000 writes").unit().cut


def test_a_unit_without_an_end_has_unknown_directives() -> None:
    build = Build()
    units = [record for record in build.units() if record["event"] == "start"]
    found = profile("r", build.plan(), build.ws, units, [])
    assert found.behaviours[0].cut == ("survivor", "directive", "used")


def test_a_record_with_a_hole_makes_every_class_not_whole() -> None:
    build = Build()
    for one in build.profile(("events: damaged",)).behaviours:
        assert one.cut == CLASSES
    found = profile("r", build.plan(), build.ws, build.units(), [{"unit": "u77", "kind": "exec"}])
    assert found.holes == ("1 events of units that have no start record",)


def test_cut_lists_of_the_record_are_said() -> None:
    build = Build()
    units = build.units()
    for record in units:
        if record["event"] == "end":
            record |= {"directives_cut": True, "outputs_cut": True}
    assert profile("r", build.plan(), build.ws, units, []).behaviours[0].cut == ("directive", "used")


def test_compare_names_what_is_new_and_what_is_gone() -> None:
    before, after = Build(), Build()
    before.act("open", access="read", path="/etc/old")
    after.act("connect", addr="192.0.2.1", port=1, outcome="denied")
    gap = compare(before.unit(), after.unit())
    assert set(gap.classes()) == {"network", "read"}
    assert [fact.object for fact in gap.added] == ["192.0.2.1:1"]
    assert [fact.object for fact in gap.removed] == ["/etc/old"]
    assert compare(before.unit(), before.unit()).same
    (key,) = compare_runs(before.profile(), after.profile())
    assert key.role == "script"


def test_a_unit_that_only_one_run_has_differs_even_if_it_did_nothing() -> None:
    build = Build()
    full = build.profile()
    fewer = profile("r", build.plan(), build.ws, [r for r in build.units() if r["unit"] != "u2"], [])
    assert [key.role for key in compare_runs(full, fewer)] == ["rustc"]


def test_behaviours_of_two_normalisers_are_not_compared() -> None:
    one = Behaviour(Key("a", "1", "script"), 1, ())
    with pytest.raises(BehaviourError):
        compare(one, Behaviour(Key("a", "1", "script"), 2, ()))


def test_the_json_form_fits_its_schema_and_is_read_again() -> None:
    checker = jsonschema.Draft202012Validator(schema())
    checker.check_schema(schema())
    build = Build(outputs=[{"path": f"{HERE.out}/tool", "sha256": None}])
    some_acts(build)
    build.act("exec", path=f"{build.out}/tool").act("open", access="read", path={"b64": "L3RtcC//"})
    build.act("exec", path="/z", unit="u?")
    made = build.profile(("a hole",))
    data = to_json(made)
    checker.validate(data)
    assert from_json(data) == made
    seqs = [fact.seqs for one in made.behaviours for fact in one.facts]
    again = [fact.seqs for one in from_json(data).behaviours for fact in one.facts]
    assert seqs == again
    with pytest.raises(jsonschema.ValidationError):
        checker.validate(data | {"normaliser": 0})


def test_equal_behaviours_have_equal_bytes_and_others_have_not() -> None:
    one, two = Build(), elsewhere()
    one.act("mkdir", path="/tmp/x")
    two.act("mkdir", path="/tmp/x").act("mkdir", path="/tmp/x")
    bytes_of = [canonical(unit_json(build.unit(), evidence=False)) for build in (one, two)]
    assert bytes_of[0] == bytes_of[1]
    two.act("mkdir", path="/tmp/y")
    assert canonical(unit_json(two.unit(), evidence=False)) != bytes_of[0]


@pytest.mark.parametrize("data", [{}, {"schema": "x"}, {"schema": "cargo-sandbox/behaviour-v1", "units": 3}])
def test_what_is_no_behaviour_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(BehaviourError):
        from_json(data)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just({"b64": "/w=="}) | st.just({"b64": 3}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
FIELDS = ("kind", "path", "path2", "argv", "pid", "start", "parent", "seq", "mode", "addr", "port", "dns", "note",
          "call", "args", "access", "outcome", "target", "family", "unit")  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), ANY), st.sampled_from(["exec", "open", "connect", "kill", "socket"]))
def test_no_event_whatever_it_holds_breaks_the_profile(fields: dict[str, Any], kind: str) -> None:
    build = Build().act(**({"kind": kind} | fields))
    data = to_json(build.profile())
    jsonschema.Draft202012Validator(schema()).validate(data)
    canonical(data)


@given(st.lists(st.dictionaries(st.sampled_from(
    ["event", "unit", "role", "pid", "package", "out_dir", "exe", "outputs", "directives", "survivors", "macros",
     "crate_types", "manifest_dir"]), ANY), max_size=3), ANY)  # fmt: skip
def test_no_unit_record_breaks_the_profile(records: list[dict[str, Any]], part: Any) -> None:
    for name in ("mounts", "env", "owners", "command", "build_dir"):
        profile("r", Build().plan() | {name: part}, "", [*records, *Build().units()], [])


def test_digests_of_programs_and_of_what_cargo_linked_are_known_too() -> None:
    sha, other = "ab" * 32, "cd" * 32
    build = Build(outputs=[{"path": "/b/script-1f", "sha256": sha}])
    build.act("exec", path="/b/script").act("exec", path="/usr/bin/cc").act("exec", path="/usr/bin/as")
    link = {"unit": "u0", "kind": "link", "path": "/b/script-1f", "path2": "/b/script", "seq": 1, "outcome": "allowed"}
    found = profile("r", build.plan(), build.ws, build.units(), [link, *build.events], (), {"/usr/bin/cc": other})
    facts = {fact.object: fact.digest for one in found.behaviours for fact in one.of("exec")}
    assert {name.rpartition("/")[2]: digest for name, digest in facts.items()} == {
        "script": f"sha256:{sha}",
        "cc": f"sha256:{other}",
        "as": "absent",
    }


def test_the_report_shows_facts_and_escapes_what_moves_the_cursor() -> None:
    build = Build()
    build.act("exec", path=build.script).act("exec", path="/tmp/\x1b[2Jx", pid=30, parent=20, argv=["x"])
    shown = "\n".join(lines(build.profile(("cut off",))))
    assert "\x1b" not in shown and "$TMP/\\x1b[2Jx" in shown
    assert "script evil 1.0.0" in shown and "the record is not whole: cut off" in shown
    assert "(not whole: more may have happened)" in shown


def test_a_live_run_whose_events_come_before_their_units_start_has_the_same_behaviours() -> None:
    build = Build().act("exec", path="/usr/bin/git", argv=["git"]).act("open", path="/etc/hosts", access="read")
    live = Profiler(build.plan(), build.ws)
    for event in build.events:
        live.event(event)
    for record in build.units():
        live.unit(record)
    found = live.finish("r")
    assert found == build.profile()
    assert len(found.behaviours[1].facts) == 2


def test_events_of_a_unit_that_never_starts_are_a_hole() -> None:
    live = Profiler({}, "")
    live.event({"unit": "u7", "kind": "dns", "dns": "a.invalid", "seq": 1, "outcome": "denied"})
    assert live.finish("r").holes == ("1 events of units that have no start record",)
