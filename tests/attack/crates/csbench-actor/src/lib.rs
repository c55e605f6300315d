//! Acts out what a test of cargo-sandbox asks for, inside a build script or a proc macro, and tells how each act ended.
//!
//! Inert: it does nothing unless `CSBENCH=1` is set and the test has put `csbench-marker` into the folder that it is
//! given. Targets are decoys, loopback, RFC 5737 and RFC 3849 addresses and `.invalid` names.
//!
//! `acts` in that folder has an act a line: a name, a verb and its arguments, separated by tabs. In arguments
//! `{out}`, `{deps}`, `{build}`, `{here}` and `{tmp}` stand for folders, `{-}` for nothing, and `glob:DIR/A*B` for the first match.

mod detours;
mod files;
mod net;
mod procs;
mod sys;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How an act ended: what it saw, or the error of the call that failed.
type Outcome = io::Result<String>;

/// Do all acts of `folder` as a build script: outcomes go out as metadata directives, which the record keeps.
pub fn script(folder: &str) {
    act(Path::new(folder), |name, outcome| {
        println!("cargo:csbench-{name}={outcome}")
    });
}

/// Do all acts of `folder` as a proc macro: outcomes go to standard error.
pub fn expansion(folder: &str) {
    act(Path::new(folder), |name, outcome| eprintln!("csbench-{name}={outcome}"));
}

fn act(folder: &Path, tell: impl Fn(&str, &str)) {
    if env::var_os("CSBENCH").is_none_or(|value| value != "1") || !folder.join("csbench-marker").is_file() {
        return;
    }
    let acts = fs::read_to_string(folder.join("acts")).unwrap_or_default();
    for line in acts.lines() {
        let fields: Vec<String> = line.split('\t').map(|field| expand(field, folder)).collect();
        let [name, verb, args @ ..] = fields.as_slice() else {
            continue;
        };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let text = match perform(verb, &args) {
            Ok(seen) if seen.is_empty() => "ok".to_owned(),
            Ok(seen) => format!("ok:{}", one_line(&seen)),
            Err(error) => match error.raw_os_error() {
                Some(number) => format!("errno:{number}"),
                None => format!("failed:{}", one_line(&error.to_string())),
            },
        };
        tell(name, &text);
    }
}

fn perform(verb: &str, args: &[&str]) -> Outcome {
    files::perform(verb, args)
        .or_else(|| detours::perform(verb, args))
        .or_else(|| net::perform(verb, args))
        .or_else(|| procs::perform(verb, args))
        .or_else(|| sys::perform(verb, args))
        .unwrap_or_else(|| {
            Err(io::Error::other(format!(
                "no act is called {verb} with {} arguments",
                args.len()
            )))
        })
}

fn one_line(text: &str) -> String {
    text.chars()
        .take(3000)
        .map(|one| if one.is_control() { '|' } else { one })
        .collect()
}

fn expand(field: &str, folder: &Path) -> String {
    let deps = deps();
    let out = env::var("OUT_DIR").unwrap_or_default();
    let text = field
        .replace("{-}", "")
        .replace("{out}", &out)
        .replace("{deps}", &deps.display().to_string())
        .replace("{build}", &deps.with_file_name("build").display().to_string())
        .replace("{here}", &folder.display().to_string())
        .replace("{tmp}", &env::temp_dir().display().to_string());
    match text.split_once("glob:") {
        Some((before, pattern)) => format!("{before}{}", glob(pattern)),
        None => text,
    }
}

/// The folder that all rustc runs of this profile share: known from OUT_DIR in a script, from --out-dir in a rustc.
fn deps() -> PathBuf {
    let mut args = env::args().skip_while(|arg| arg != "--out-dir");
    if let Some(dir) = args.nth(1) {
        return dir.into();
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    out.ancestors().nth(3).unwrap_or(Path::new("/")).join("deps")
}

/// The first path in alphabetical order that fits a pattern with one star in each component that has any.
fn glob(pattern: &str) -> String {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = match part.split_once('*') {
            None => found
                .into_iter()
                .map(|dir| dir.join(part))
                .filter(|path| path.exists())
                .collect(),
            Some((start, end)) => found
                .iter()
                .flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten())
                .filter(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
                })
                .map(|entry| entry.path())
                .collect(),
        };
    }
    found.sort();
    found.first().map_or_else(
        || format!("/nothing-matches{pattern}"),
        |path| path.display().to_string(),
    )
}
