"""Floods of output, broken bytes and escape sequences; colours, progress and keys on a terminal."""

from __future__ import annotations

import re

import pytest

from tests.engine.compare import same, words
from tests.engine.crates import binary, scripted
from tests.engines import core
from tests.harness import Lab, plain, sandboxed, terminal

pytestmark = pytest.mark.engine

GIGABYTE = 1 << 30
FLOOD = """\
use std::io::{{stdout, Write}};
fn main() {{
    let piece = {piece}.repeat(16);
    let mut out = stdout().lock();
    for _ in 0..{times} {{ if out.write_all(&piece).is_err() {{ break; }} }}
    {end}
}}
"""
# 65,536 bytes with broken UTF-8, escapes that clear the screen and set the title, and no newline.
PIECE = r'b"\xff\xfe\xc3(\x1b[2J\x1b]0;title\x07\x1b[8mxxxxxxx".repeat(128)'
PIECE_BYTES = b"\xff\xfe\xc3(\x1b[2J\x1b]0;title\x07\x1b[8mxxxxxxx" * 128
MEMORY_KB = 150 * 1024


def test_a_program_that_prints_a_gigabyte_is_passed_on_in_bounded_memory(lab: Lab) -> None:
    times = GIGABYTE // (len(PIECE_BYTES) * 16)
    project = lab.project(binary(main=FLOOD.format(piece=PIECE, times=times, end="")))
    done = sandboxed(project, "run", "-q")
    assert done.code == 0, done.shown[-2000:]
    assert done.out_size == times * len(PIECE_BYTES) * 16
    assert done.out == (PIECE_BYTES * (len(done.out) // len(PIECE_BYTES) + 1))[: len(done.out)]
    assert done.peak_kb < MEMORY_KB
    assert done.run.result["verdict"] == "clean"
    assert sum(path.stat().st_size for path in done.run.path.iterdir()) < 200 << 20


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_script_that_prints_a_gigabyte_without_a_newline_is_stopped_in_bounded_memory(lab: Lab, stream: str) -> None:
    times = GIGABYTE // (len(PIECE_BYTES) * 16)
    project = lab.project(scripted(FLOOD.format(piece=PIECE, times=times, end="").replace("stdout", stream)))
    done = sandboxed(project, "build", "-vv")
    assert done.peak_kb < MEMORY_KB
    assert done.code in (101, 120), done.shown[-2000:]
    assert done.run.events("flood", done.units("script")[0]["unit"])
    assert [entry["package"] for entry in done.run.findings("CS0111")] == ["app"]
    assert done.out_size + done.err_size < 300 << 20


HOSTILE = 'println!("cargo::warning=\\x1b[2J\\x1b]0;title\\x07\\x1b[31mred\\x1b[0m \\u{202e}end")'


def test_a_pipe_gets_cargos_bytes_and_a_terminal_only_colours(lab: Lab) -> None:
    project = lab.project(scripted(f"fn main() {{ {HOSTILE}; }}"))
    piped = same(project, "build", "--color", "always")
    assert b"\x1b[2J\x1b]0;title\x07" in piped.err
    same(project, "build")
    shown = sandboxed(project, "build", tty=True)
    assert shown.code == 0
    assert b"red" in shown.out
    assert b"title" not in shown.out
    assert b"\x1b[2J" not in shown.out
    assert "\u202e".encode() not in shown.out
    left = re.sub(rb"\x1b\[[0-9;]*m|\x1b\[K|\x1b\]8;;[^\x1b]*\x1b\\|\x1b\]9;4;[0-9;]*\x1b\\", b"", shown.out)
    assert b"\x1b" not in left


def test_a_sequence_cut_in_two_does_not_slip_through(lab: Lab) -> None:
    script = """\
use std::{io::{stderr, Write}, thread::sleep, time::Duration};
fn main() {
    for part in [&b"\\x1b"[..], b"]0;ti", b"tle\\x1b", b"\\\\", b"\\x1b[", b"2", b"J", b"seen\\n"] {
        stderr().write_all(part).unwrap();
        sleep(Duration::from_millis(30));
    }
}
"""
    shown = sandboxed(lab.project(scripted(script)), "build", "-vv", tty=True)
    assert b"seen" in shown.out
    assert b"title" not in shown.out
    assert b"\x1b[2J" not in shown.out


def test_colours_and_the_progress_bar_appear_on_a_terminal(lab: Lab) -> None:
    script = "fn main() { std::thread::sleep(std::time::Duration::from_millis(1500)); }"
    project = lab.project(scripted(script, 'fn main() { let unused = 1; println!("hello"); }'))
    cargo = plain(project, "build", tty=True)
    project.remove("target")
    with terminal(project, "build") as screen:
        modes = screen.modes()
        screen.expect(b"] 1/3: app")
        code = screen.wait()
        assert screen.modes() == modes
    assert code == cargo.code == 0
    assert b"Building" in cargo.out and b"Building" in screen.seen
    for part in (rb"\x1b\[1m\x1b\[92m +Compiling\x1b\[0m app", rb"\x1b\[33mwarning\x1b", rb"\x1b\[92m +Finished\x1b"):
        assert bool(re.search(part, cargo.out)) == bool(re.search(part, screen.seen)), part
    assert rb"Compiling" in screen.seen
    # The bar is erased before our last line, which is green.
    last = screen.seen.rstrip().rpartition(b"\n")[2]
    assert b"\x1b[1;32mSandbox clean" in last


def test_never_any_colour_when_it_is_not_wanted(lab: Lab) -> None:
    project = lab.project(binary())
    assert b"\x1b[" not in sandboxed(project, "build", "--color", "never", tty=True).out.replace(b"\x1b[K", b"")
    project.remove("target")
    assert b"\x1b[1m" in sandboxed(project, "build", "--color", "always").err
    project.remove("target")
    assert b"\x1b[1m" not in sandboxed(project, "build", env={"CARGO_TERM_COLOR": "never"}, tty=True).out


@core
def test_a_program_has_the_terminal_to_itself(lab: Lab) -> None:
    main = """\
use std::{io::{stdin, stdout, stderr, IsTerminal}, process::{Command, Stdio}};
fn main() {
    println!("{} {} {}", stdin().is_terminal(), stdout().is_terminal(), stderr().is_terminal());
    let size = || String::from_utf8(Command::new("stty").arg("size").stdin(Stdio::inherit()).output().unwrap().stdout);
    println!("size {}", size().unwrap().trim());
    println!("\\x1b]0;own title\\x07 name?");
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    println!("hello {}", line.trim());
    println!("then {}", size().unwrap().trim());
    stdin().read_line(&mut line).unwrap();
    println!("not reached");
}
"""
    project = lab.project(binary(main=main))
    with terminal(project, "run", rows=33, columns=101) as screen:
        modes = screen.modes()
        screen.expect(b"true true true")
        screen.expect(b"size 33 101")
        screen.expect(b"\x1b]0;own title\x07 name?")
        screen.resize(40, 90)
        screen.type(b"Ada\r")
        screen.expect(b"hello Ada")
        screen.expect(b"then 40 90")
        assert screen.seen.count(b"Ada") == 2, "typed keys are shown once"
        screen.type(b"\x03")
        assert screen.wait(15) in (-2, 130)
        assert screen.modes() == modes
    assert b"not reached" not in screen.seen


def test_the_end_of_input_reaches_a_program_on_a_terminal(lab: Lab) -> None:
    main = 'fn main() { println!("ready"); println!("{:?}", std::io::read_to_string(std::io::stdin()).unwrap()); }'
    with terminal(lab.project(binary(main=main)), "run", "-q") as screen:
        screen.expect(b"ready")
        screen.type(b"one line\r")
        screen.expect(b"one line")
        screen.type(b"\x04")
        assert screen.wait(20) == 0
    assert b'"one line\\n"' in screen.seen


def test_words_on_a_terminal_are_cargos(lab: Lab) -> None:
    project = lab.project(binary())
    cargo = plain(project, "run", tty=True)
    project.remove("target")
    ours = sandboxed(project, "run", tty=True)
    erase = re.compile(rb"[^\r\n]*\r\x1b\[K|\x1b\[K|\x1b\]9;4;[0-9;]*\x1b\\")
    assert b"Sandbox clean" in ours.out.splitlines()[-1]
    assert words(erase.sub(b"", ours.out)) == words(erase.sub(b"", cargo.out))
