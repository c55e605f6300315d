"""Build scripts and procedural macros do what they do without a sandbox, and the record says whose act was whose."""

from __future__ import annotations

import os

import pytest

from sandbox.trace.events import raw
from tests.engine.compare import same
from tests.engine.crates import KITCHEN, binary, manifest, scripted
from tests.engines import core
from tests.harness import Lab, Run, sandboxed

pytestmark = pytest.mark.engine


def programs(run: Run, unit: str) -> set[str]:
    """Names of the programs that were executed in a unit."""
    return {str(event["path"]).rpartition("/")[2] for event in run.events("exec", unit)}


@core
def test_each_act_of_a_build_is_charged_to_its_unit(lab: Lab) -> None:
    done = sandboxed(lab.project(KITCHEN), "run", "-j2")
    run = done.run
    assert run.result["verdict"] == "clean", done.shown
    assert not run.findings()

    compiled = sorted(f"{unit['package']} {unit['crate']}" for unit in run.units("rustc"))
    assert compiled == [
        "app app", "derive derive", "middle build_script_build", "middle middle",
        "native-sys build_script_build", "native-sys native_sys",
    ]  # fmt: skip
    native, middle = (run.units("script", package)[0] for package in ("native-sys", "middle"))
    assert len(run.units("script")) == 2
    assert (native["version"], native["end"]["status"], native["end"]["survivors"]) == ("0.1.0", 0, [])
    assert {"cc", "ar", "as"} <= programs(run, native["unit"])
    assert "rustc" in programs(run, middle["unit"])
    assert not {"cc", "ar"} & programs(run, middle["unit"])
    assert "cargo::rustc-link-lib=static=answer" in native["end"]["directives"]
    assert "cargo::rustc-env=MIDDLE_WORDS=from the script" in middle["end"]["directives"]

    written = [event["path"] for event in run.events("open", middle["unit"]) if event["access"] == "write"]
    assert any(path.endswith("/generated.rs") for path in written)
    user = next(unit for unit in run.units("rustc", "middle") if unit["crate"] == "middle")
    assert [path.rpartition("/")[2].partition("-")[0] for path in user["macros"]] == ["libderive"]
    program = run.units("program")[0]
    assert program["exe"].endswith("target/debug/app")
    assert {unit["unit"] for unit in run.units()} >= {event["unit"] for event in run.events()}


_FORKS = """\
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let script = "i=0; while [ $i -lt 3000 ]; do (exit 0) & i=$((i+1)); done; wait; echo $i";
    let done = std::process::Command::new("/bin/sh").args(["-c", script]).output().unwrap();
    assert!(done.status.success() && done.stdout == b"3000\\n", "{done:?}");
}
"""


@core
def test_a_shell_that_is_told_of_its_childrens_ends_forks_undisturbed(lab: Lab) -> None:
    """The end of a child interrupts a call that waits for an answer; dash has no second try for a fork."""
    done = sandboxed(lab.project(scripted(_FORKS)), "build")
    assert done.code == 0 and done.run.result["verdict"] == "clean", done.shown


