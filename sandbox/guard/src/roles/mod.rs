//! The roles that stand between cargo and a unit: rustc wrapper, rustdoc, build script.

mod child;
mod libraries;
mod outputs;
mod pump;
mod replace;
mod rustc;
mod rustdoc;
mod script;
mod survivors;

pub use rustc::main as rustc;
pub use rustdoc::main as rustdoc;
pub use script::main as script;
#[cfg(test)]
pub use survivors::Survivor;

use crate::pairs;
use crate::paths;
use crate::report;
use crate::rules::{self, Allowance, Source};
use crate::rustc_args;
use crate::sys::{self, Ended};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where the plan puts the roles' settings; its absence means that we run outside a container.
const SETTINGS: &str = "/run/cargo-sandbox/roles";

/// Exit code for a wall that can't stand.
pub const NOT_AS_PLANNED: i32 = 121;

const STDOUT_CAP: u64 = 64 << 20;

/// What the roles file says.
#[derive(Default)]
pub struct Settings {
    /// Crate name and absolute source path of each build script.
    pub scripts: Vec<(Vec<u8>, Vec<u8>)>,
    pub inner_wrapper: Vec<u8>,
    pub rustdoc: Vec<u8>,
    pub allowances: Vec<Allowance>,
    pub sources: Vec<Source>,
    /// Scratch folders that all units share.
    pub tmp: Vec<Vec<u8>>,
    /// Where each unit's own scratch folder is made; best where no unit may write otherwise.
    pub scratch: Vec<u8>,
    /// Folders below which cargo's output folders hold no library of the build's own.
    pub unsearched: Vec<Vec<u8>>,
    /// Bytes that a script may write to stdout, and to stderr.
    pub stdout_cap: u64,
    /// The kernel has no Landlock, and the plan says so: units get no domain.
    pub without_domain: bool,
    /// The kernel gives orphans to init alone, and the plan says so: what a unit leaves running stays until the end.
    pub without_subreaper: bool,
    /// Nobody records, so nobody has looked at this unit's command line before us.
    pub alone: bool,
    breaks: Vec<Vec<u8>>,
}

impl Settings {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut found = Self {
            stdout_cap: STDOUT_CAP,
            ..Self::default()
        };
        for (key, value) in pairs::parse(bytes).map_err(|error| error.to_string())? {
            let bad = || format!("bad value for {}", String::from_utf8_lossy(key));
            match key {
                b"script" => {
                    let (name, source) = pairs::two(value).ok_or_else(bad)?;
                    found.scripts.push((name.to_vec(), source.to_vec()));
                }
                b"inner_wrapper" => found.inner_wrapper = value.to_vec(),
                b"rustdoc" => found.rustdoc = value.to_vec(),
                b"write" => found
                    .allowances
                    .push(Allowance::parse(value).ok_or_else(bad)?),
                b"package" => found.sources.push(Source::parse(value).ok_or_else(bad)?),
                b"scratch" => found.scratch = value.to_vec(),
                b"tmp" => found.tmp.push(value.to_vec()),
                b"unsearched" => found.unsearched.push(value.to_vec()),
                b"stdout_cap" => found.stdout_cap = sys::number(value).ok_or_else(bad)?,
                b"landlock" if value == b"0" => found.without_domain = true,
                b"subreaper" if value == b"0" => found.without_subreaper = true,
                b"alone" if value == b"1" => found.alone = true,
                b"break" => found.breaks.push(value.to_vec()),
                _ => return Err(format!("unknown key {}", String::from_utf8_lossy(key))),
            }
        }
        rules::complete_scratch(&mut found.tmp, &mut found.scratch);
        Ok(found)
    }

    /// The package of a compile, for its allowances: by its source where the plan tells, else by the environment.
    fn package(&self, input: &[u8], cwd: &[u8]) -> Vec<u8> {
        let known = (!input.is_empty()).then(|| paths::normal(cwd, input));
        let known = known.and_then(|path| Source::find(&self.sources, &path));
        known.map_or_else(
            || variable("CARGO_PKG_NAME"),
            |source| source.package.clone(),
        )
    }

    /// Whether a test took this wall down. Never in a build without the feature `break-walls`.
    pub fn broken(&self, wall: &str) -> bool {
        cfg!(feature = "break-walls") && self.breaks.iter().any(|name| name == wall.as_bytes())
    }

    /// Whether a test took away `no_new_privs`, without which the kernel takes filters and domains only from who has
    /// capabilities (seccomp(2), `landlock_restrict_self(2)`).
    pub fn privileges_kept(&self) -> bool {
        ["no-new-privs", "capabilities", "user"]
            .iter()
            .all(|wall| self.broken(wall))
    }
}

