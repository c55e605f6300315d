"""Configuration files, toolchain files and variables are honoured in the sandbox as without."""

from __future__ import annotations

import pytest

from tests.engine.compare import same
from tests.engine.crates import PAIR, binary, library, manifest, scripted
from tests.harness import Lab, has_rustup, host_triple, sandboxed, sysroot

pytestmark = pytest.mark.engine

SHOWS = """\
fn main() {
    println!("{:?} {:?} {:?}", option_env!("FROM_HOME"), option_env!("FROM_TOP"), option_env!("FROM_MEMBER"));
    println!("{} {}", cfg!(flag_of_the_top), std::env::var("FROM_TOP").unwrap_or_default());
}
"""


def test_configuration_files_of_all_levels_are_merged(lab: Lab) -> None:
    project = lab.project(
        {
            "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["app"]\n',
            "app/Cargo.toml": manifest("app"),
            "app/src/main.rs": SHOWS,
            "~/.cargo/config.toml": "[env]\nFROM_HOME = 'home'\nFROM_TOP = 'overruled'\n",
            ".cargo/config.toml": "[env]\nFROM_TOP = 'top'\n[build]\nrustflags = ['--cfg', 'flag_of_the_top']\n",
            "app/.cargo/config.toml": "[env]\nFROM_MEMBER = { value = 'data', relative = true, force = true }\n",
        }
    )
    top = same(project, "run")
    assert top.out == b'Some("home") Some("top") None\ntrue top\n'
    member = same(project, "run", cwd="app")
    assert member.out.startswith(b'Some("home") Some("top") Some("/')


def test_profiles_targets_and_runners_of_the_configuration_are_used(lab: Lab) -> None:
    triple = host_triple()
    project = lab.project(
        binary(main='fn main() { println!("{} {:?}", cfg!(debug_assertions), std::env::args().nth(1)); }')
        | {
            ".cargo/config.toml": (
                f"[build]\ntarget = '{triple}'\n[profile.dev]\ndebug-assertions = false\n"
                f"[target.{triple}]\nrunner = ['./runner', 'first']\nlinker = 'cc'\n"
            ),
            "runner*": '#!/bin/sh\necho "runner $1"\nshift\nexec "$@"\n',
        }
    )
    done = same(project, "run", "second", fresh_after=True)
    assert done.out == b'runner first\nfalse Some("second")\n'
    assert (project.target / triple / "debug/app").exists()


def test_a_cargo_home_elsewhere_is_used_and_its_configuration_too(lab: Lab) -> None:
    project = lab.project(binary(main=SHOWS) | {"~/own/config.toml": "[env]\nFROM_HOME = 'own'\n"})
    project.env["CARGO_HOME"] = str(project.path("~/own"))
    assert same(project, "run", fresh_after=True).out.startswith(b'Some("own") None')


@pytest.mark.parametrize("file", ["rust-toolchain.toml", "rust-toolchain"])
def test_a_toolchain_file_chooses_the_channel(lab: Lab, file: str) -> None:
    if not has_rustup():
        pytest.skip("nobody but rustup heeds such a file")
    names = sorted(path.name for path in sysroot().parent.iterdir() if path.name.endswith(host_triple()))[::-1]
    channel = next((name for name in names if name != sysroot().name), names[0]).removesuffix("-" + host_triple())
    script = (
        "use std::{env, process::Command};\nfn main() {\n"
        '    let said = Command::new(env::var("RUSTC").unwrap()).arg("-V").output().unwrap().stdout;\n'
        '    println!("cargo::rustc-env=VERSION={}", String::from_utf8(said).unwrap().trim());\n}\n'
    )
    files = scripted(script, 'fn main() { println!("{}", env!("VERSION")); }')
    text = f'[toolchain]\nchannel = "{channel}"\n' if file.endswith(".toml") else f"{channel}\n"
    done = same(lab.project(files | {file: text}), "run")
    assert done.out.startswith(b"rustc ")


WRAPPER = '#!/bin/sh\nexec "$@" --cfg {}\n'
SHOWS_WRAPPERS = """\
#![allow(unexpected_cfgs)]
pub const WRAPPED: (bool, bool) = (cfg!(by_wrapper), cfg!(by_members_wrapper));
"""


@pytest.mark.parametrize("how", ["file", "variable", "argument"])
def test_the_users_own_compiler_wrapper_is_called_inside(lab: Lab, how: str) -> None:
    project = lab.project(
        binary(main=SHOWS_WRAPPERS + 'fn main() { println!("{:?}", WRAPPED); }')
        | {"tools/wrap*": WRAPPER.format("by_wrapper")}
    )
    arguments, env = [], {}
    if how == "file":
        project.write({".cargo/config.toml": "[build]\nrustc-wrapper = 'tools/wrap'\n"})
    elif how == "variable":
        env = {"RUSTC_WRAPPER": str(project.path("tools/wrap"))}
    else:
        arguments = ["--config", "build.rustc-wrapper='tools/wrap'"]
    assert same(project, "run", *arguments, env=env, fresh_after=how == "file").out == b"(true, false)\n"


def test_a_wrapper_for_members_is_called_for_members_only(lab: Lab) -> None:
    files = PAIR | {
        "app/src/main.rs": SHOWS_WRAPPERS + 'fn main() { println!("{:?} {:?}", WRAPPED, other::WRAPPED); }',
        "app/Cargo.toml": manifest("app", '\n[dependencies]\nother = { path = "../../other" }\n'),
        "~/other/Cargo.toml": manifest("other"),
        "~/other/src/lib.rs": SHOWS_WRAPPERS,
        "tools/wrap*": WRAPPER.format("by_wrapper"),
        "tools/members*": WRAPPER.format("by_members_wrapper"),
        ".cargo/config.toml": "[build]\nrustc-wrapper = 'tools/wrap'\nrustc-workspace-wrapper = 'tools/members'\n",
    }
    done = same(lab.project(files), "run", "-j1", "-p", "app")
    assert done.out == b"(true, true) (true, false)\n"


def test_lints_edition_and_inherited_keys_of_a_workspace_hold(lab: Lab) -> None:
    project = lab.project(
        {
            "Cargo.toml": (
                '[workspace]\nresolver = "2"\nmembers = ["a"]\n'
                '[workspace.package]\nversion = "3.2.1"\nedition = "2021"\n'
                "[workspace.lints.rust]\nunused_variables = 'deny'\n"
            ),
            "a/Cargo.toml": '[package]\nname = "a"\nversion.workspace = true\nedition.workspace = true\n'
            "[lints]\nworkspace = true\n",
            "a/src/main.rs": 'fn main() { println!(env!("CARGO_PKG_VERSION")); }',
        }
    )
    assert same(project, "run").out == b"3.2.1\n"
    project.write({"a/src/main.rs": "fn main() { let unused = 1; }"})
    assert same(project, "run").code == 101


def test_rustdoc_flags_and_document_features_are_passed_on(lab: Lab) -> None:
    project = lab.project(library() | {"head.html": "<!-- from the head -->"})
    done = same(project, "doc", "--no-deps", env={"RUSTDOCFLAGS": "--html-in-header head.html"})
    assert done.code == 0
    assert "from the head" in (project.target / "doc/lib/index.html").read_text()


def test_a_key_that_cargo_does_not_know_is_warned_of_and_no_more(lab: Lab) -> None:
    project = lab.project(binary() | {".cargo/config.toml": "[surprise]\nkey = 1\n[alias]\nbuild = 'run'\n"})
    assert sandboxed(project, "build").code == 0
    assert same(project, "build", stderr=False).code == 0
