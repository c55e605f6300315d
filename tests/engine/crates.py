"""Small projects without registry dependencies, as file trees for `Lab.project`."""

from __future__ import annotations


def manifest(name: str, more: str = "", version: str = "0.1.0") -> str:
    """A Cargo.toml; `more` is put into [package] until its first `[`."""
    return f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n{more}'


def binary(name: str = "app", main: str = 'fn main() { println!("hello"); }', more: str = "") -> dict[str, str]:
    """A program."""
    return {"Cargo.toml": manifest(name, more), "src/main.rs": main}


def library(name: str = "lib", more: str = "") -> dict[str, str]:
    """A library with a unit test, a test file, a doc test, an example and a feature."""
    return {
        "Cargo.toml": manifest(name, more),
        "src/lib.rs": f"""\
//! Adds.

/// Adds two numbers.
///
/// ```
/// assert_eq!({name}::add(1, 2), 3);
/// ```
pub fn add(left: u64, right: u64) -> u64 {{
    left + right
}}

#[cfg(test)]
mod tests {{
    #[test]
    fn adds() {{
        assert_eq!(super::add(2, 2), 4);
    }}
}}
""",
        "tests/outside.rs": f"#[test]\nfn adds_from_outside() {{ assert_eq!({name}::add(3, 4), 7); }}\n",
        "examples/sum.rs": f'fn main() {{ println!("{{}}", {name}::add(20, 22)); }}\n',
    }


def scripted(script: str, main: str = "fn main() {}", name: str = "app", more: str = "") -> dict[str, str]:
    """A program with a build script."""
    return binary(name, main, more) | {"build.rs": script}


# A virtual workspace of two members, one after the other.
PAIR: dict[str, str] = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["low", "app"]\n',
    "low/Cargo.toml": manifest("low", "\n[features]\nextra = []\nmore = ['extra']\n"),
    "low/src/lib.rs": 'pub const SAYS: &str = if cfg!(feature = "extra") { "extra" } else { "usual" };\n',
    "app/Cargo.toml": manifest("app", '\n[dependencies]\nlow = { path = "../low" }\n'),
    "app/src/main.rs": 'fn main() { println!("{}", low::SAYS); }\n',
}

# What real builds do, one crate after the other so that cargo has no choice of order: a C library behind a `links` key,
# a proc macro, a script that reads DEP_ metadata, probes the compiler and sets a cfg and a variable, a program.
KITCHEN: dict[str, str] = {
    "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["native-sys", "derive", "middle", "app"]\n',
    "native-sys/Cargo.toml": manifest("native-sys", 'links = "answer"\n'),
    "native-sys/answer.c": "int answer(void) { return 42; }\n",
    "native-sys/build.rs": """\
use std::{env, process::Command};
fn main() {
    let out = env::var("OUT_DIR").unwrap();
    let object = format!("{out}/answer.o");
    let archive = format!("{out}/libanswer.a");
    assert!(Command::new("cc").args(["-c", "answer.c", "-o", &object]).status().unwrap().success());
    assert!(Command::new("ar").args(["crs", &archive, &object]).status().unwrap().success());
    println!("cargo::rerun-if-changed=answer.c");
    println!("cargo::rustc-link-search=native={out}");
    println!("cargo::rustc-link-lib=static=answer");
    println!("cargo::metadata=number=42");
}
""",
    "native-sys/src/lib.rs": ('extern "C" { fn answer() -> i32; }\npub fn get() -> i32 { unsafe { answer() } }\n'),
    "derive/Cargo.toml": manifest("derive", "\n[lib]\nproc-macro = true\n"),
    "derive/src/lib.rs": """\
use proc_macro::{TokenStream, TokenTree};
#[proc_macro_derive(Named)]
pub fn named(item: TokenStream) -> TokenStream {
    let mut words = item.into_iter().filter_map(|tree| match tree {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    });
    words.find(|word| word == "struct").unwrap();
    let name = words.next().unwrap();
    format!("impl {name} {{ pub fn name() -> &'static str {{ {name:?} }} }}").parse().unwrap()
}
""",
    "middle/Cargo.toml": manifest(
        "middle", '\n[dependencies]\nnative-sys = { path = "../native-sys" }\nderive = { path = "../derive" }\n'
    ),
    "middle/build.rs": """\
use std::{env, fs, io::Write, path::Path, process::{Command, Stdio}};
fn compiles(source: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap();
    let mut command = match env::var_os("RUSTC_WRAPPER").filter(|path| !path.is_empty()) {
        Some(wrapper) => { let mut command = Command::new(wrapper); command.arg(rustc); command }
        None => Command::new(rustc),
    };
    let mut child = command
        .args(["--crate-name", "probe", "--crate-type", "lib", "--emit", "metadata", "--out-dir"])
        .arg(env::var_os("OUT_DIR").unwrap()).arg("-")
        .stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    child.wait().unwrap().success()
}
fn main() {
    assert_eq!(env::var("DEP_ANSWER_NUMBER").unwrap(), "42");
    assert!(!compiles("this is no Rust"));
    println!("cargo::rustc-check-cfg=cfg(probed)");
    if compiles("pub fn f() {}") {
        println!("cargo::rustc-cfg=probed");
    }
    println!("cargo::rustc-env=MIDDLE_WORDS=from the script");
    println!("cargo::rerun-if-changed=build.rs");
    let generated = Path::new(&env::var("OUT_DIR").unwrap()).join("generated.rs");
    fs::write(generated, "pub const GENERATED: u32 = 7;\\n").unwrap();
}
""",
    "middle/src/lib.rs": """\
include!(concat!(env!("OUT_DIR"), "/generated.rs"));
#[derive(derive::Named)]
pub struct Middle;
pub fn words() -> String {
    let probed = cfg!(probed);
    format!("{} {} {} {} {probed}", native_sys::get(), GENERATED, Middle::name(), env!("MIDDLE_WORDS"))
}
""",
    "app/Cargo.toml": manifest("app", '\n[dependencies]\nmiddle = { path = "../middle" }\n'),
    "app/src/main.rs": 'fn main() { println!("{}", middle::words()); }\n',
}
KITCHEN_SAYS = b"42 7 Middle from the script true\n"
