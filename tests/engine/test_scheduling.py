"""Compilers and scripts interrupt nobody (sched(7), SCHED_BATCH); the user's own programs are as cargo starts them."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.engine.crates import binary, manifest
from tests.harness import Lab, Project, sandboxed

pytestmark = pytest.mark.engine

# Field 41 of /proc/PID/stat, counted behind the name, which may have blanks (proc(5)).
POLICY = """\
fn policy(of: &str) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(38).unwrap().to_string()
}
"""
SCRIPT = """\
fn main() {
    let child = std::process::Command::new("sleep").arg("1").spawn().unwrap();
    println!("cargo:warning=script {} child {}", policy("self"), policy(&child.id().to_string()));
    child.wait_with_output().unwrap();
}
"""
MACRO = """\
#[proc_macro]
pub fn compiler(_: proc_macro::TokenStream) -> proc_macro::TokenStream { policy("self").parse().unwrap() }
"""
LIBRARY = (
    """\
/// ```
"""
    + "".join(f"/// {line}\n" for line in POLICY.splitlines())
    + """\
/// assert_eq!(policy("self"), "0");
/// ```
pub fn documented() {}
#[cfg(test)]
mod tests {
    #[test]
    fn tells() { assert_eq!(crate::policy("self"), "0"); }
}
"""
)
BATCH, IDLE = os.SCHED_BATCH, os.SCHED_IDLE


@pytest.fixture
def project(lab: Lab) -> Project:
    main = 'fn main() { println!("program {} compiler {}", policy("self"), derive::compiler!()); }\n'
    return lab.project(
        binary(main=main + POLICY, more='\n[dependencies]\nderive = { path = "derive" }\n[workspace]\n')
        | {
            "build.rs": SCRIPT + POLICY,
            "src/lib.rs": LIBRARY + "#[allow(dead_code)]\n" + POLICY,
            "derive/Cargo.toml": manifest("derive", "\n[lib]\nproc-macro = true\n"),
            "derive/src/lib.rs": MACRO + POLICY,
        }
    )


def test_a_build_stands_back_and_the_users_programs_do_not(project: Project) -> None:
    ran = sandboxed(project, "run")
    assert (ran.code, ran.out) == (0, f"program 0 compiler {BATCH}\n".encode()), ran.stderr
    assert f"script {BATCH} child {BATCH}" in ran.stderr
    tested = sandboxed(project, "test")
    assert tested.code == 0, tested.stdout + tested.stderr


def test_a_policy_that_the_user_chose_stays(project: Project, engine: str) -> None:
    project.user = replace(project.user, prefix=("chrt", "--idle", "0"))
    ran = sandboxed(project, "run")
    # Under Docker the daemon starts the container, not the user.
    compiler, program = (BATCH, 0) if engine == "docker" else (IDLE, IDLE)
    assert (ran.code, ran.out) == (0, f"program {program} compiler {compiler}\n".encode()), ran.stderr
