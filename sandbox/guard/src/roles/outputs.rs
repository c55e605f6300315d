//! What a unit left in its own folder, for the seals: inode, size, times, and a digest where it pays.

use crate::hash;
use crate::paths;
use crate::report::Report;
use crate::sys;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MOST_OUTPUTS: usize = 20_000;

/// Report the files directly in `folder` whose name belongs to this compile. `digest` decides about hashing; `known` was hashed already.
pub fn compiled(
    report: &mut Report,
    folder: &[u8],
    crate_name: &[u8],
    extra: &[u8],
    digest: bool,
    known: Option<&(PathBuf, [u8; 32])>,
) {
    let folder = Path::new(std::ffi::OsStr::from_bytes(folder));
    let Some(entries) = list(report, folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_bytes();
        let ours = if extra.is_empty() {
            belongs(name, crate_name)
        } else {
            paths::contains(name, extra)
        };
        if ours {
            if let Ok(status) = fs::symlink_metadata(entry.path()) {
                if !status.is_dir() {
                    let path = entry.path();
                    let digest = match known {
                        Some((hashed, digest)) if *hashed == path => Some(hash::hex(digest)),
                        _ if digest => digest_of(&path),
                        _ => None,
                    };
                    push(report, &path, &status, digest.as_deref());
                }
            }
        }
    }
}

/// Whether a file name is `[lib]crate_name` with some extension.
fn belongs(name: &[u8], crate_name: &[u8]) -> bool {
    let name = name.strip_prefix(b"lib").unwrap_or(name);
    name.strip_prefix(crate_name)
        .is_some_and(|rest| rest.is_empty() || rest[0] == b'.')
}

/// Report all files and links below a script's `OUT_DIR`. Links are not followed.
pub fn generated(report: &mut Report, top: &[u8]) {
    let mut folders = vec![PathBuf::from(std::ffi::OsStr::from_bytes(top))];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        let Some(entries) = list(report, &folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(status) = fs::symlink_metadata(&path) else {
                continue;
            };
            if status.is_dir() {
                folders.push(path);
            } else if status.is_file() || status.is_symlink() {
                if count == MOST_OUTPUTS {
                    report.push("outputs_cut", b"1");
                    return;
                }
                count += 1;
                push(report, &path, &status, None);
            }
        }
    }
}

/// A folder's entries. What can't be listed is not sealed, and that is said: who owns a folder can hide what is in it.
fn list(report: &mut Report, folder: &Path) -> Option<fs::ReadDir> {
    match fs::read_dir(folder) {
        Ok(entries) => Some(entries),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                report.push("outputs_cut", b"1");
            }
            None
        }
    }
}

fn push(report: &mut Report, path: &Path, status: &Metadata, digest: Option<&str>) {
    let (mtime, ctime) = sys::times_ns(status);
    let head = format!(
        "{}\t{}\t{mtime}\t{ctime}\t{}\t",
        status.ino(),
        status.size(),
        digest.unwrap_or("-")
    );
    let mut value = head.into_bytes();
    value.extend_from_slice(path.as_os_str().as_bytes());
    report.push("output", &value);
}

/// SHA-256 of a regular file in hexadecimal; None for anything else.
fn digest_of(path: &Path) -> Option<String> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    file.metadata()
        .ok()?
        .is_file()
        .then(|| hash::of(&file).ok())
        .flatten()
        .map(|digest| hash::hex(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_extra_name_a_file_belongs_by_its_crate_name() {
        for name in ["app", "app.d", "libapp.rlib", "libapp.so"] {
            assert!(belongs(name.as_bytes(), b"app"), "{name}");
        }
        for name in ["apple", "libapple.rlib", "my-app", ""] {
            assert!(!belongs(name.as_bytes(), b"app"), "{name}");
        }
    }
}
