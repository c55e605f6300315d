//! `guard`: first process and recorder of a cargo-sandbox container, and the one that confines each unit.
//!
//! What it does depends on how it was started: as pid 1 with `init`; under the name `rustdoc`; with `script` by the
//! stand-in of a build script; with `seals` or `probe` for the host; else as cargo's rustc wrapper.

mod frame;
mod hash;
mod init;
mod json;
mod landlock;
mod pairs;
mod paths;
mod report;
mod roles;
mod rules;
mod rustc_args;
mod sched;
mod seals;
mod sys;
mod trailer;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    let arg0 = args
        .first()
        .map_or(OsStr::new("guard"), |arg| arg.as_os_str());
    let rest = args.get(1..).unwrap_or(&[]);
    if paths::file_name(arg0.as_bytes()) == b"rustdoc" {
        roles::rustdoc(rest);
    }
    match rest.first().map(|arg| arg.as_bytes()) {
        Some(b"init") if std::process::id() == 1 => std::process::exit(init::main()),
        Some(b"script") => roles::script(&rest[1..]),
        Some(b"seals") => std::process::exit(seals::main()),
        Some(b"probe") => std::process::exit(init::probe::main()),
        Some(b"--version") => println!("cargo-sandbox-guard {}", env!("CARGO_PKG_VERSION")),
        _ => roles::rustc(rest),
    }
}
