//! Runs a unit's real program in its own Landlock domain, and ends everything it leaves behind.

use super::survivors::{self, Survivor};
use super::{libraries, pump, Settings};
use crate::landlock::Ruleset;
use crate::paths;
use crate::report::Report;
use crate::rules::{scratch_prefix, WriteRules};
use crate::sched;
use crate::sys::{self, Ended, Reaped};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What to run and how.
pub struct Launch<'a> {
    pub program: OsString,
    pub arg0: OsString,
    pub args: Vec<OsString>,
    pub rules: WriteRules,
    pub settings: &'a Settings,
    /// Copy stdout and stderr through us, to see directives and to cap a flood.
    pub through_us: bool,
    /// It may run the user's own programs, which may look for libraries in cargo's output folders by name.
    pub tests: bool,
}

/// How it went.
pub struct Outcome {
    pub ended: Ended,
    pub usage: Box<libc::rusage>,
    pub survivors: Vec<Survivor>,
    pub heard: pump::Heard,
}

/// The unit's own scratch folder, removed with all that is in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(top: &[u8]) -> io::Result<Self> {
        let mut name = scratch_prefix(top, std::process::id());
        name.extend_from_slice(b"XXXXXX\0");
        // SAFETY: `name` is a NUL-ended string that mkdtemp(3) may change in place.
        if unsafe { libc::mkdtemp(name.as_mut_ptr().cast()) }.is_null() {
            return Err(io::Error::last_os_error());
        }
        name.pop();
        Ok(Self(OsString::from_vec(name).into()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if fs::remove_dir(&self.0).is_err() {
            // std walks by descriptor and does not follow links. What can't be removed stays until the tmpfs goes.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Run to the end. The error says which step failed.
pub fn run(launch: Launch<'_>) -> Result<Outcome, String> {
    if !launch.settings.without_subreaper {
        sys::become_subreaper().map_err(|error| sys::context("PR_SET_CHILD_SUBREAPER", &error))?;
    }
    if !launch.tests {
        sched::stand_back();
    }
    let top = &launch.settings.scratch;
    let scratch = Scratch::new(top).map_err(|error| {
        sys::context(
            &format!("a scratch folder in {}", String::from_utf8_lossy(top)),
            &error,
        )
    })?;
    let mut command = Command::new(&launch.program);
    command
        .arg0(&launch.arg0)
        .args(&launch.args)
        .env("TMPDIR", &scratch.0);
    if !launch.tests && !launch.settings.broken("libraries") {
        libraries::narrow(&mut command, &launch.settings.unsearched);
    }
    if launch.through_us {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    if !launch.settings.without_domain && !launch.settings.broken("landlock") {
        let mut rules = launch.rules;
        rules
            .folders
            .push(scratch.0.as_os_str().as_bytes().to_vec());
        let ruleset = Ruleset::new(&rules, !launch.settings.broken("sigscope"))?;
        let kept = launch.settings.privileges_kept();
        // SAFETY: `enter` makes system calls only: no allocation, no lock.
        unsafe { command.pre_exec(move || ruleset.enter(kept)) };
    }
    let mut child = command.spawn().map_err(|error| {
        sys::context(
            &format!("start {}", launch.program.to_string_lossy()),
            &error,
        )
    })?;
    let pid = child.id();
    let mut pipes = match (child.stdout.take(), child.stderr.take()) {
        (Some(out), Some(err)) => Some(pump::Pump::new(
            out.into(),
            err.into(),
            launch.settings.stdout_cap,
        )),
        _ => None,
    };
    if let Some(pump) = &mut pipes {
        pump.until_exit(pid)
            .map_err(|error| sys::context("copy the script's output", &error))?;
    }
    let Reaped::Child(_, ended, usage) = sys::reap(i32::try_from(pid).unwrap_or(-1), true) else {
        return Err("the unit's process vanished".into());
    };
    let survivors = if launch.settings.broken("kill") {
        Vec::new()
    } else {
        survivors::end_all()
    };
    let heard = pipes.map(pump::Pump::drain).unwrap_or_default();
    Ok(Outcome {
        ended,
        usage,
        survivors,
        heard,
    })
}

impl Outcome {
    /// Put what every role reports.
    pub fn report(&self, report: &mut Report) {
        match self.ended {
            Ended::Code(code) => report.push("status", code.to_string().as_bytes()),
            Ended::Signal(signal) => report.push("signal", signal.to_string().as_bytes()),
        }
        let time = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
        let cpu = time(self.usage.ru_utime) + time(self.usage.ru_stime);
        report.push("maxrss_kb", self.usage.ru_maxrss.to_string().as_bytes());
        report.push("cpu_ms", cpu.to_string().as_bytes());
        for survivor in &self.survivors {
            report.push("survivor", &survivor.encode());
        }
    }
}

/// What this unit may write: its `own` folders, scratch space, and what the plan allows its package.
///
/// `mentioned` are the paths on its command line and in its environment. If any lies below a shared scratch folder, the
/// build itself does, and to allow that folder would be to allow every unit's outputs: then none is shared.
pub fn rules<'a>(
    settings: &Settings,
    own: &[&[u8]],
    mentioned: impl IntoIterator<Item = &'a [u8]>,
    package: &[u8],
    cwd: &[u8],
) -> WriteRules {
    let slashed: Vec<Vec<u8>> = settings
        .tmp
        .iter()
        .map(|top| [top, &b"/"[..]].concat())
        .collect();
    let below = |text: &[u8]| slashed.iter().any(|top| paths::contains(text, top));
    let is_below = below(cwd) || mentioned.into_iter().any(below);
    let shared: &[Vec<u8>] = if is_below { &[] } else { &settings.tmp };
    let scratch = scratch_prefix(&settings.scratch, std::process::id());
    WriteRules::new(own, shared, scratch, &settings.allowances, package, cwd)
}

/// Bytes as they stand in an OS string.
pub fn os(bytes: &[u8]) -> OsString {
    std::ffi::OsStr::from_bytes(bytes).to_os_string()
}
