//! What the guard needs from a rustc or rustdoc command line, as cargo writes it.
//!
//! Forms: `--flag value`, `--flag=value`, `-C key=value`, `-Ckey=value`; rustc_driver's `args.rs` tells that
//! `@path` is replaced by the file's lines.
//!
//! Some values come from a package (`cargo:rustc-link-lib=…` and its like), and a unit's permissions come from this
//! line: a value must never be taken for a flag. Cargo itself writes an argument file only where a line is too long,
//! and then for the whole line (`ProcessBuilder` of cargo-util).

use crate::paths;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const INCREMENTAL: &[u8] = b"incremental=";
/// Bytes of an argument file that are looked at; a longer one is none of cargo's.
const LONGEST_FILE: u64 = 4 << 20;

/// The values found; absent ones are empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RustcArgs {
    pub crate_name: Vec<u8>,
    pub crate_types: Vec<Vec<u8>>,
    /// `--out-dir`, for rustdoc also `-o`.
    pub out_dir: Vec<u8>,
    /// `-C extra-filename`, with its leading dash.
    pub extra: Vec<u8>,
    /// `-C incremental`: the folder that the caches of all crates lie in.
    pub incremental: Vec<u8>,
    /// Whether that stands in an argument file, where nobody can change it.
    incremental_in_file: bool,
    /// Shared objects among `--extern`: proc macros.
    pub macros: Vec<Vec<u8>>,
    /// The first positional argument that ends in `.rs`.
    pub input: Vec<u8>,
    /// Kinds of output, in the order asked for.
    pub emit: Vec<Vec<u8>>,
    /// Other directories that this run writes (`--persist-doctests`, `--parts-out-dir`).
    pub more_out: Vec<Vec<u8>>,
}

/// Parse the arguments that follow the compiler's name. `read` gives the content of an argument file.
pub fn parse<'a>(
    args: impl IntoIterator<Item = &'a [u8]>,
    read: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> RustcArgs {
    let args: Vec<&[u8]> = args.into_iter().collect();
    let whole = whole_line(&args).and_then(read);
    let plain: Vec<&[u8]> = match &whole {
        Some(text) => text.split(|byte| *byte == b'\n').collect(),
        None => args,
    };
    let mut found = RustcArgs {
        incremental_in_file: whole
            .as_ref()
            .is_some_and(|text| paths::contains(text, INCREMENTAL)),
        ..RustcArgs::default()
    };
    let mut rest = plain.into_iter();
    while let Some(arg) = rest.next() {
        let (flag, value) = split(arg);
        if !takes_value(flag) {
            if found.input.is_empty() && arg.ends_with(b".rs") && !arg.starts_with(b"-") {
                found.input = arg.to_vec();
            }
            continue;
        }
        if let Some(value) = value.or_else(|| rest.next()) {
            found.take(flag, value);
        }
    }
    found
}

/// The argument file that holds the whole line: nothing but programs stands before it.
fn whole_line<'a>(args: &[&'a [u8]]) -> Option<&'a [u8]> {
    let (last, before) = args.split_last()?;
    let no_flags = before.iter().all(|arg| !arg.starts_with(b"-"));
    last.strip_prefix(b"@").filter(|_| no_flags)
}

/// A value that the compiler would replace by the lines of a file, which may then be any flags. No package has a
/// reason for one, and by a search path it would reach the compilers of those that depend on it.
pub fn smuggled<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let mut rest = args.into_iter();
    while let Some(arg) = rest.next() {
        let (flag, value) = split(arg);
        if takes_value(flag) && value.is_none() {
            if let Some(value) = rest.next().filter(|value| value.starts_with(b"@")) {
                return Some(value);
            }
        }
    }
    None
}

