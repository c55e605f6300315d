//! The stand-in of one build script: runs the real one beside it, able to write `OUT_DIR` and scratch only.

use super::child::{self, Launch};
use super::{current_dir, end_like, exec, is_first, outputs, refuse, settings, variable};
use crate::hash;
use crate::paths;
use crate::report::Report;
use crate::sys::{self, Ended};
use crate::trailer::{Identity, Trailer};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Run the script that a stand-in names: the first argument, which the kernel puts there (execve(2), "Interpreter
/// scripts"). The others are the script's.
pub fn main(args: &[OsString]) -> ! {
    let Some((arg0, args)) = args.split_first() else {
        refuse("a build script's stand-in was not named")
    };
    let stand_in = Path::new(arg0);
    let open = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(stand_in);
    let trailer = match open.and_then(|file| Trailer::read(&file)) {
        Ok(Some(trailer)) => trailer,
        Ok(None) => refuse(&format!("{}: not a stand-in", stand_in.display())),
        Err(error) => refuse(&sys::context(&stand_in.to_string_lossy(), &error)),
    };
    let real = stand_in.with_file_name(OsStr::from_bytes(&trailer.name));
    let Some(settings) = settings() else {
        exec(real.as_os_str(), arg0, args)
    };
    if let Err(error) = verify(&real, &trailer) {
        refuse(&format!("{}: {error}", real.display()));
    }
    if !is_first() {
        exec(real.as_os_str(), arg0, args);
    }
    let cwd = current_dir();
    let out_dir = variable("OUT_DIR");
    let rules = child::rules(
        &settings,
        &[&out_dir],
        [out_dir.as_slice(), real.as_os_str().as_bytes()],
        &variable("CARGO_PKG_NAME"),
        &cwd,
    );
    let launch = Launch {
        program: real.into(),
        arg0: arg0.clone(),
        args: args.to_vec(),
        rules,
        settings: &settings,
        through_us: true,
        tests: false,
    };
    let mut outcome = child::run(launch).unwrap_or_else(|error| refuse(&error));
    if outcome.heard.flood {
        let cap = settings.stdout_cap;
        eprintln!("cargo-sandbox: this build script wrote more than {cap} bytes to one stream and was ended");
        outcome.ended = Ended::Code(1);
    }
    let mut report = Report::default();
    outcome.report(&mut report);
    if outcome.heard.flood {
        report.push("flood", b"1");
    }
    if outcome.heard.cut {
        report.push("directives_cut", b"1");
    }
    for directive in &outcome.heard.directives {
        report.push("directive", directive);
    }
    if !out_dir.is_empty() && !settings.broken("seal") {
        outputs::generated(&mut report, &paths::normal(&cwd, &out_dir));
    }
    report.end();
    end_like(outcome.ended)
}

/// The script must still be what the compiler made.
fn verify(real: &Path, trailer: &Trailer) -> Result<(), String> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(real)
        .map_err(|error| error.to_string())?;
    let status = file.metadata().map_err(|error| error.to_string())?;
    if !status.is_file() {
        return Err("not a regular file".into());
    }
    if trailer.identity.is_known() && trailer.identity == Identity::of(&status) {
        return Ok(());
    }
    match hash::of(&file) {
        Ok(found) if found == trailer.digest => Ok(()),
        Ok(_) => Err("the build script changed after it was compiled".into()),
        Err(error) => Err(error.to_string()),
    }
}
