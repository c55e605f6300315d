//! Where the dynamic loader looks for the libraries of a unit's programs.

use crate::paths;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Command;

/// Cargo sets it for every unit (`Compilation::fill_env` in cargo).
const VARIABLE: &str = "LD_LIBRARY_PATH";

/// Leave cargo's output folders below `tops` out of the folders in which the loader looks before the system's own.
///
/// Cargo names them since a dylib may lie there. Where the plan knows that no package makes one, what is found there was
/// put there by a compile that wanted to run in the next one: `ld.so` would take a `libz.so.1` in `deps` for the
/// system's, in each compiler and linker. Folders below a script's `OUT_DIR`, which cargo names only for who links what
/// lies there, and the caller's own stay.
pub fn narrow(command: &mut Command, tops: &[Vec<u8>]) {
    if let Some(value) = std::env::var_os(VARIABLE) {
        match without_outputs(value.as_bytes(), tops) {
            Some(left) => command.env(VARIABLE, OsString::from_vec(left)),
            None => command.env_remove(VARIABLE),
        };
    }
}

/// The value without the folders, or None if nothing is left: an empty one would be the current directory.
fn without_outputs(value: &[u8], tops: &[Vec<u8>]) -> Option<Vec<u8>> {
    let is_output = |folder: &[u8]| {
        tops.iter()
            .filter_map(|top| paths::below(folder, top))
            .any(is_output_folder)
    };
    let kept: Vec<&[u8]> = value
        .split(|byte| *byte == b':')
        .filter(|folder| !is_output(folder))
        .collect();
    (!kept.is_empty()).then(|| kept.join(&b':'))
}

/// `PROFILE`, `TRIPLE/PROFILE`, and `deps` in either: what cargo calls the root and the deps output.
fn is_output_folder(rest: &[u8]) -> bool {
    let mut parts: Vec<&[u8]> = rest.split(|byte| *byte == b'/').collect();
    parts.retain(|part| !matches!(*part, b"" | b"."));
    if parts.len() > 1 && parts.last() == Some(&&b"deps"[..]) {
        parts.pop();
    }
    parts.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(value: &str) -> Option<String> {
        let tops = [b"/ws/target/.cs/build".to_vec(), b"/ws/target".to_vec()];
        without_outputs(value.as_bytes(), &tops).map(|left| String::from_utf8(left).unwrap())
    }

    #[test]
    fn cargos_output_folders_go_and_all_else_stays_in_its_order() {
        let all = "/ws/target/.cs/build/debug/build/z-1a/out/lib:/ws/target/debug:/ws/target/.cs/build/debug/deps:\
                   /ws/target/x86_64-unknown-linux-gnu/debug/deps:/ws/target/x86_64-unknown-linux-gnu/debug:\
                   /toolchain/lib/rustlib/x/lib:/home/me/lib";
        let kept = "/ws/target/.cs/build/debug/build/z-1a/out/lib:/toolchain/lib/rustlib/x/lib:/home/me/lib";
        assert_eq!(left(all).as_deref(), Some(kept));
        for other in [
            "/ws/target/debug/build/z-1a/out",
            "/ws/target2/debug/deps",
            "/ws/deps",
            "relative/deps",
        ] {
            assert_eq!(left(other).as_deref(), Some(other));
        }
    }

    #[test]
    fn nothing_left_is_no_variable_and_what_was_empty_stays() {
        for folder in ["debug/deps", "debug/deps/", "debug//deps", "debug/./deps/."] {
            assert_eq!(left(&format!("/ws/target/.cs/build/{folder}")), None);
        }
        assert_eq!(left("/ws/target/debug/deps::/x").as_deref(), Some(":/x"));
        assert_eq!(left("").as_deref(), Some(""));
    }
}
