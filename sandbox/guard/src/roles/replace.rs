//! Puts the guard in a fresh build script's place: `name` becomes the guard with a trailer, `name.real` the script.

use crate::hash;
use crate::sys;
use crate::trailer::{Identity, Trailer};
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Replace the program at `script`. The new file keeps the time of the old one: cargo compares them.
///
/// Gives the real script's path and digest.
pub fn replace(script: &Path) -> Result<(PathBuf, [u8; 32]), String> {
    let step = |what: &'static str| move |error: io::Error| sys::context(what, &error);
    let real = with_suffix(script, ".real");
    fs::rename(script, &real).map_err(step("rename the build script"))?;
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(&real)
        .map_err(step("open the build script"))?;
    let status = file.metadata().map_err(step("stat the build script"))?;
    if !status.is_file() {
        return Err("the build script is not a regular file".into());
    }
    let digest = hash::of(&file).map_err(step("hash the build script"))?;
    let identity = settled(&file, &status).map_err(step("stat the build script"))?;
    let name = real.file_name().unwrap_or_default().as_bytes().to_vec();
    let fresh = with_suffix(script, &format!(".guard-{}", std::process::id()));
    let written = write_copy(
        &fresh,
        &Trailer {
            name,
            digest,
            identity,
        },
        status.modified().ok(),
    );
    written
        .and_then(|()| fs::rename(&fresh, script))
        .map_err(|error| {
            let _ = fs::remove_file(&fresh);
            sys::context("write the guard beside the build script", &error)
        })?;
    Ok((real, digest))
}

/// The file's identity after hashing, if a later write would surely show in it: the clock of a file system moves in
/// steps of some milliseconds, so its ctime must lie some steps back, and must not have moved while we hashed.
fn settled(file: &File, before: &Metadata) -> io::Result<Identity> {
    const STEPS: Duration = Duration::from_millis(20);
    let after = file.metadata()?;
    let changed = Duration::new(
        u64::try_from(after.ctime()).unwrap_or(0),
        u32::try_from(after.ctime_nsec()).unwrap_or(0),
    );
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let same = Identity::of(before) == Identity::of(&after);
    Ok(if same && now > changed + STEPS {
        Identity::of(&after)
    } else {
        Identity::default()
    })
}

fn write_copy(path: &Path, trailer: &Trailer, modified: Option<SystemTime>) -> io::Result<()> {
    let mut own = File::open("/proc/self/exe")?;
    let mut copy = File::options()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path)?;
    io::copy(&mut own, &mut copy)?;
    copy.write_all(&trailer.encode())?;
    // The mode given to open is narrowed by the umask.
    copy.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    if let Some(time) = modified {
        copy.set_modified(time)?;
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
