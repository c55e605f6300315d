//! exec: where units begin, and the one place where cargo's children are told apart.

use super::event::Event;
use super::guard::{Answer, Call, Guard};
use super::memory::{self, Strings};
use super::process::{Caller, CARGO};
use super::real::{self, Lead};
use super::resolve::NoPath;
use super::unit::{Identity, Role};
use crate::paths;
use crate::rules::{scratch_prefix, Source, WriteRules};
use crate::rustc_args;
use crate::sys;
use crate::trailer::Trailer;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

const GUARD: &[u8] = b"/run/cargo-sandbox/guard";
const RUSTDOC: &[u8] = b"/run/cargo-sandbox/rustdoc";

/// Bytes of arguments that an event keeps.
const ARGV_LIMIT: usize = 64 << 10;
/// Bytes of arguments and of environment that are looked through for a unit's identity: the kernel's own limit for
/// one string is 128 KiB, cargo's whole command lines stay below this.
const IDENTITY_LIMIT: usize = 4 << 20;

/// What an exec asks for.
struct Asked {
    path: Vec<u8>,
    /// Where `path` leads, if that is elsewhere.
    real: Option<Vec<u8>>,
    argv: Vec<Vec<u8>>,
    argv_cut: bool,
    note: Option<&'static str>,
}

/// What cargo's child wants to become.
enum Wanted {
    Unit {
        role: Role,
        guarding: bool,
    },
    /// Nothing is at the path; the kernel will say so.
    Nothing,
    Forbidden,
}