def test_the_counters_of_a_clean_run_add_up(lab: Lab) -> None:
    run = sandboxed(lab.project(KITCHEN), "build").run
    complete = run.result["completeness"]
    events = run.events()
    assert (complete["unreadable"], complete["lost"], complete["reasons"]) == (0, 0, [])
    assert complete["listed"] == len(events)
    assert complete["seen"] == complete["listed"] + complete["quiet"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_a_failing_script_fails_as_by_cargo_and_shows_what_it_said(lab: Lab) -> None:
    script = (
        'fn main() { println!("cargo::warning=careful"); println!("cargo::error=no such library");'
        ' eprintln!("the reason"); std::process::exit(3) }'
    )
    done = same(lab.project(scripted(script)), "build")
    assert done.code == 101
    for words in ("exit status: 3", "the reason", "careful", "no such library"):
        assert words in done.stderr


def test_a_script_that_a_signal_ends_fails_as_by_cargo(lab: Lab) -> None:
    done = same(lab.project(scripted("fn main() { std::process::abort() }")), "build")
    assert done.code == 101
    assert "signal: 6, SIGABRT" in done.stderr
    assert done.units("script")[0]["end"]["signal"] == 6


def test_warnings_of_scripts_are_shown_each_time(lab: Lab) -> None:
    project = lab.project(scripted('fn main() { println!("cargo::warning=look here"); }'))
    assert "warning: app@0.1.0: look here" in same(project, "build", fresh_after=True).stderr
    assert "warning: app@0.1.0: look here" in sandboxed(project, "build").stderr


def test_a_script_of_another_name_and_place_is_a_script_too(lab: Lab) -> None:
    files = binary(main='fn main() { println!("{}", env!("SET")); }', more='build = "tools/make.rs"\n')
    files["tools/make.rs"] = 'fn main() { println!("cargo::rustc-env=SET=here"); }'
    done = same(lab.project(files), "run", fresh_after=True)
    assert done.out == b"here\n"
    assert [unit["package"] for unit in done.units("script")] == ["app"]


def test_a_script_sees_the_folders_and_streams_that_cargo_promises(lab: Lab) -> None:
    script = """\
use std::{env, fs, io::Read, path::Path};
fn main() {
    let out = env::var("OUT_DIR").unwrap();
    assert_eq!(env::current_dir().unwrap(), Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()));
    fs::create_dir_all(format!("{out}/a/b")).unwrap();
    fs::write(format!("{out}/a/b/c"), "x").unwrap();
    fs::rename(format!("{out}/a/b/c"), format!("{out}/d")).unwrap();
    fs::hard_link(format!("{out}/d"), format!("{out}/e")).unwrap();
    std::os::unix::fs::symlink("d", format!("{out}/f")).unwrap();
    fs::remove_dir_all(format!("{out}/a")).unwrap();
    let scratch = env::temp_dir().join(format!("csbench-{}", std::process::id()));
    fs::write(&scratch, "y").unwrap();
    fs::remove_file(&scratch).unwrap();
    let mut input = String::new();
    assert_eq!(std::io::stdin().read_to_string(&mut input).unwrap(), 0);
    let exe = env::current_exe().unwrap();
    assert!(exe.is_file(), "{exe:?}");
    assert_eq!(env::args().count(), 1);
    assert!(env::args().next().unwrap().contains("build-script-build"));
    println!("cargo::rustc-env=WRITTEN={}", fs::read_to_string(format!("{out}/f")).unwrap());
}
"""
    project = lab.project(scripted(script, 'fn main() { println!("{}", env!("WRITTEN")); }'))
    done = same(project, "run", fresh_after=True)
    assert done.out == b"x\n"
    assert not done.run.findings()


def test_files_whose_names_are_no_text_are_no_obstacle(lab: Lab, engine: str) -> None:
    script = """\
use std::{env, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};
fn main() {
    let name = OsStr::from_bytes(b"in\\xff\\nput");
    fs::copy(name, Path::new(&env::var_os("OUT_DIR").unwrap()).join(name)).unwrap();
    println!("cargo::rerun-if-changed=build.rs");
}
"""
    project = lab.project(scripted(script))
    (project.dir / os.fsdecode(b"in\xff\nput")).write_text("input")
    secret = project.dir / os.fsdecode(b".env.\xfe")
    secret.write_text("SECRET=1")
    if engine == "docker":
        refused = sandboxed(project, "build")
        assert refused.code == 121 and "can't be named to the Docker daemon" in refused.stderr, refused.shown
        secret.unlink()
    done = same(project, "build", fresh_after=True)
    assert done.code == 0
    unit = done.units("script")[0]
    assert [raw(output["path"]).rpartition(b"/")[2] for output in unit["end"]["outputs"]] == [b"in\xff\nput"]
    assert any(raw(event["path"]).endswith(b"/in\xff\nput") for event in done.run.events("open", unit["unit"]))


def test_the_jobserver_of_cargo_reaches_scripts_and_their_children(lab: Lab) -> None:
    script = """\
use std::{env, process::Command};
fn main() {
    let flags = env::var("CARGO_MAKEFLAGS").unwrap();
    let done = Command::new("make").args(["-f", "rules", "all"]).env("MAKEFLAGS", &flags)
        .env("OUT", env::var("OUT_DIR").unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(!said.contains("jobserver unavailable"), "{said}");
}
"""
    rules = "all: a b\na b:\n\t@echo $@ > $(OUT)/$@\n"
    assert same(lab.project(scripted(script) | {"rules": rules}), "build", "-j2").code == 0


def test_a_cargo_within_a_script_works_and_stays_in_its_unit(lab: Lab) -> None:
    script = """\
use std::{env, process::Command};
fn main() {
    let out = env::var("OUT_DIR").unwrap();
    let done = Command::new(env::var("CARGO").unwrap())
        .args(["build", "--manifest-path", "inner/Cargo.toml", "--target-dir"]).arg(format!("{out}/inner"))
        .env_remove("CARGO_BUILD_BUILD_DIR").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = Command::new(format!("{out}/inner/debug/inner")).output().unwrap().stdout;
    println!("cargo::rustc-env=SAID={}", String::from_utf8(said).unwrap().trim());
    println!("cargo::rerun-if-changed=build.rs");
}
"""
    inner = {f"inner/{name}": content for name, content in binary("inner").items()}
    inner["inner/Cargo.toml"] += "\n[workspace]\n"
    inner["inner/Cargo.lock"] = 'version = 4\n\n[[package]]\nname = "inner"\nversion = "0.1.0"\n'
    project = lab.project(scripted(script, 'fn main() { println!("{}", env!("SAID")); }') | inner)
    done = same(project, "run", fresh_after=True)
    assert done.out == b"hello\n"
    assert {unit.get("package") for unit in done.units("rustc")} == {"app"}


def test_a_macro_may_read_files_of_its_user_and_panics_are_errors(lab: Lab) -> None:
    project = lab.project(
        {
            "Cargo.toml": manifest("app", '\n[dependencies]\nembed = { path = "embed" }\n'),
            "src/main.rs": 'fn main() { println!("{}", embed::file!("words.txt")); }',
            "words.txt": "embedded",
            "embed/Cargo.toml": manifest("embed", "\n[lib]\nproc-macro = true\n"),
            "embed/src/lib.rs": """\
use proc_macro::TokenStream;
#[proc_macro]
pub fn file(item: TokenStream) -> TokenStream {
    let name = item.to_string();
    let path = format!("{}/{}", std::env::var("CARGO_MANIFEST_DIR").unwrap(), name.trim_matches('"'));
    format!("{:?}", std::fs::read_to_string(path).expect("no such file")).parse().unwrap()
}
""",
        }
    )
    assert same(project, "run", fresh_after=True).out == b"embedded\n"
    project.write({"src/main.rs": 'fn main() { println!("{}", embed::file!("none.txt")); }'})
    failed = same(project, "build")
    assert failed.code == 101
    assert "proc macro panicked" in failed.stderr