/// The settings, or None outside a container. A container with unreadable settings is not as planned.
fn settings() -> Option<Settings> {
    match fs::read(SETTINGS) {
        Ok(bytes) => match Settings::parse(&bytes) {
            Ok(found) => Some(found),
            Err(error) => refuse(&format!("{SETTINGS}: {error}")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => refuse(&sys::context(SETTINGS, &error)),
    }
}

/// Whether cargo started this process itself. A nested one is in its unit's domain already and adds nothing.
fn is_first() -> bool {
    report::is_first().unwrap_or_else(|| descends(std::os::unix::process::parent_id()))
}

/// Whether a parent may be the trusted cargo, where init can't tell: cargo is init's own child. So is what a unit has left
/// behind, whose children enter one more domain inside of their own; the other way round nobody can get.
fn descends(parent: u32) -> bool {
    sys::stat(parent).is_none_or(|stat| stat.parent <= 1)
}

/// Refuse a compile whose line a package has put an argument file into, where init has not done so already.
fn refuse_smuggled(settings: &Settings, args: &[OsString]) {
    let found = settings
        .alone
        .then(|| rustc_args::smuggled(args.iter().map(|arg| arg.as_bytes())));
    if let Some(file) = found.flatten() {
        let file = String::from_utf8_lossy(file);
        refuse(&format!(
            "a build script put an argument file into this compile: {file}"
        ))
    }
}

/// Become another program.
fn exec(program: &OsStr, arg0: &OsStr, args: &[impl AsRef<OsStr>]) -> ! {
    let error = Command::new(program).arg0(arg0).args(args).exec();
    eprintln!("cargo-sandbox: {}: {error}", program.to_string_lossy());
    std::process::exit(127)
}

/// Say why the sandbox is not as planned, and end.
fn refuse(why: &str) -> ! {
    eprintln!("cargo-sandbox: the sandbox is not as planned: {why}");
    std::process::exit(NOT_AS_PLANNED)
}

/// End as the child ended, so that cargo tells the same story as without us.
fn end_like(ended: Ended) -> ! {
    match ended {
        Ended::Code(code) => std::process::exit(code),
        Ended::Signal(signal) => {
            // SAFETY: these calls touch only the memory of the set on our stack.
            unsafe {
                let none = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                libc::setrlimit(libc::RLIMIT_CORE, &none);
                libc::signal(signal, libc::SIG_DFL);
                let mut set: libc::sigset_t = std::mem::zeroed();
                libc::sigemptyset(&mut set);
                libc::sigaddset(&mut set, signal);
                libc::sigprocmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
                libc::kill(libc::getpid(), signal);
            }
            std::process::exit(128 + signal)
        }
    }
}

/// A variable of the environment that cargo gave us; empty when it is not set.
fn variable(name: &str) -> Vec<u8> {
    std::env::var_os(name)
        .map(|value| value.as_bytes().to_vec())
        .unwrap_or_default()
}

/// Current directory as bytes.
fn current_dir() -> Vec<u8> {
    std::env::current_dir()
        .map(|path| path.as_os_str().as_bytes().to_vec())
        .unwrap_or_else(|_| b"/".to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_of_inits_can_be_cargo_and_who_can_t_be_seen_may_be() {
        assert!(descends(1) && descends(u32::MAX));
        let mut child = Command::new("sleep").arg("5").spawn().unwrap();
        assert!(!descends(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_roles_file_is_read_whole_and_an_unknown_key_is_an_error() {
        let found =
            Settings::parse(b"script\0build_script_build\t/p/build.rs\0tmp\0/tmp\0stdout_cap\09\0")
                .unwrap();
        assert_eq!(
            found.scripts,
            [(b"build_script_build".to_vec(), b"/p/build.rs".to_vec())]
        );
        assert_eq!((found.stdout_cap, found.tmp), (9, vec![b"/tmp".to_vec()]));
        assert!(!(found.alone || found.without_domain || found.without_subreaper));
        let bare = b"alone\x001\x00landlock\x000\x00subreaper\x000\x00";
        let bare = Settings::parse(bare).unwrap();
        assert!(bare.alone && bare.without_domain && bare.without_subreaper);
        for odd in [&b"scirpt\0x\0"[..], b"alone\0yes\0", b"landlock\x007\x00"] {
            assert!(Settings::parse(odd).is_err());
        }
        assert!(Settings::parse(b"script\0no tab\0").is_err());
    }

    #[cfg(not(feature = "break-walls"))]
    #[test]
    fn a_wall_cannot_be_taken_down_in_a_normal_build() {
        assert!(!Settings::parse(b"break\0landlock\0")
            .unwrap()
            .broken("landlock"));
    }
}