/// Whether a rustc line reads stdin, writes stdout, and names nothing relative to where it stands.
pub fn is_piped<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let args: Vec<&[u8]> = args.into_iter().collect();
    let mut rest = args.iter().copied();
    let (mut from_stdin, mut to_stdout) = (false, false);
    while let Some(arg) = rest.next() {
        if arg.starts_with(b"@") {
            return false;
        }
        let (flag, value) = split(arg);
        if !takes_value(flag) {
            from_stdin |= arg == b"-";
            continue;
        }
        let Some(value) = value.or_else(|| rest.next()) else {
            return false;
        };
        let path = value.rsplit(|byte| *byte == b'=').next().unwrap_or(value);
        match flag {
            b"-o" | b"--output" => to_stdout = value == b"-",
            b"--out-dir" => return false,
            b"-L" | b"--extern" if !path.starts_with(b"/") => return false,
            _ => {}
        }
    }
    from_stdin && to_stdout
}

/// Content of an argument file as rustc would read it; None for anything but a file of a bearable length.
pub fn read_file(path: &[u8]) -> Option<Vec<u8>> {
    // Somebody may put a pipe there, which must not keep us.
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(Path::new(std::ffi::OsStr::from_bytes(path)))
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    let length = file.take(LONGEST_FILE + 1).read_to_end(&mut text).ok()?;
    (length as u64 <= LONGEST_FILE).then_some(text)
}

fn split(arg: &[u8]) -> (&[u8], Option<&[u8]>) {
    if arg.starts_with(b"--") {
        if let Some(at) = arg.iter().position(|byte| *byte == b'=') {
            return (&arg[..at], Some(&arg[at + 1..]));
        }
    } else if arg.len() > 2
        && [
            b"-C", b"-o", b"-L", b"-l", b"-A", b"-W", b"-D", b"-F", b"-Z",
        ]
        .iter()
        .any(|flag| arg.starts_with(*flag))
    {
        return (&arg[..2], Some(&arg[2..]));
    }
    (arg, None)
}

fn takes_value(flag: &[u8]) -> bool {
    matches!(
        flag,
        b"--crate-name"
            | b"--crate-type"
            | b"--out-dir"
            | b"--output"
            | b"-o"
            | b"-C"
            | b"--codegen"
            | b"--extern"
            | b"--persist-doctests"
            | b"--parts-out-dir"
            | b"--emit"
            | b"--cfg"
            | b"--check-cfg"
            | b"-L"
            | b"-l"
            | b"-A"
            | b"-W"
            | b"-D"
            | b"-F"
            | b"-Z"
            | b"--allow"
            | b"--warn"
            | b"--force-warn"
            | b"--deny"
            | b"--forbid"
            | b"--cap-lints"
            | b"--color"
            | b"--crate-version"
            | b"--diagnostic-width"
            | b"--edition"
            | b"--error-format"
            | b"--json"
            | b"--print"
            | b"--sysroot"
            | b"--target"
            | b"--remap-path-prefix"
    )
}

impl RustcArgs {
    /// Whether this run only checks: metadata, but nothing to link.
    pub fn only_checks(&self) -> bool {
        let wants = |kind: &[u8]| self.emit.iter().any(|one| one == kind);
        wants(b"metadata") && !wants(b"link")
    }

    /// The folder for this unit's own incremental cache, empty when it uses none. rustc links what it finds there, so
    /// nobody else may write it. (From an argument file it stays the folder that all share.)
    pub fn own_incremental(&self) -> Vec<u8> {
        if self.incremental.is_empty() || self.incremental_in_file {
            return self.incremental.clone();
        }
        [&self.incremental[..], b"/", &self.crate_name, &self.extra].concat()
    }

    /// An argument of this line as it has to be for `own_incremental`; None when it stays as it is.
    pub fn with_own_incremental(&self, arg: &[u8]) -> Option<Vec<u8>> {
        let whole = [INCREMENTAL, &self.incremental].concat();
        let before = arg.strip_suffix(&whole[..])?;
        let is_flag = matches!(before, b"" | b"-C" | b"--codegen=");
        (is_flag && !self.incremental.is_empty())
            .then(|| [before, INCREMENTAL, &self.own_incremental()].concat())
    }

