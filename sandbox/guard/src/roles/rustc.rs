//! The rustc wrapper: `guard [WRAPPER] RUSTC ARGS…`, as cargo calls a `RUSTC_WRAPPER`.

use super::child::{self, os, Launch};
use super::{current_dir, end_like, exec, is_first, outputs, refuse, refuse_smuggled};
use super::{replace, settings, Settings};
use crate::paths;
use crate::report::Report;
use crate::rustc_args::{self, RustcArgs};
use crate::sys::Ended;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Run the compiler that the arguments name.
pub fn main(args: &[OsString]) -> ! {
    let Some((program, rest)) = args.split_first() else {
        eprintln!(
            "cargo-sandbox guard: a rustc wrapper needs the compiler's path as its first argument"
        );
        std::process::exit(2)
    };
    let Some(settings) = is_first().then(settings).flatten() else {
        leave_sources(rest);
        exec(program, program, rest)
    };
    refuse_smuggled(&settings, rest);
    let found = rustc_args::parse(rest.iter().map(|arg| arg.as_bytes()), rustc_args::read_file);
    let cwd = current_dir();
    let incremental = found.own_incremental();
    if !incremental.is_empty() {
        // rustc makes this folder itself, but a rule can only stand on one that is there.
        let _ = fs::create_dir_all(OsStr::from_bytes(&incremental));
    }
    let rules = child::rules(
        &settings,
        &[&found.out_dir, &incremental],
        rest.iter().map(|arg| arg.as_bytes()),
        &settings.package(&found.input, &cwd),
        &cwd,
    );
    let own = |arg: &OsString| {
        let changed = found.with_own_incremental(arg.as_bytes());
        changed.map_or_else(|| arg.clone(), |arg| os(&arg))
    };
    let mut argv: Vec<OsString> = args.iter().map(own).collect();
    if !settings.inner_wrapper.is_empty() {
        argv.insert(0, os(&settings.inner_wrapper));
    }
    let launch = Launch {
        program: argv[0].clone(),
        arg0: argv[0].clone(),
        args: argv[1..].to_vec(),
        rules,
        settings: &settings,
        through_us: false,
        tests: false,
    };
    let outcome = child::run(launch).unwrap_or_else(|error| refuse(&error));
    let script = is_script(&found, &settings, &cwd);
    let mut known = None;
    if script && outcome.ended == Ended::Code(0) && !settings.broken("replace") {
        let out_dir = paths::normal(&cwd, &found.out_dir);
        let name = [&out_dir[..], b"/", &found.crate_name, &found.extra].concat();
        match replace::replace(Path::new(OsStr::from_bytes(&name))) {
            Ok(real) => known = Some(real),
            Err(error) => refuse(&error),
        }
    }
    let mut report = Report::default();
    outcome.report(&mut report);
    if !found.out_dir.is_empty() && !settings.broken("seal") {
        // Of what it only checks, cargo sets the times once rustc is gone. Of the user's own packages' outputs it makes
        // hard links, and of any package's dylib (`uplift_to` in cargo). Elsewhere nobody has a reason to move a ctime.
        let digest = script
            || found.only_checks()
            || found.crate_types.iter().any(|kind| kind == b"dylib")
            || std::env::var_os("CARGO_PRIMARY_PACKAGE").is_some();
        let folder = paths::normal(&cwd, &found.out_dir);
        outputs::compiled(
            &mut report,
            &folder,
            &found.crate_name,
            &found.extra,
            digest,
            known.as_ref(),
        );
    }
    report.end();
    end_like(outcome.ended)
}

/// A probe that reads its source from stdin and writes to stdout still makes a temporary folder where it stands, which
/// for a build script is the package's read-only source. It would fail here and work under plain cargo, so let it
/// stand in the unit's scratch folder.
fn leave_sources(args: &[OsString]) {
    if rustc_args::is_piped(args.iter().map(|arg| arg.as_bytes())) {
        if let Some(scratch) = std::env::var_os("TMPDIR") {
            let _ = std::env::set_current_dir(scratch);
        }
    }
}

/// Whether this compile makes one of the build scripts that the plan lists.
fn is_script(found: &RustcArgs, settings: &Settings, cwd: &[u8]) -> bool {
    if found.input.is_empty() || found.crate_types.iter().all(|kind| kind != b"bin") {
        return false;
    }
    let source = paths::normal(cwd, &found.input);
    let real = fs::canonicalize(OsStr::from_bytes(&source)).ok();
    settings.scripts.iter().any(|(name, path)| {
        *name == found.crate_name
            && (*path == source
                || real
                    .as_ref()
                    .is_some_and(|real| real.as_os_str().as_bytes() == path))
    })
}
