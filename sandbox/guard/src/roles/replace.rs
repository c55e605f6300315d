//! Puts the guard in a fresh build script's place: `name` becomes its stand-in, `name.real` the script.

use crate::hash;
use crate::sys;
use crate::trailer::{Identity, Trailer};
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
    let identity = unmoved(&file, &status).map_err(step("stat the build script"))?;
    let name = real.file_name().unwrap_or_default().as_bytes().to_vec();
    let fresh = with_suffix(script, &format!(".guard-{}", std::process::id()));
    let written = write_stand_in(
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
            sys::context("write the build script's stand-in", &error)
        })?;
    Ok((real, digest))
}

/// The file's identity, if it did not move while we hashed.
///
/// A write in the same step of the file system's clock would not show in it. But who could: the unit that made the file is
/// over, and no other unit's Landlock domain opens this folder. Hashing again at the script's start would be for nothing.
fn unmoved(file: &File, before: &Metadata) -> io::Result<Identity> {
    let (before, after) = (Identity::of(before), Identity::of(&file.metadata()?));
    Ok(if before == after {
        after
    } else {
        Identity::default()
    })
}

fn write_stand_in(path: &Path, trailer: &Trailer, modified: Option<SystemTime>) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path)?;
    file.write_all(&trailer.encode())?;
    // The mode given to open is narrowed by the umask.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    if let Some(time) = modified {
        file.set_modified(time)?;
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