    fn take(&mut self, flag: &[u8], value: &[u8]) {
        match flag {
            b"--crate-name" => self.crate_name = value.to_vec(),
            b"--crate-type" => self
                .crate_types
                .extend(value.split(|byte| *byte == b',').map(<[u8]>::to_vec)),
            b"--out-dir" | b"-o" | b"--output" => self.out_dir = value.to_vec(),
            b"--emit" => {
                let kinds = value.split(|byte| *byte == b',');
                self.emit.extend(kinds.map(|kind| {
                    kind.split(|byte| *byte == b'=')
                        .next()
                        .unwrap_or(kind)
                        .to_vec()
                }));
            }
            b"--persist-doctests" | b"--parts-out-dir" => self.more_out.push(value.to_vec()),
            b"-C" | b"--codegen" => {
                if let Some(value) = value.strip_prefix(b"extra-filename=") {
                    self.extra = value.to_vec();
                } else if let Some(value) = value.strip_prefix(INCREMENTAL) {
                    self.incremental = value.to_vec();
                }
            }
            b"--extern" => {
                let path = value
                    .iter()
                    .position(|byte| *byte == b'=')
                    .map_or(&b""[..], |at| &value[at + 1..]);
                if path.ends_with(b".so") {
                    self.macros.push(path.to_vec());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> RustcArgs {
        parse(line.split(' ').map(str::as_bytes), |_| None)
    }

    #[test]
    fn both_forms_of_each_flag_are_read() {
        let wanted = RustcArgs {
            crate_name: b"serde".to_vec(),
            crate_types: vec![b"lib".to_vec(), b"cdylib".to_vec()],
            out_dir: b"/o".to_vec(),
            extra: b"-8d".to_vec(),
            incremental: b"/i".to_vec(),
            incremental_in_file: false,
            macros: vec![b"/d/libm-1.so".to_vec()],
            input: b"src/lib.rs".to_vec(),
            emit: vec![b"dep-info".to_vec(), b"metadata".to_vec()],
            more_out: vec![],
        };
        assert!(wanted.only_checks());
        assert_eq!(
            parsed(
                "rustc --crate-name serde src/lib.rs --emit=dep-info=/x.d,metadata --crate-type lib --crate-type cdylib --out-dir /o -C extra-filename=-8d \
                 -C incremental=/i --extern m=/d/libm-1.so --extern noprelude:x=/d/libx.rlib --extern proc_macro"
            ),
            wanted
        );
        assert_eq!(
            parsed(
                "rustc --crate-name=serde src/lib.rs --emit dep-info,metadata --crate-type=lib,cdylib --out-dir=/o -Cextra-filename=-8d \
                 --codegen=incremental=/i --extern=m=/d/libm-1.so"
            ),
            wanted
        );
    }

    #[test]
    fn a_value_is_never_taken_for_a_flag_or_an_input() {
        let found = parsed("rustc --cfg --out-dir --out-dir /o -L x.rs build.rs");
        assert_eq!(
            (found.out_dir, found.input),
            (b"/o".to_vec(), b"build.rs".to_vec())
        );
    }

    #[test]
    fn what_a_package_says_is_never_taken_for_where_its_compiler_may_write() {
        let line = |said: &str| {
            parsed(&format!(
                "rustc lib.rs --out-dir /o -C incremental=/i {said}"
            ))
        };
        for said in [
            "-l -o/target",
            "-l --out-dir=/target",
            "-l -Cincremental=/target",
            "--cfg --out-dir=/target",
            "--check-cfg -o/target",
            "-L -o/target",
            "-C link-arg=--out-dir=/target",
            "-l -l -l --out-dir",
        ] {
            let found = line(said);
            assert_eq!(
                (found.out_dir, found.incremental),
                (b"/o".to_vec(), b"/i".to_vec()),
                "{said}"
            );
        }
    }

    #[test]
    fn an_argument_file_in_a_value_is_told_and_never_read() {
        for said in ["-l @/x", "--cfg @/x", "-L @/x", "--check-cfg @/x"] {
            let line = format!("rustc lib.rs --out-dir /o {said}");
            let args = || line.split(' ').map(str::as_bytes);
            assert_eq!(smuggled(args()), Some(&b"@/x"[..]), "{said}");
            let found = parse(args(), |_| Some(b"x\n--out-dir=/target".to_vec()));
            assert_eq!(found.out_dir, b"/o", "{said}");
        }
        for fine in [
            "rustc @/x",
            "rustc lib.rs --cfg a=\"@\" -lx",
            "clippy rustc -L a @/x",
        ] {
            assert_eq!(smuggled(fine.split(' ').map(str::as_bytes)), None, "{fine}");
        }
    }

    #[test]
    fn only_a_plain_file_of_a_bearable_length_is_an_argument_file() {
        let top = format!("/tmp/guard-args-{}", std::process::id());
        std::fs::create_dir_all(&top).unwrap();
        let at = |name: &str| format!("{top}/{name}");
        let fifo = std::ffi::CString::new(at("fifo")).unwrap();
        // SAFETY: the path is a valid C string.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        std::fs::write(at("file"), "--edition=2021").unwrap();
        let huge = File::create(at("huge")).unwrap();
        huge.set_len(LONGEST_FILE + 1).unwrap();
        let found = |name: &str| read_file(at(name).as_bytes());
        assert_eq!(found("file"), Some(b"--edition=2021".to_vec()));
        assert_eq!(
            (found("fifo"), found("huge"), found("gone")),
            (None, None, None)
        );
        std::fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_probe_through_pipes_is_told_from_a_compile() {
        let piped = |line: &str| is_piped(line.split(' ').map(str::as_bytes));
        assert!(piped(
            "--crate-type=rlib --emit=metadata --target x86_64 -o - -"
        ));
        assert!(piped("- -o- -L dependency=/abs --extern a=/abs/liba.rlib"));
        for line in [
            "-o - src/lib.rs",
            "- -o out",
            "- -o - --out-dir /o",
            "- -o - -L deps",
            "- -o - -Ldeps",
            "- -o - @args",
        ] {
            assert!(!piped(line), "{line}");
        }
    }

    #[test]
    fn each_unit_has_an_incremental_folder_of_its_own() {
        let found = parsed("--crate-name a -C extra-filename=-8d -C incremental=/i");
        assert_eq!(found.own_incremental(), b"/i/a-8d");
        for (arg, wanted) in [
            ("incremental=/i", Some("incremental=/i/a-8d")),
            ("-Cincremental=/i", Some("-Cincremental=/i/a-8d")),
            (
                "--codegen=incremental=/i",
                Some("--codegen=incremental=/i/a-8d"),
            ),
            ("--cfg=incremental=/i", None),
            ("incremental=/i/b", None),
        ] {
            let made = found.with_own_incremental(arg.as_bytes());
            assert_eq!(made.as_deref(), wanted.map(str::as_bytes), "{arg}");
        }
        assert_eq!(parsed("--crate-name a").own_incremental(), b"");
        let filed = parse([&b"@args"[..]], |_| Some(b"-C\nincremental=/i".to_vec()));
        assert_eq!(filed.own_incremental(), b"/i");
    }

    #[test]
    fn an_argument_file_that_is_the_whole_line_is_read_line_by_line() {
        let found = parse([&b"/bin/rustc"[..], b"@args"], |path| {
            (path == b"args").then(|| b"--crate-name\na b\n--out-dir=/o\n".to_vec())
        });
        assert_eq!(
            (found.crate_name, found.out_dir),
            (b"a b".to_vec(), b"/o".to_vec())
        );
    }
}
