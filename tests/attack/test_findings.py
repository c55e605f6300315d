"""Each first finding beside its benign twin, the exit codes, and the build that is stopped at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.trace.events import raw
from tests.attack.arena import Attack, actor_script, actor_source, acts_file, application, build, outcomes
from tests.attack.kernel_calls import CALLS, numbers
from tests.engines import core
from tests.harness import Lab, Project, guard_binary, processes

pytestmark = [pytest.mark.attack, pytest.mark.engine]

REPORT = ("--on-violation", "report")
BUILD = ("build", "-j4")  # two build scripts at the same time, however many cores there are
COMPILE = (
    "printf 'int main(void) { return 0; }' > $OUT_DIR/probe.c && cc -o $OUT_DIR/probe $OUT_DIR/probe.c && "
    "cp $OUT_DIR/probe.c $TMPDIR/ && cc -o $TMPDIR/probe $TMPDIR/probe.c && "
    "$OUT_DIR/probe && $TMPDIR/probe && rm $OUT_DIR/probe"
)
DROP = "printf '#!/bin/sh\\nexit 0\\n' > $TMPDIR/dropped && chmod 755 $TMPDIR/dropped && $TMPDIR/dropped"

# Finding -> acts of the crate that does it and of its benign twin.
PAIRS: dict[str, tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]] = {
    "CS0101": (
        {"key": ("read", "{home}/.ssh/id_rsa"), "persist": ("append", "{home}/.profile", "x")},
        {"rc": ("read", "{home}/.profile"), "own": ("read", "{here}/credentials"), "list": ("list", "{home}")},
    ),
    "CS0102": (
        {"web": ("tcp", "192.0.2.1:443"), "name": ("resolve", "csbench.invalid")},
        {"own": ("own-server",), "localhost": ("resolve", "localhost"), "closed": ("tcp", "127.0.0.1:1")},
    ),
    "CS0103": (
        {"home": ("put", "{home}/csbench", "x"), "source": ("append", "{here}/../csbench-cs0101/src/lib.rs", "x")},
        {"out": ("put", "{out}/x", "x"), "tmp": ("put", "{tmp}/x", "x"), "bare": ("put", "/tmp/csbench-bare", "x")},
    ),
    "CS0104": (
        {"drop": ("run", "/bin/sh", "-c", DROP)},
        {
            "compile": ("run", "/bin/sh", "-c", COMPILE),
            "source": ("run", "/bin/sh", "-c", "echo exit 0 > $TMPDIR/s; . $TMPDIR/s"),
        },
    ),
    "CS0105": (
        {"daemon": ("daemon", "csbench-left", "sleep 2.5")},
        {
            "waited": ("run", "/bin/sh", "-c", "sleep 0.2 & wait"),
            "quick": ("daemon", "csbench-quick", "true"),
            "pause": ("sleep", "200"),
        },
    ),
    "CS0106": (
        {"mount": CALLS["mount"].act(), "bpf": CALLS["bpf"].act()},
        {
            "name": ("call", str(numbers()["prctl"]), "15", "str:csbench"),
            "persona": ("call", str(numbers()["personality"]), str(0xFFFFFFFF)),
            "memory": ("call", str(numbers()["memfd_create"]), "str:csbench", "0"),
            "own-child": ("run", "/bin/sh", "-c", "sleep 2 & kill $!; wait"),
            "unix": ("call", str(numbers()["socket"]), "1", "1", "0"),
            "pipe": ("run", "/bin/sh", "-c", "mkfifo $OUT_DIR/pipe && chmod 600 $OUT_DIR/pipe"),
        },
    ),
}


def crate(code: str, twin: bool) -> str:
    return f"csbench-{code.lower()}{'-twin' if twin else ''}"


def workspace(lab: Lab, twin: bool) -> Project:
    names = [crate(code, twin) for code in PAIRS]
    files = application(*names) | actor_source()
    for name in names:
        files |= actor_script(name) | {f"{name}/credentials": "csbench, not a secret"}
    project = lab.project(files)
    for code, pair in PAIRS.items():
        acts = {
            key: tuple(word.replace("{home}", str(project.home)) for word in words) for key, words in pair[twin].items()
        }
        project.write({f"{crate(code, twin)}/acts": acts_file(acts)})
    return project


@pytest.fixture(scope="module")
def bad(lab: Lab) -> Attack:
    return Attack(build(workspace(lab, False), guard_binary(), "build", options=(*REPORT, "--deny", "never")))


@pytest.fixture(scope="module")
def good(lab: Lab) -> Attack:
    return Attack(build(workspace(lab, True), guard_binary(), "build"))


@pytest.mark.parametrize("code", PAIRS)
def test_a_crate_that_does_it_is_found_and_nobody_else_is(bad: Attack, code: str) -> None:
    assert bad.done.code == 0, bad.done.shown
    found = [entry for entry in bad.run.acts() if entry["package"] == crate(code, False)]
    assert {entry["code"] for entry in found} == {code}
    assert {entry["role"] for entry in found} == {"script"} and {entry["version"] for entry in found} == {"0.1.0"}
    for entry in found:
        assert entry["severity"] in ("high", "critical") and entry["help"] and entry["detail"]
        assert entry["events"] or code == "CS0105"
    assert f"csbench-{code.lower()}" in bad.done.stderr, "and it is shown"


def test_the_finding_names_the_chain_of_dependencies_and_the_next_command(bad: Attack) -> None:
    assert "csbench-app" in bad.done.stderr and "explain" in bad.done.stderr, bad.done.shown


@pytest.mark.parametrize("code", PAIRS)
def test_its_benign_twin_is_left_alone(good: Attack, code: str) -> None:
    found = [entry for entry in good.run.findings() if entry["package"] == crate(code, True)]
    assert found == []
    unit = good.unit_record("script", crate(code, True))
    told = outcomes("\n".join(unit["end"]["directives"]))
    assert set(told) == set(PAIRS[code][1])
    refused = {name: text for name, text in told.items() if not text.startswith("ok")}
    assert refused.keys() <= {"closed"}, refused
    assert not [text for text in told.values() if "exit status: " in text and "exit status: 0" not in text], told


def test_the_twins_together_are_clean_in_one_quiet_line(good: Attack) -> None:
    assert good.done.code == 0 and good.run.result["verdict"] == "clean", good.done.shown
    assert good.done.stderr.rstrip().splitlines()[-1].startswith("Sandbox clean:"), good.done.shown


@pytest.fixture
def pair(lab: Lab) -> Iterator[Project]:
    """A crate that acts at once and one that takes its time."""
    names = ("csbench-fast", "csbench-slow")
    files = application(*names) | actor_source() | actor_script(names[0]) | actor_script(names[1])
    yield lab.project(files)


WEB = "web\ttcp\t192.0.2.1:80\n"
SLOW = "sleep\tsleep\t2500\nlate\tread\t/etc/csbench-late\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 120),
        (("--deny", "medium"), 120),
        (("--deny", "critical"), 0),
        (("--deny", "never"), 0),
    ],
    ids=["default", "medium", "critical", "never"],
)
def test_the_exit_code_follows_the_threshold(pair: Project, options: tuple[str, ...], code: int) -> None:
    pair.write({"csbench-fast/acts": WEB})
    done = build(pair, guard_binary(), *BUILD, options=(*REPORT, *options))
    assert done.code == code, done.shown
    assert done.run.result["cargo_code"] == 0 and done.run.result["verdict"] == "violation"
    assert (pair.target / "debug/csbench-app").is_file()


def test_cargos_own_failure_keeps_its_code_when_findings_are_tolerated(pair: Project) -> None:
    pair.write({"csbench-fast/acts": WEB, "src/main.rs": "fn main() { nonsense }"})
    assert build(pair, guard_binary(), *BUILD, options=(*REPORT, "--deny", "never")).code == 101
    assert build(pair, guard_binary(), *BUILD, options=REPORT).code == 120


@core
def test_a_violation_stops_the_build_at_once_and_nothing_is_left_running(pair: Project) -> None:
    warm = build(pair, guard_binary(), *BUILD)
    assert warm.code == 0, warm.shown
    pair.write({"csbench-fast/acts": WEB, "csbench-slow/acts": SLOW})
    done = build(pair, guard_binary(), *BUILD)
    assert done.code == 120, done.shown
    assert "stopped" in done.run.result["stopped"] and "csbench-fast" in done.run.result["stopped"]
    assert not [event for event in done.run.events("open") if event["path"] == "/etc/csbench-late"]
    assert [entry["code"] for entry in done.run.acts()] == ["CS0102"]
    assert {entry["package"] for entry in done.run.findings()} == {"csbench-fast"}
    assert not processes(str(pair.dir))
    # A medium finding lets the build go on.
    pair.write({"csbench-fast/acts": f"dumpable\tcall\t{numbers()['prctl']}\t4\t0\n", "csbench-slow/acts": ""})
    mild = build(pair, guard_binary(), *BUILD)
    assert mild.code == 0 and mild.run.result["verdict"] == "drift", mild.shown


def test_a_flood_of_writes_does_not_hide_what_comes_after_it(pair: Project) -> None:
    acts = {
        "flood": ("many", "60000", "{out}/flood"),
        "key": ("read", f"{pair.home}/.ssh/id_ed25519"),
        "web": ("tcp", "192.0.2.1:80"),
        "outside": ("put", f"{pair.home}/csbench", "x"),
        "call": CALLS["bpf"].act(),
    }
    pair.write({"csbench-fast/acts": acts_file(acts)})
    done = build(pair, guard_binary(), *BUILD, options=REPORT)
    assert done.code == 120
    assert {"CS0101", "CS0102", "CS0103", "CS0106"} <= {entry["code"] for entry in done.run.findings()}
    complete = done.run.result["completeness"]
    assert complete["seen"] >= 60000 and complete["lost"] == 0 and complete["reasons"] == []
    assert done.run.events("flood"), "and the flood itself is told"


def test_a_decoy_that_is_reached_by_another_path_is_still_a_decoy(pair: Project) -> None:
    home = str(pair.home)
    ways = {
        "link": ("run", "/bin/sh", "-c", f"ln -s {home}/.ssh $OUT_DIR/link && cat $OUT_DIR/link/id_rsa"),
        "link-file": ("run", "/bin/sh", "-c", f"ln -s {home}/.netrc $OUT_DIR/netrc && cat $OUT_DIR/netrc"),
        "proc-root": ("read", f"/proc/self/root{home}/.aws/credentials"),
        "proc-cwd": ("run", "/bin/sh", "-c", f"cd {home}/.docker && cat /proc/self/cwd/config.json"),
        "cwd": ("run", "/bin/sh", "-c", f"cd {home} && cat .npmrc"),
        "dots": ("read", f"{home}/.config/../.config/./gh//hosts.yml"),
        "descriptor": ("run", "/bin/sh", "-c", f"exec 9< {home}/.kube && cat /proc/self/fd/9/config"),
    }
    pair.write({"csbench-fast/acts": acts_file(ways)})
    done = build(pair, guard_binary(), *BUILD, options=(*REPORT, "--deny", "never"))
    found = {entry["subject"].removeprefix(home + "/") for entry in done.run.findings("CS0101")}
    wanted = {
        ".ssh/id_rsa",
        ".netrc",
        ".aws/credentials",
        ".docker/config.json",
        ".npmrc",
        ".config/gh/hosts.yml",
        ".kube/config",
    }
    assert found == wanted, f"missed: {sorted(wanted - found)}"


def test_what_one_unit_leaves_in_scratch_space_for_another_is_found(pair: Project) -> None:
    drop = "printf '#!/bin/sh\\n' > /tmp/csbench-shared && chmod 755 /tmp/csbench-shared"
    wait = "for i in 1 2 3 4 5 6 7 8 9 10; do [ -x /tmp/csbench-shared ] && exec /tmp/csbench-shared; sleep 0.2; done"
    pair.write(
        {
            "csbench-fast/acts": acts_file({"drop": ("run", "/bin/sh", "-c", drop)}),
            "csbench-slow/acts": acts_file({"use": ("run", "/bin/sh", "-c", wait)}),
        }
    )
    done = build(pair, guard_binary(), *BUILD, options=REPORT)
    found = [entry for entry in done.run.findings("CS0104") if entry["package"] == "csbench-slow"]
    assert found and "csbench-fast" in found[0]["detail"], done.shown


def test_one_unit_cannot_write_into_the_scratch_folder_of_another(pair: Project, breakable_guard: Path) -> None:
    attack = (
        "for i in 1 2 3 4 5 6 7 8 9 10; do for d in $(dirname $TMPDIR)/cs-*; do "
        "[ -e $d/mine-slow ] && { echo evil > $d/mine-slow && echo TAMPERED; exit; }; done; sleep 0.1; done"
    )
    hold = "echo good > $TMPDIR/mine-slow; sleep 1.5; cat $TMPDIR/mine-slow"
    pair.write(
        {
            "csbench-fast/acts": acts_file({"tamper": ("run", "/bin/sh", "-c", attack)}),
            "csbench-slow/acts": acts_file({"hold": ("run", "/bin/sh", "-c", hold)}),
        }
    )
    done = Attack(build(pair, guard_binary(), *BUILD, options=(*REPORT, "--deny", "never")))
    assert "good" in done.told("csbench-slow")["hold"], done.told("csbench-fast")
    assert "TAMPERED" not in done.told("csbench-fast")["tamper"]
    fallen = build(pair, breakable_guard, *BUILD, removed=("landlock",), options=(*REPORT, "--deny", "never"))
    assert "evil" in Attack(fallen).told("csbench-slow")["hold"], fallen.shown


def test_a_program_that_the_recorder_cannot_look_into_does_not_run(pair: Project, breakable_guard: Path) -> None:
    """A program without read permission is not dumpable: its memory, and so its arguments, would be out of sight."""
    hidden = f"cp /bin/cat $OUT_DIR/hidden && chmod 0111 $OUT_DIR/hidden && $OUT_DIR/hidden {pair.home}/.ssh/id_rsa"
    pair.write({"csbench-fast/acts": acts_file({"hidden": ("run", "/bin/sh", "-c", hidden)})})
    done = Attack(build(pair, guard_binary(), *BUILD, options=(*REPORT, "--deny", "never")))
    assert "PRIVATE KEY" not in done.told("csbench-fast")["hidden"], done.told("csbench-fast")
    assert done.run.result["verdict"] != "clean" and done.run.findings(), done.done.shown
    open_ = build(pair, breakable_guard, *BUILD, removed=("deny",), options=(*REPORT, "--deny", "never"))
    assert "PRIVATE KEY" in Attack(open_).told("csbench-fast")["hidden"], open_.shown


def test_strange_names_are_recorded_and_shown_without_harm(pair: Project, engine: str) -> None:
    names = {
        "escape": ("put", "/etc/csbench-\x1b]0;title\x07\x1b[2J", "x"),
        "bidi": ("put", "/etc/csbench-\u202etxt.exe", "x"),
        "bytes": ("run", "/bin/sh", "-c", ': > "$(printf "/etc/csbench-\\377")"'),
        "newline": ("run", "/bin/sh", "-c", ': > "$(printf "/etc/csbench-a\\nb")"'),
        "long": ("read", "/etc/" + "x" * 4000),
        "too-long": ("read", "/etc/" + "x/" * 4000),
        "no-address": ("call", str(numbers()["openat"]), "-100", "1", "0"),
    }
    pair.write({"csbench-fast/acts": acts_file(names)})
    done = Attack(build(pair, guard_binary(), *BUILD, options=REPORT))
    told = done.told("csbench-fast")
    # How long a name may be is the file system's to say; of an image with layers it may be one that says otherwise.
    assert told["long"] == "ENAMETOOLONG" or (engine, told["long"]) == ("docker", "ENOENT")
    assert (told["too-long"], told["no-address"]) == ("ENAMETOOLONG", "EFAULT")
    paths = [event["path"] for event in done.select(outcome="denied") if "csbench-" in str(raw(event["path"]))]
    kept = {raw(path) for path in paths}
    assert b"/etc/csbench-\xff" in kept and b"/etc/csbench-a\nb" in kept and len(kept) == 4, kept
    assert {"b64"} == {key for path in paths if isinstance(path, dict) for key in path}
    assert not set(done.done.stderr) & set("\x1b\x07\u202e"), "nothing reaches the terminal raw"
    assert len(done.run.findings("CS0103")) == 4
    assert done.run.result["completeness"]["reasons"] == [], "what the kernel can't read either is no hole"


def test_a_write_into_the_own_sources_is_mild_only_where_it_changes_nothing_else(pair: Project) -> None:
    own, other = f"{pair.dir}/csbench-fast", f"{pair.dir}/csbench-slow"
    mild = {"source": ("put", f"{own}/src/generated.rs", "x"), "folder": ("mkdir", f"{own}/generated")}
    pair.write({"csbench-fast/acts": acts_file(mild), f"{other}/src/keep": ""})
    done = build(pair, guard_binary(), *BUILD)
    assert done.code == 0 and {entry["code"] for entry in done.run.findings()} == {"CS0113"}, done.shown
    grave = {
        "hook": ("put", f"{own}/.git/hooks/pre-commit", "x"),
        "config": ("put", f"{own}/.cargo/config.toml", "x"),
        "link": ("symlink", f"{own}/src/x", "/etc/csbench-link"),
        "take": ("rename", f"{other}/src/lib.rs", f"{own}/src/taken.rs"),
        "give": ("rename", "{out}/mine", f"{pair.home}/.bashrc"),
    }
    pair.write({"csbench-fast/.git/hooks/keep": "", "csbench-fast/.cargo/keep": ""})
    pair.write({"csbench-fast/acts": acts_file({"mine": ("put", "{out}/mine", "x"), **grave})})
    done = build(pair, guard_binary(), *BUILD, options=REPORT)
    found = {(entry["code"], entry["subject"].removeprefix(str(pair.home))) for entry in done.run.acts()}
    assert found == {
        ("CS0103", "/ws/csbench-fast/.git/hooks/pre-commit"),
        ("CS0103", "/ws/csbench-fast/.cargo/config.toml"),
        ("CS0103", "/etc/csbench-link"),
        ("CS0103", "/ws/csbench-fast/src/taken.rs"),
        ("CS0101", "/.bashrc"),
    }


@core
@pytest.mark.parametrize("through", ["csbench-macro", "csbench-facade"])
def test_a_macro_that_starts_a_shell_is_found_also_where_another_crate_hands_it_on(lab: Lab, through: str) -> None:
    """rustc's command line then names no macro, as with those of serde, tokio and clap."""

    def manifest(name: str, more: str) -> str:
        return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n{more}'

    macro = (
        "#[proc_macro]\npub fn act(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n"
        '    assert!(std::process::Command::new("/bin/sh").args(["-c", "true"]).status().unwrap().success());\n'
        "    Default::default()\n}\n"
    )
    project = lab.project(
        {
            "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["csbench-macro", "csbench-facade", "csbench-app"]\n',
            "csbench-macro/Cargo.toml": manifest("csbench-macro", "[lib]\nproc-macro = true\n"),
            "csbench-macro/src/lib.rs": macro,
            "csbench-facade/Cargo.toml": manifest(
                "csbench-facade", '[dependencies]\ncsbench-macro = { path = "../csbench-macro" }\n'
            ),
            "csbench-facade/src/lib.rs": "pub use csbench_macro::act;\n",
            "csbench-app/Cargo.toml": manifest(
                "csbench-app", f'[dependencies]\n{through} = {{ path = "../{through}" }}\n'
            ),
            "csbench-app/src/lib.rs": f"{through.replace('-', '_')}::act!();\n",
        }
    )
    done = build(project, guard_binary(), "build", options=REPORT)
    assert done.run.result["cargo_code"] == 0, done.shown
    (shell,) = done.run.findings("CS0262")
    assert (shell["package"], shell["role"], shell["severity"]) == ("csbench-app", "rustc", "high")
