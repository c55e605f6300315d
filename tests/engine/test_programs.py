"""Programs that cargo starts: their arguments, input, output, exit code and signals are theirs."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import replace

import pytest

from tests.engine.compare import same
from tests.engine.crates import binary, library
from tests.engines import core
from tests.harness import Lab, sandboxed, start

pytestmark = pytest.mark.engine

ECHO = """\
use std::io::{copy, stdin, stdout};
fn main() { copy(&mut stdin().lock(), &mut stdout().lock()).unwrap(); }
"""


def test_arguments_exit_code_folder_and_standard_error_are_the_programs(lab: Lab) -> None:
    main = """\
fn main() {
    println!("{:?}", std::env::args_os().skip(1).collect::<Vec<_>>());
    println!("{:?} {}", std::env::current_dir().unwrap(), std::env::var("CARGO_PKG_NAME").unwrap());
    eprintln!("to standard error");
    std::process::exit(7);
}
"""
    project = lab.project(binary(main=main) | {"sub/x": ""})
    assert same(project, "run", "--", "--flag", "-v", "", "a b").code == 7
    assert same(project, "run", "word", "--release", cwd="sub").code == 7


@core
def test_input_reaches_the_program_byte_for_byte(lab: Lab) -> None:
    project = lab.project(binary(main=ECHO))
    data = random.Random(1).randbytes(3_000_000) + b"\0\xff\xfe end"
    done = sandboxed(project, "run", "-q", stdin=data)
    assert (done.code, done.out == data) == (0, True), done.stderr
    assert sandboxed(project, "run", "-q", stdin=b"").out == b""


def test_input_that_the_program_does_not_read_is_left_for_the_next_command(lab: Lab) -> None:
    """`while read line; do cargo build; done < list` must not lose its list."""
    project = lab.project(binary())
    reader, writer = os.pipe()
    try:
        os.write(writer, b"next line\n")
        assert start(project, "build", stdin=reader).wait().code == 0
        os.close(writer)
        assert os.read(reader, 100) == b"next line\n"
    finally:
        os.close(reader)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_empty_ones(lab: Lab, closed: str) -> None:
    said = 'println!("{:?}", std::io::stdin().read_line(&mut String::new()).unwrap()); eprintln!("seen");'
    project = lab.project(binary(main=f"fn main() {{ {said} }}"))
    project.user = replace(project.user, prefix=("sh", "-c", f'"$@" {closed}', "sh"))
    done = same(project, "run", "-q")
    assert done.code == 0
    assert done.out == (b"" if ">&-" in closed.replace("2>&-", "") else b"0\n")


def test_a_program_that_closes_its_input_early_is_no_failure(lab: Lab) -> None:
    project = lab.project(binary(main='fn main() { println!("done"); }'))
    assert sandboxed(project, "run", "-q", stdin=b"x" * 1_000_000).out == b"done\n"


@pytest.mark.parametrize(("act", "code"), [("abort()", 134), ("exit(130)", 130), ("exit(255)", 255)])
def test_a_programs_end_is_seen_by_the_shell_as_with_cargo(lab: Lab, act: str, code: int) -> None:
    done = same(lab.project(binary(main=f"fn main() {{ std::process::{act} }}")), "run")
    assert done.code in (code, 128 - code)


def test_a_panic_is_shown_with_its_exit_code(lab: Lab) -> None:
    assert same(lab.project(binary(main='fn main() { panic!("at once") }')), "run").code == 101


def test_bytes_that_are_no_text_pass_through_a_pipe_unchanged(lab: Lab) -> None:
    said = 'b"\\xff\\0\\x1b[2J\\x1b]0;t\\x07\\r\\n"'
    main = f"use std::io::Write;\nfn main() {{ std::io::stdout().write_all({said}).unwrap(); }}"
    assert same(lab.project(binary(main=main)), "run").out == b"\xff\0\x1b[2J\x1b]0;t\x07\r\n"


def test_a_reader_that_leaves_early_ends_the_run(lab: Lab) -> None:
    project = lab.project(binary(main='fn main() { loop { println!("y"); } }'))
    assert sandboxed(project, "build").code == 0
    reader, writer = os.pipe()
    head = subprocess.Popen(["head", "-n1"], stdin=reader, stdout=subprocess.PIPE)
    os.close(reader)
    running = start(project, "run", "-q", stdout=writer)
    os.close(writer)
    assert head.communicate(timeout=60)[0] == b"y\n"
    assert running.wait(60).code not in (0, 1)


def test_tests_may_use_threads_children_files_and_loopback(lab: Lab) -> None:
    files = library()
    files["tests/outside.rs"] = """\
use std::{env, fs, io::{Read, Write}, net::{TcpListener, TcpStream, UdpSocket}, process::Command, thread};
#[test]
fn connects_to_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = thread::spawn(move || TcpStream::connect(address).unwrap().write_all(b"hi").unwrap());
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    other.join().unwrap();
    assert_eq!(text, "hi");
    let (a, b) = (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
    a.send_to(b"x", b.local_addr().unwrap()).unwrap();
    assert_eq!(b.recv(&mut [0; 8]).unwrap(), 1);
}
#[test]
fn starts_children() {
    assert!(Command::new("true").status().unwrap().success());
}
#[test]
fn writes_where_cargo_says() {
    let place = format!("{}/file", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&place, "x").unwrap();
    let scratch = env::temp_dir().join(format!("csbench-{}", std::process::id()));
    fs::write(&scratch, "x").unwrap();
    fs::remove_file(scratch).unwrap();
    fs::remove_file(place).unwrap();
}
"""
    done = same(lab.project(files), "test", "-j1", "--test", "outside", "--", "--test-threads=1", fresh_after=True)
    assert done.code == 0
    assert not done.run.findings()


def test_tests_find_the_programs_of_their_package(lab: Lab) -> None:
    files = library() | {"src/bin/tool.rs": 'fn main() { println!("the tool"); }'}
    files["tests/outside.rs"] = """\
use std::{env, path::Path, process::Command};
fn said(program: impl AsRef<Path>) -> Vec<u8> { Command::new(program.as_ref()).output().unwrap().stdout }
#[test]
fn by_the_variable() { assert_eq!(said(env!("CARGO_BIN_EXE_tool")), b"the tool\\n"); }
#[test]
fn beside_the_folder_of_the_test() {
    assert_eq!(said(env::current_exe().unwrap().parent().unwrap().join("../tool")), b"the tool\\n");
}
"""
    project = lab.project(files)
    arguments = ["test", "-j1", "--test", "outside", "--", "--test-threads=1"]
    assert same(project, *arguments, fresh_after=True).code == 0
    project.write({"src/bin/tool.rs": 'fn main() { println!("another tool"); }'})
    assert sandboxed(project, *arguments).code == 101


def test_arguments_for_tests_reach_them(lab: Lab) -> None:
    project = lab.project(library())
    listed = same(project, "test", "-j1", "--tests", "--", "--list")
    assert "tests::adds: test" in listed.stdout
    assert "1 filtered out" in same(project, "test", "-j1", "--lib", "nothing").stdout
    assert "... ok" in same(project, "test", "-j1", "--lib", "--", "--color", "never").stdout
