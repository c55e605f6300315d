"""Cargo's options mean in the sandbox what they mean without."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.engine.compare import BUILD_DIR, same, words
from tests.engine.crates import KITCHEN, PAIR, binary, library, manifest, scripted
from tests.engines import core, once
from tests.harness import Lab, has_rustup, host_triple, plain, sandboxed, sysroot

pytestmark = pytest.mark.engine

OPTIONS = PAIR | {
    "Cargo.toml": PAIR["Cargo.toml"] + "\n[profile.tuned]\ninherits = 'release'\nlto = 'thin'\n",
    "more.toml": "[build]\nrustflags = ['--cfg', 'from_a_file']\n",
}


GENERATES = scripted(
    'fn main() { std::fs::write(std::env::var("OUT_DIR").unwrap() + "/made", "made").unwrap(); }',
    'fn main() { println!("{}", include_str!(concat!(env!("OUT_DIR"), "/made"))); }',
)


@pytest.mark.parametrize(
    "arguments",
    [
        "build -p low",
        "run --features low/extra",
        "check --workspace --exclude app --all-features",
        "check --all-targets --keep-going",
        "run --release",
        "run --profile tuned",
        "check -qp low",
        "check --color always -p low",
        "check --color=never -p low",
        "check --config build.rustflags=['--cfg','by_hand'] -p low",
        "check --config more.toml -p low",
        "check --manifest-path low/Cargo.toml",
        "check --message-format short -p low",
        "-q check -p low",
    ],
)
def test_an_option_is_understood_as_cargo_does(lab: Lab, arguments: str) -> None:
    assert same(lab.project(OPTIONS), *arguments.split(), "-j1").code == 0


def test_verbose_shows_the_commands_of_cargo_and_the_output_of_scripts(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    for option in ("-v", "-vv"):
        project.remove("target")
        cargo = plain(project, "build", option, "-j1")
        project.remove("target")
        ours = sandboxed(project, "build", option, "-j1")
        # The guard stands before the compiler, as any wrapper would, and that is found on PATH; nothing else differs.
        said = words(ours.err).replace(b"/run/cargo-sandbox/guard ", b"")
        expected = words(cargo.err).replace(os.fsencode(sysroot() / "bin/rustc"), b"rustc")
        assert _VARIABLES.sub(b"`", said) == _VARIABLES.sub(b"`", expected)
        assert words(ours.out) == words(cargo.out)
    assert b"[native-sys 0.1.0] cargo::rustc-link-lib=static=answer\n" in ours.out


# -vv puts the variables of each command before it.
_VARIABLES = re.compile(rb"`(?:\w+=(?:'[^']*'|[^' ]*) )+")


def test_json_messages_are_cargos_byte_for_byte(lab: Lab) -> None:
    """All bytes but the place of intermediates, and those too when plain cargo is given the same build dir."""
    project = lab.project(KITCHEN)
    done = same(project, "build", "-j1", "--message-format", "json", fresh_after=False)
    assert BUILD_DIR.search(done.out)
    messages = [json.loads(line) for line in done.out.splitlines()]
    assert [message["reason"] for message in messages].count("compiler-artifact") == 6
    assert messages[-1] == {"reason": "build-finished", "success": True}
    finals = [message["executable"] for message in messages if message.get("executable")]
    assert finals == [str(project.target / "debug/app")]
    with_build_dir = plain(
        lab.project({}),
        "build", "-j1", "--message-format", "json", "--manifest-path", str(project.dir / "Cargo.toml"),
        env={"CARGO_BUILD_BUILD_DIR": str(project.build_dir)},
    )  # fmt: skip
    again = sandboxed(project, "build", "-j1", "--message-format", "json")
    assert again.out == with_build_dir.out
    assert {message.get("fresh", True) for message in map(json.loads, again.out.splitlines())} == {True}


def test_json_diagnostics_of_a_failing_build_are_cargos(lab: Lab) -> None:
    done = same(lab.project(binary(main="fn main() { let x: u8 = -1; }")), "check", "--message-format=json")
    assert done.code == 101
    assert b'"reason":"compiler-message"' in done.out


def test_a_target_triple_gets_its_folder_and_scripts_still_run(lab: Lab) -> None:
    project = lab.project(GENERATES)
    done = same(project, "run", "-j1", "--target", host_triple(), fresh_after=True)
    assert done.out == b"made\n"
    assert (project.target / host_triple() / "debug/app").exists()


def test_a_target_dir_may_lie_elsewhere_by_option_variable_or_configuration(lab: Lab) -> None:
    for arguments, env, config in (
        (["--target-dir", "../elsewhere"], {}, ""),
        ([], {"CARGO_TARGET_DIR": "../elsewhere"}, ""),
        ([], {}, "[build]\ntarget-dir = '../elsewhere'\n"),
    ):
        # The file's setting is handed to cargo as a whole path, which cargo then shows as such.
        shown = not config
        project = lab.project(binary() | ({".cargo/config.toml": config} if config else {}))
        elsewhere = project.home / "elsewhere"
        done = same(project, "run", *arguments, env=env, target=elsewhere, stderr=shown, fresh_after=shown)
        assert done.out == b"hello\n"
        assert (elsewhere / "debug/app").exists()
        assert not project.target.exists()


def test_a_sub_folder_is_as_good_as_the_root(lab: Lab) -> None:
    project = lab.project(OPTIONS)
    assert same(project, "check", "-j1", cwd="low/src").code == 0
    assert same(project, "run", "-j1", "--manifest-path", "../../app/Cargo.toml", cwd="low/src").out == b"usual\n"
    assert same(project, "check", "-j1", "--config", "../../more.toml", cwd="low/src").code == 0


def test_examples_tests_and_programs_can_be_chosen(lab: Lab) -> None:
    project = lab.project(library() | {"src/bin/one.rs": "fn main() {}", "src/bin/two.rs": "fn main() {}"})
    assert same(project, "build", "--bin", "two").code == 0
    assert same(project, "run", "--example", "sum").out == b"42\n"
    assert same(project, "test", "--lib", "--", "--exact", "tests::adds", "--nocapture").code == 0
    assert same(project, "run").code == 101


def test_the_number_of_jobs_reaches_scripts(lab: Lab) -> None:
    script = 'fn main() { println!("cargo::rustc-env=JOBS={}", std::env::var("NUM_JOBS").unwrap()); }'
    project = lab.project(scripted(script, 'fn main() { println!("{}", env!("JOBS")); }'))
    assert same(project, "run", "-j", "3").out == b"3\n"


@pytest.mark.parametrize("option", ["--locked", "--offline", "--frozen"])
def test_locked_and_offline_work_with_a_lock_file_and_refuse_as_cargo_does_without(lab: Lab, option: str) -> None:
    files = binary(more='\n[dependencies]\nlib = { path = "lib" }\n')
    project = lab.project(files | {f"lib/{name}": content for name, content in library().items()})
    done = same(project, "build", option, stderr=False)
    assert done.code == (0 if option == "--offline" else 101)
    assert plain(project, "generate-lockfile").code == 0
    assert same(project, "build", option, "-j1", fresh_after=option == "--frozen").code == 0


def test_another_toolchain_can_be_named(lab: Lab) -> None:
    names = sorted((path.name for path in sysroot().parent.iterdir()), reverse=True)
    other = next((name for name in names if name != sysroot().name and "nightly" in name), names[0])
    script = (
        "use std::{env, process::Command};\nfn main() {\n"
        '    let said = Command::new(env::var("RUSTC").unwrap()).arg("-V").output().unwrap().stdout;\n'
        '    println!("cargo::rustc-env=VERSION={}", String::from_utf8(said).unwrap().trim());\n}\n'
    )
    project = lab.project(scripted(script, 'fn main() { println!("{}", env!("VERSION")); }'))
    if has_rustup():
        assert same(project, f"+{other}", "run", fresh_after=True).out.startswith(b"rustc ")
    else:
        assert (plain(project, f"+{other}", "run").code, sandboxed(project, f"+{other}", "run").code) == (101, 121)


def test_a_toolchain_that_is_missing_is_named_with_the_remedy(lab: Lab) -> None:
    done = sandboxed(lab.project(binary()), "+1.2.3", "build")
    assert done.code == 121
    assert "1.2.3" in done.stderr
    assert ("rustup toolchain install" if has_rustup() else "needs rustup") in done.stderr


def test_the_variables_that_a_build_rightly_reads_are_passed_on(lab: Lab) -> None:
    project = lab.project(scripted(
        'fn main() { println!("cargo::rerun-if-env-changed=MY_SETTING");'
        ' println!("cargo::rustc-env=SET={}", std::env::var("MY_SETTING").unwrap_or_default()); }',
        'fn main() { println!("{} {}", env!("SET"), cfg!(by_flags)); }',
    ))  # fmt: skip
    env = {"RUSTFLAGS": "--cfg by_flags", "MY_SETTING": "seen"}
    assert same(project, "run", env=env, options=["--allow-env", "MY_SETTING"]).out == b"seen true\n"
    assert sandboxed(project, "run", env=env).out == b" true\n"


def test_nothing_but_our_last_line_is_added_and_quiet_takes_that_away(lab: Lab) -> None:
    project = lab.project(binary())
    assert sandboxed(project, "build", "-q").err == b""
    assert sandboxed(project, "build", options=["--quiet"]).stderr.count("\n") == 1


def test_a_path_of_blanks_and_other_letters_is_no_obstacle(lab: Lab) -> None:
    project = lab.project(GENERATES, name="my wörk 'space' $HOME")
    assert same(project, "run", fresh_after=True).out == b"made\n"


def test_a_project_may_be_entered_through_a_link(lab: Lab) -> None:
    project = lab.project(PAIR)
    (project.home / "link").symlink_to(project.dir)
    assert same(project, "run", "-j1", cwd="../link/app", fresh_after=True).code == 0
    direct = sandboxed(project, "run", "-j1", cwd="app")
    assert direct.run.built() == [], direct.shown


@core
def test_a_project_below_tmp_is_built_there(lab: Lab, tmp_path: Path) -> None:
    project = lab.project({})
    place = Path(os.path.realpath("/tmp"), f"cargo-sandbox-test-{os.getpid()}")
    project.dir = place
    try:
        project.write({"Cargo.toml": manifest("app"), "src/main.rs": 'fn main() { println!("hello"); }'})
        assert same(project, "run", fresh_after=True).out == b"hello\n"
    finally:
        project.remove(".")


@pytest.mark.parametrize(
    "arguments", [["build", "--no-such-option"], ["test", "--features"], ["clippy", "-x", "--", "-D"]]
)
def test_a_command_that_cargo_refuses_leaves_nothing_behind(lab: Lab, arguments: list[str]) -> None:
    project = lab.project(library())
    cargo, ours = plain(project, *arguments), sandboxed(project, *arguments)
    assert ours.code == cargo.code == 1, ours.shown
    assert cargo.err.splitlines()[0] in ours.err
    assert not project.path("Cargo.lock").exists() and not project.target.exists()


def test_arguments_of_a_program_are_not_taken_for_cargos(lab: Lab) -> None:
    project = lab.project(binary(main='fn main() { println!("{:?}", std::env::args().nth(1)); }'))
    assert sandboxed(project, "run", "--", "--no-such-option").out == b'Some("--no-such-option")\n'


def test_a_plan_makes_no_target_dir(lab: Lab) -> None:
    project = lab.project(library())
    shown = sandboxed(project, "plan", "build")
    assert shown.code == 0 and f"{project.build_dir}" in shown.stdout
    assert not project.target.exists()


def test_cargo_changes_the_directory_once(lab: Lab) -> None:
    project = lab.project({f"inner/{name}": text for name, text in library().items()})
    done = sandboxed(project, "-Zunstable-options", "-C", "inner", "check", env={"RUSTC_BOOTSTRAP": "1"})
    assert done.code == 0 and project.path("inner/target/debug").is_dir(), done.shown


def test_open_builds_and_opens_nothing_and_is_no_finding(lab: Lab) -> None:
    project = lab.project(library())
    done = sandboxed(project, "doc", "--open")
    assert done.code == 0 and "--open is left out" in done.stderr, done.shown
    assert (project.target / "doc/lib/index.html").is_file()


def test_an_option_of_ours_that_could_do_nothing_is_refused(lab: Lab) -> None:
    project = lab.project(library())
    for options in (["--allow-read", "/no/such/folder"], ["--allow-write", f"lib={project.home}"]):
        done = sandboxed(project, "build", options=options)
        assert done.code == 2 and options[0] in done.stderr and "help:" in done.stderr, done.shown


@once("chooses one itself")
def test_auto_takes_bubblewrap_and_says_why(lab: Lab) -> None:
    done = sandboxed(lab.project(binary()), "build", options=["--engine", "auto"])
    assert done.run.result["engine"] == "bubblewrap"
    assert done.run.header["versions"]["engine_reason"] == "it can put up every wall here"
