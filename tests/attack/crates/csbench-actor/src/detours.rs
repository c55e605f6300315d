//! Detours to a file, and programs that have no name: what a shell can't say.

use crate::sys::{c_string, call, check, exec, in_child, parse};
use crate::Outcome;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{symlink, OpenOptionsExt};
use std::path::Path;

extern "C" {
    fn openat(at: i32, path: *const std::ffi::c_char, flags: i32, ...) -> i32;
}

const O_PATH: i32 = 0o10_000_000;
const O_DIRECTORY: i32 = 0o200_000;
const AT_EMPTY_PATH: usize = 0x1000;
/// The kernel takes no longer path at once (PATH_MAX), and tells no longer one of a working directory.
const LONGEST: usize = 4096;

pub fn perform(verb: &str, args: &[&str]) -> Option<Outcome> {
    Some(match (verb, args) {
        ("openat", [folder, name]) => below(folder, name, 0),
        ("openat-path", [folder, name]) => below(folder, name, O_PATH | O_DIRECTORY),
        ("path-fd", [path]) => by_place(path),
        ("deep", [top, path]) => deep(top, path),
        ("deleted", [program, place]) => deleted(program, place, None),
        ("deleted-at", [program, place, number]) => {
            parse(number).and_then(|number| deleted(program, place, Some(number)))
        }
        _ => return None,
    })
}

fn content(mut file: File) -> Outcome {
    let mut text = String::new();
    file.read_to_string(&mut text).map(|_| text)
}

/// A name seen from the open folder, which may be open as a mere place.
fn below(folder: &str, name: &str, flags: i32) -> Outcome {
    let folder = OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
    let name = c_string(name);
    let fd = check(unsafe { openat(folder.as_raw_fd(), name.as_ptr(), 0) })?;
    content(unsafe { File::from_raw_fd(i32::try_from(fd).map_err(io::Error::other)?) })
}

/// A mere place that is opened again through /proc.
fn by_place(path: &str) -> Outcome {
    let place = OpenOptions::new().read(true).custom_flags(O_PATH).open(path)?;
    content(File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))?)
}

/// A link so deep in folders that its whole path is longer than any call takes, while the way from the working directory
/// is short. In a child, whose working directory is its own.
fn deep(top: &str, path: &str) -> Outcome {
    let shown = format!("{top}/seen");
    let told = in_child(|| {
        let act = || -> io::Result<()> {
            let mut length = top.len();
            std::env::set_current_dir(top)?;
            let part = "d".repeat(100);
            while length + part.len() + 2 < LONGEST {
                if !Path::new(&part).is_dir() {
                    fs::create_dir(&part)?;
                }
                std::env::set_current_dir(&part)?;
                length += part.len() + 1;
            }
            let link = "l".repeat(LONGEST - length);
            symlink(path, &link)?;
            let seen = content(File::open(&link)?)?;
            fs::remove_file(&link)?;
            fs::write(&shown, seen)
        };
        act().map_or_else(|error| error.raw_os_error().unwrap_or(255), |()| 0)
    })?;
    match told.as_str() {
        "exit 0" => fs::read_to_string(&shown),
        _ => Ok(told),
    }
}

/// A copy of a program that has lost its name before it is started: by /proc, or by `execveat` of the descriptor.
fn deleted(program: &str, place: &str, execveat: Option<usize>) -> Outcome {
    fs::copy(program, place)?;
    let file = OpenOptions::new().read(true).custom_flags(O_PATH).open(place)?;
    fs::remove_file(place)?;
    in_child(|| {
        let fd = file.as_raw_fd();
        let error = match execveat {
            Some(number) => {
                let (empty, name) = (c_string(""), c_string("csbench-deleted"));
                let argv = [name.as_ptr(), std::ptr::null()];
                let (empty, argv) = (empty.as_ptr() as usize, argv.as_ptr() as usize);
                call(number, [fd as usize, empty, argv, 0, AT_EMPTY_PATH, 0]).err()
            }
            None => Some(exec(&[&format!("/proc/self/fd/{fd}"), "csbench-deleted"])),
        };
        error.and_then(|error| error.raw_os_error()).unwrap_or(255)
    })
}
