//! rustdoc under its own domain: it may write its output folder and scratch; with `--test` it also runs doctests there.

use super::child::{self, os, Launch};
use super::{current_dir, end_like, exec, is_first, refuse, refuse_smuggled, settings};
use crate::report::Report;
use crate::rustc_args;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// Run the real rustdoc with our arguments.
pub fn main(args: &[OsString]) -> ! {
    let Some(settings) = settings() else {
        refuse("rustdoc's stand-in runs outside a container")
    };
    let program = os(&settings.rustdoc);
    if program.is_empty() {
        refuse("the settings name no rustdoc");
    }
    if !is_first() {
        exec(&program, &program, args);
    }
    refuse_smuggled(&settings, args);
    let found = rustc_args::parse(args.iter().map(|arg| arg.as_bytes()), rustc_args::read_file);
    let mut own: Vec<&[u8]> = vec![&found.out_dir];
    own.extend(found.more_out.iter().map(Vec::as_slice));
    let cwd = current_dir();
    let rules = child::rules(
        &settings,
        &own,
        args.iter().map(|arg| arg.as_bytes()),
        &settings.package(&found.input, &cwd),
        &cwd,
    );
    let launch = Launch {
        program: program.clone(),
        arg0: program,
        args: args.to_vec(),
        rules,
        settings: &settings,
        through_us: false,
        tests: args.iter().any(|arg| arg == "--test"),
    };
    let outcome = child::run(launch).unwrap_or_else(|error| refuse(&error));
    let mut report = Report::default();
    outcome.report(&mut report);
    report.end();
    end_like(outcome.ended)
}
