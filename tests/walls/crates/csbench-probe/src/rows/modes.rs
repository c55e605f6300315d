//! Files that lend their owner's rights, and devices. A row succeeds only when the file has got the bits.

use super::row;
use crate::kernel::{c, call, HERE};
use crate::targets::Targets;
use crate::{Outcome, Row};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::Command;

const SET_USER: usize = 0o4755;
const SET_GROUP: usize = 0o2755;
const CREATE: usize = 0o101;
const REGULAR: usize = 0o100000;
const CHARACTER: usize = 0o020600;
const BLOCK: usize = 0o060600;

pub const ROWS: &[Row] = &[
    #[cfg(target_arch = "x86_64")]
    row!("set-id-chmod", "a set-user-id bit by chmod", |t| on(t, |path, _| call(
        t.nr("chmod")?,
        [path, SET_USER]
    ))),
    row!("set-id-fchmod", "a set-group-id bit by fchmod", |t| on(
        t,
        |_, fd| call(t.nr("fchmod")?, [fd, SET_GROUP])
    )),
    row!("set-id-fchmodat", "a set-user-id bit by fchmodat", |t| on(
        t,
        |path, _| call(t.nr("fchmodat")?, [HERE, path, SET_USER])
    )),
    row!("set-id-fchmodat2", "a set-group-id bit by fchmodat2", |t| on(
        t,
        |path, _| call(t.nr("fchmodat2")?, [HERE, path, SET_GROUP, 0])
    )),
    #[cfg(target_arch = "x86_64")]
    row!("set-id-open", "a file opened with a set-user-id bit", |t| born(
        t,
        |path| call(t.nr("open")?, [path, CREATE, SET_USER])
    )),
    row!(
        "set-id-openat",
        "a file opened with a set-group-id bit, by openat",
        |t| { born(t, |path| call(t.nr("openat")?, [HERE, path, CREATE, SET_GROUP])) }
    ),
    #[cfg(target_arch = "x86_64")]
    row!(
        "set-id-creat",
        "a file made with a set-user-id bit, by creat",
        |t| born(t, |path| call(t.nr("creat")?, [path, SET_USER]))
    ),
    #[cfg(target_arch = "x86_64")]
    row!("set-id-mknod", "a plain file with a set-user-id bit, by mknod", |t| {
        born(t, |path| call(t.nr("mknod")?, [path, REGULAR | SET_USER, 0]))
    }),
    row!(
        "set-id-mknodat",
        "a plain file with a set-user-id bit, by mknodat",
        |t| born(t, |path| call(t.nr("mknodat")?, [HERE, path, REGULAR | SET_USER, 0]))
    ),
    row!("set-id-mkdir", "a folder made with a set-user-id bit", |t| {
        let path = format!("{}/folder-{}", t.get("work")?, std::process::id());
        call(t.nr("mkdirat")?, [HERE, c(&path), SET_USER])?;
        let bits = has_bits(&path);
        fs::remove_dir(&path)?;
        bits
    }),
    row!("set-id-program", "gain rights by a set-user-id program", |t| {
        let done = Command::new(t.get("set-id-program")?).arg("--who").output()?;
        let user = String::from_utf8_lossy(&done.stdout).trim().to_owned();
        if user == crate::effective_user().to_string() {
            return Err(io::Error::other(format!("it ran as user {user}")));
        }
        Ok(user)
    }),
    row!("device-character", "mknod of /dev/null's numbers", |t| device(
        t, CHARACTER, 0x103
    )),
    row!("device-block", "mknod of a disk's numbers", |t| device(t, BLOCK, 0x700)),
    row!(
        "device-whiteout",
        "mknod of 0:0, what overlays take for a deletion",
        |t| device(t, CHARACTER, 0)
    ),
];

/// A change of a file that is there.
fn on(t: &Targets, act: impl FnOnce(usize, usize) -> io::Result<isize>) -> Outcome {
    let path = t.fresh("moded")?;
    let file = File::create(&path)?;
    act(c(&path), file.as_raw_fd() as usize)?;
    bits_then_gone(&path)
}

/// A file that the act makes.
fn born(t: &Targets, act: impl FnOnce(usize) -> io::Result<isize>) -> Outcome {
    let path = t.fresh("born")?;
    act(c(&path))?;
    bits_then_gone(&path)
}

fn bits_then_gone(path: &str) -> Outcome {
    let bits = has_bits(path);
    fs::remove_file(path)?;
    bits
}

fn has_bits(path: &str) -> Outcome {
    let mode = fs::symlink_metadata(path)?.permissions().mode();
    if mode & 0o6000 == 0 {
        return Err(io::Error::other(format!("the mode is {:o}", mode & 0o7777)));
    }
    Ok(format!("{:o}", mode & 0o7777))
}

fn device(t: &Targets, mode: usize, numbers: usize) -> Outcome {
    let path = t.fresh("device")?;
    call(t.nr("mknodat")?, [HERE, c(&path), mode, numbers])?;
    let kind = fs::symlink_metadata(&path)?.file_type();
    fs::remove_file(&path)?;
    if kind.is_char_device() || kind.is_block_device() {
        return Ok(String::new());
    }
    Err(io::Error::other("no device was made"))
}