impl Guard {
    /// execve and execveat.
    pub fn exec(
        &mut self,
        call: &mut Call<'_>,
        at: u64,
        path: u64,
        argv: u64,
        envp: u64,
        flags: i32,
    ) -> Answer {
        let asked = match self.asked(call, at, path, argv, flags) {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        let is_top = call.caller.pid == self.top;
        let from_cargo =
            call.caller.parent == self.top && self.cargo_is_top() && call.caller.unit == CARGO;
        if is_top && self.cargo_is_top() {
            return self.exec_by_top(call, &asked, envp);
        }
        let believed = asked.path == GUARD && self.settings.broken("descent");
        if (from_cargo || believed) && !is_top {
            return self.exec_by_child(call, &asked, argv, envp);
        }
        if call.caller.guarding {
            // The guard's own image is about to go, and the trust in it.
            self.processes
                .assign(call.caller.pid, call.caller.unit, false);
        }
        self.allow_exec(call, &asked)
    }

    fn asked(
        &mut self,
        call: &Call<'_>,
        at: u64,
        pointer: u64,
        argv: u64,
        flags: i32,
    ) -> Result<Asked, Answer> {
        let mut path = Vec::new();
        let mut event = Event {
            kind: "exec",
            ..Event::default()
        };
        if let Err(error) = self.resolve(call, at, pointer, &mut path) {
            // What cargo's own child would become is unknown, and so is who should be charged: that must not run.
            if call.caller.unit == CARGO && call.caller.pid != self.top {
                event.note = Some("unreadable");
                return Err(self.deny(call.caller, libc::EPERM, &event));
            }
            return Err(self.without_path(call, error, "exec"));
        }
        let held = flags & libc::AT_EMPTY_PATH != 0 && self.is_bare();
        let (real, mut note) = lead(call.caller, &mut path, held.then_some(at & 0xffff_ffff));
        if note.is_none() && sys::lstat(&path).is_none() {
            // A search through PATH tries several; the kernel will say that nothing is there.
            note = Some("absent");
        }
        let strings = memory::strings(call.caller.tid, argv, ARGV_LIMIT).map_err(NoPath::from);
        if !call.is_valid() {
            return Err(Answer::Fail(libc::EPERM));
        }
        let Strings { all, cut } = match strings {
            Ok(strings) => strings,
            Err(error) => return Err(self.without_path(call, error, "exec")),
        };
        if note.is_none() && is_closed(&path) {
            // It would run where nobody can look into it (proc_pid_mem(5), dumpable), also not the recorder.
            let closed = Event {
                kind: "dumpable",
                path: Some(&path),
                call: Some("execve"),
                note: Some("can't be looked into"),
                ..Event::default()
            };
            return Err(self.deny(call.caller, libc::EACCES, &closed));
        }
        Ok(Asked {
            path,
            real,
            argv: all,
            argv_cut: cut,
            note,
        })
    }

    fn allow_exec(&mut self, call: &Call<'_>, asked: &Asked) -> Answer {
        let event = asked.event();
        self.allow(call.caller, &event)
    }

    /// Process 2: first cargo itself, later perhaps the program of `cargo run`.
    fn exec_by_top(&mut self, call: &mut Call<'_>, asked: &Asked, envp: u64) -> Answer {
        if self.top_execs == 0 {
            self.top_execs = 1;
            return self.allow_exec(call, asked);
        }
        if sys::lstat(&asked.path).is_none() {
            return self.count(call.caller);
        }
        if !self.settings.programs {
            return self.forbid(call, asked);
        }
        self.top_execs += 1;
        self.queue.frame(b'P', b"");
        let env = whole(memory::strings(call.caller.tid, envp, IDENTITY_LIMIT)).unwrap_or_default();
        let identity = absolute(identity(Role::Program, &asked.path, &[], &env), b"/");
        self.start_unit(
            call.caller,
            Role::Program,
            identity,
            WriteRules::default(),
            false,
        );
        self.allow_exec(call, asked)
    }

    /// A direct child of the trusted cargo: a unit begins.
    fn exec_by_child(
        &mut self,
        call: &mut Call<'_>,
        asked: &Asked,
        argv: u64,
        envp: u64,
    ) -> Answer {
        let tid = call.caller.tid;
        let env = memory::strings(tid, envp, IDENTITY_LIMIT);
        let full = asked
            .argv_cut
            .then(|| memory::strings(tid, argv, IDENTITY_LIMIT));
        // Who can't be told whole can't be told: what was cut off may be the name.
        let (Some(env), true) = (whole(env), call.is_valid()) else {
            return self.forbid(call, asked);
        };
        let full = match full.map(whole) {
            Some(None) => return self.forbid(call, asked),
            Some(full) => full,
            None => None,
        };
        let args = full.as_ref().unwrap_or(&asked.argv);
        match self.wanted(&asked.path, &env) {
            Wanted::Nothing => self.count(call.caller),
            Wanted::Forbidden => self.forbid(call, asked),
            Wanted::Unit { role, guarding } => {
                let identity = identity(role, &asked.path, args, &env);
                let mut cwd = Vec::new();
                if !super::resolve::link(tid, libc::AT_FDCWD, &mut cwd) {
                    cwd = b"/".to_vec();
                }
                let mut identity = absolute(identity, &cwd);
                let disguise = self.name_by_source(&mut identity);
                let rules = self.write_rules(call.caller.pid, role, &identity, args, &cwd);
                self.start_unit(call.caller, role, identity, rules, guarding);
                if let Some(note) = disguise {
                    let event = Event {
                        kind: "forged",
                        call: Some("execve"),
                        note: Some(&note),
                        ..Event::default()
                    };
                    self.list(call.caller, &event);
                }
                if let Some(file) = smuggled(role, args) {
                    return self.refuse_smuggled(call, file);
                }
                self.allow_exec(call, asked)
            }
        }
    }

    /// Name a compile by its source instead of its environment; tells if the two differ.
    fn name_by_source(&self, identity: &mut Identity) -> Option<String> {
        let known = Source::find(&self.settings.sources, &identity.input)?;
        let told = std::mem::replace(&mut identity.package, known.package.clone());
        identity.version.clone_from(&known.version);
        identity.manifest_dir.clone_from(&known.manifest_dir);
        // Another version is nothing to tell: scripts put the commit into it for `--version`.
        (told != known.package).then(|| {
            let told = String::from_utf8_lossy(&told).into_owned();
            format!("the environment of this compile names another package: {told}")
        })
    }

    /// Whose build script said it stands in the path, mostly; the compile may be that of a package that depends on it.
    fn refuse_smuggled(&mut self, call: &Call<'_>, file: &[u8]) -> Answer {
        let event = Event {
            kind: "forged",
            call: Some("execve"),
            path: Some(file),
            note: Some("a build script put an argument file into this compile"),
            ..Event::default()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    fn forbid(&mut self, call: &Call<'_>, asked: &Asked) -> Answer {
        let note = Some("cargo may start only compilers and confined scripts here");
        let event = Event {
            note,
            ..asked.event()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    fn wanted(&self, path: &[u8], env: &[Vec<u8>]) -> Wanted {
        if path == GUARD {
            let role = if variable(env, b"CARGO_PKG_NAME").is_some() {
                Role::Rustc
            } else {
                Role::Probe
            };
            return Wanted::Unit {
                role,
                guarding: true,
            };
        }
        if path == RUSTDOC {
            return Wanted::Unit {
                role: Role::Rustdoc,
                guarding: true,
            };
        }
        let for_script = [&b"NUM_JOBS"[..], b"HOST", b"RUSTC"]
            .iter()
            .all(|name| variable(env, name).is_some());
        match is_stand_in(path) {
            Ok(true) => Wanted::Unit {
                role: Role::Script,
                guarding: true,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Wanted::Nothing,
            _ if for_script && self.settings.broken("replace") => Wanted::Unit {
                role: Role::Script,
                guarding: false,
            },
            _ if self.settings.programs && !for_script => Wanted::Unit {
                role: Role::Program,
                guarding: false,
            },
            _ => Wanted::Forbidden,
        }
    }

    fn write_rules(
        &self,
        pid: u32,
        role: Role,
        identity: &Identity,
        args: &[Vec<u8>],
        cwd: &[u8],
    ) -> WriteRules {
        let mut own: Vec<&[u8]> = Vec::new();
        let more = match role {
            Role::Rustdoc => parse_args(role, args).more_out,
            _ => Vec::new(),
        };
        if matches!(
            role,
            Role::Rustc | Role::Script | Role::Rustdoc | Role::Probe
        ) {
            own.extend([identity.out_dir.as_slice(), identity.incremental.as_slice()]);
            own.extend(more.iter().map(Vec::as_slice));
        }
        let shared: &[Vec<u8>] = if self.settings.is_below_tmp() {
            &[]
        } else {
            &self.settings.tmp
        };
        let scratch = scratch_prefix(&self.settings.scratch, pid);
        WriteRules::new(
            &own,
            shared,
            scratch,
            &self.settings.allowances,
            &identity.package,
            cwd,
        )
    }
}

impl Asked {
    fn event(&self) -> Event<'_> {
        Event {
            kind: "exec",
            path: Some(&self.path),
            path2: self.real.as_deref(),
            argv: Some(&self.argv),
            argv_cut: self.argv_cut,
            note: self.note,
            ..Event::default()
        }
    }
}

/// Whether the path is a file that we, who are the same user, may not read.
fn is_closed(path: &[u8]) -> bool {
    let is_file = || fs::metadata(OsStr::from_bytes(path)).is_ok_and(|status| status.is_file());
    // SAFETY: the path is a valid C string for the length of the call.
    let refused = unsafe { libc::access(sys::c_string(path).as_ptr(), libc::R_OK) } != 0;
    refused && io::Error::last_os_error().raw_os_error() == Some(libc::EACCES) && is_file()
}

/// Whether a path names an open descriptor of the caller.
fn is_descriptor(path: &[u8]) -> bool {
    path.starts_with(b"/dev/fd/")
        || (path.starts_with(b"/proc/") && paths::file_name(paths::parent(path)) == b"fd")
}

/// Where the program really is, if that is elsewhere, and a note on one that is nowhere. A path that only names a
/// descriptor becomes what that stands for; `held` is the descriptor when there is no path at all.
fn lead(
    caller: &Caller,
    path: &mut Vec<u8>,
    held: Option<u64>,
) -> (Option<Vec<u8>>, Option<&'static str>) {
    let descriptor = held.map(|at| format!("/proc/{}/fd/{at}", caller.pid).into_bytes());
    let led = real::lead(caller.view(), descriptor.as_ref().unwrap_or(path), false);
    let bare = held.is_some() || is_descriptor(path);
    match led {
        Lead::Same => (None, None),
        Lead::Place(place) if bare => {
            *path = place;
            (None, None)
        }
        Lead::Place(place) => (Some(place), None),
        Lead::Nowhere(text) => {
            let note = nowhere(&text);
            if bare {
                *path = text;
                (None, note)
            } else {
                (Some(text), note)
            }
        }
    }
}

/// What kind of file has no place.
fn nowhere(text: &[u8]) -> Option<&'static str> {
    if text.starts_with(b"/memfd:") {
        return Some("memfd");
    }
    text.starts_with(b"/").then_some("deleted")
}

/// The value of a variable in "K=V" strings.
fn variable<'a>(env: &'a [Vec<u8>], name: &[u8]) -> Option<&'a [u8]> {
    env.iter()
        .find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
}

fn parse_args(role: Role, argv: &[Vec<u8>]) -> rustc_args::RustcArgs {
    rustc_args::parse(compiler_args(role, argv), rustc_args::read_file)
}

fn compiler_args(role: Role, argv: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    // A rustc line has the wrapper and the compiler first; neither looks like a flag.
    let skip = if role == Role::Rustdoc { 1 } else { 2 };
    argv.iter().skip(skip).map(Vec::as_slice)
}

/// An argument file among the values of a compile, where a package may have put it.
fn smuggled(role: Role, argv: &[Vec<u8>]) -> Option<&[u8]> {
    let compiles = matches!(role, Role::Rustc | Role::Rustdoc | Role::Probe);
    let found = compiles.then(|| rustc_args::smuggled(compiler_args(role, argv)));
    found.flatten()?.strip_prefix(b"@")
}

/// All strings, if they could be read and none was cut off.
fn whole(strings: io::Result<Strings>) -> Option<Vec<Vec<u8>>> {
    strings
        .ok()
        .filter(|found| !found.cut)
        .map(|found| found.all)
}

fn identity(role: Role, path: &[u8], argv: &[Vec<u8>], env: &[Vec<u8>]) -> Identity {
    let value = |name: &[u8]| variable(env, name).unwrap_or(b"").to_vec();
    let mut found = Identity {
        package: value(b"CARGO_PKG_NAME"),
        version: value(b"CARGO_PKG_VERSION"),
        crate_name: value(b"CARGO_CRATE_NAME"),
        manifest_dir: value(b"CARGO_MANIFEST_DIR"),
        primary: variable(env, b"CARGO_PRIMARY_PACKAGE").is_some(),
        exe: path.to_vec(),
        ..Identity::default()
    };
    match role {
        Role::Rustc | Role::Rustdoc | Role::Probe => {
            let args = parse_args(role, argv);
            found.incremental = args.own_incremental();
            if !args.crate_name.is_empty() {
                found.crate_name = args.crate_name;
            }
            found.crate_types = args.crate_types;
            found.out_dir = args.out_dir;
            found.extra = args.extra;
            found.macros = args.macros;
            found.input = args.input;
        }
        Role::Script => found.out_dir = value(b"OUT_DIR"),
        Role::Program | Role::Cargo | Role::Unknown => {}
    }
    found
}

fn absolute(mut identity: Identity, cwd: &[u8]) -> Identity {
    let paths = [
        &mut identity.out_dir,
        &mut identity.incremental,
        &mut identity.manifest_dir,
        &mut identity.input,
    ];
    for path in paths {
        if !path.is_empty() {
            *path = crate::paths::normal(cwd, path);
        }
    }
    identity
}

/// Whether the file is a stand-in, by which the kernel starts this very guard.
fn is_stand_in(path: &[u8]) -> io::Result<bool> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(OsStr::from_bytes(path))?;
    Ok(file.metadata()?.is_file() && Trailer::read(&file)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_by_cargos_environment_and_command_line() {
        let bytes = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect::<Vec<_>>()
        };
        let env = bytes(&[
            "CARGO_PKG_NAME=serde",
            "CARGO_PKG_VERSION=1.0.1",
            "CARGO_MANIFEST_DIR=/r/serde",
            "X=CARGO_PRIMARY_PACKAGE=1",
        ]);
        let argv = bytes(&[
            "/g",
            "rustc",
            "--crate-name",
            "serde",
            "src/lib.rs",
            "--out-dir",
            "out",
        ]);
        let found = absolute(identity(Role::Rustc, b"/g", &argv, &env), b"/w");
        assert_eq!(
            (found.package, found.version),
            (b"serde".to_vec(), b"1.0.1".to_vec())
        );
        assert_eq!((found.out_dir, found.primary), (b"/w/out".to_vec(), false));
    }

    #[test]
    fn descriptors_are_recognised_in_paths() {
        for path in [
            "/dev/fd/3",
            "/proc/self/fd/3",
            "/proc/77/fd/3",
            "/proc/thread-self/fd/9",
        ] {
            assert!(is_descriptor(path.as_bytes()), "{path}");
        }
        for path in ["/dev/fdx/3", "/home/fd/3", "/proc/self/exe"] {
            assert!(!is_descriptor(path.as_bytes()), "{path}");
        }
    }
}
