//! Acts on files. Each is one kind of access that a wall has to know.

use crate::sys::{c_string, call, check, parse};
use crate::Outcome;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{symlink, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const O_PATH: i32 = 0o10_000_000;

pub fn perform(verb: &str, args: &[&str]) -> Option<Outcome> {
    Some(match (verb, args) {
        ("read", [path]) => read(path),
        ("append", [path, text]) => OpenOptions::new()
            .append(true)
            .open(path)
            .and_then(|file| put(file, text)),
        ("put", [path, text]) => OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .and_then(|file| put(file, text)),
        ("truncate", [path]) => {
            let path = c_string(path);
            check(unsafe { truncate(path.as_ptr(), 0) }).map(|_| String::new())
        }
        ("unlink", [path]) => done(fs::remove_file(path)),
        ("rename", [from, to]) => done(fs::rename(from, to)),
        ("link", [from, to]) => done(fs::hard_link(from, to)),
        ("symlink", [to, at]) => done(symlink(to, at)),
        ("mkdir", [path]) => done(fs::create_dir(path)),
        ("chmod", [mode, path]) => done(
            u32::from_str_radix(mode, 8)
                .map_err(io::Error::other)
                .and_then(|mode| fs::set_permissions(path, fs::Permissions::from_mode(mode))),
        ),
        ("touch", [path]) => done(File::open(path).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH))),
        ("list", [path]) => fs::read_dir(path).map(|entries| {
            let mut names: Vec<String> = entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names.join(" ")
        }),
        ("reopen", [path, text]) => reopen(path, text),
        ("mmap", [path]) => mmap(path),
        ("copy-in", [path, text]) => copy_in(path, text),
        ("xattr", [path]) => xattr(path),
        ("many", [count, path]) => many(parse(count).unwrap_or(0), path),
        ("sockets", tops) => Ok(sockets(tops)),
        ("search", [text, tops @ ..]) => Ok(search(text, tops)),
        _ => return None,
    })
}

fn done(result: io::Result<()>) -> Outcome {
    result.map(|()| String::new())
}

fn put(mut file: File, text: &str) -> Outcome {
    done(file.write_all(text.as_bytes()))
}

fn read(path: &str) -> Outcome {
    let mut content = Vec::new();
    File::open(path)?.take(1000).read_to_end(&mut content)?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// The same file opened for writing so many times.
fn many(count: usize, path: &str) -> Outcome {
    for _ in 0..count {
        OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    }
    Ok(String::new())
}

/// A descriptor that may not write is opened again through /proc, past the path's own folder.
fn reopen(path: &str, text: &str) -> Outcome {
    let held = OpenOptions::new().read(true).custom_flags(O_PATH).open(path)?;
    let again = format!("/proc/self/fd/{}", held.as_raw_fd());
    OpenOptions::new()
        .append(true)
        .open(again)
        .and_then(|file| put(file, text))
}

/// A shared, writable mapping of a file that is open for reading.
fn mmap(path: &str) -> Outcome {
    let file = File::open(path)?;
    let map = unsafe { mmap_raw(std::ptr::null_mut(), 1, 3, 1, file.as_raw_fd(), 0) };
    if map as isize == -1 {
        return Err(io::Error::last_os_error());
    }
    let byte = map.cast::<u8>();
    unsafe { byte.write_volatile(byte.read_volatile() ^ 1) };
    Ok(String::new())
}

/// Bytes that the kernel moves from one file to the other (sendfile(2)) instead of a write.
fn copy_in(path: &str, text: &str) -> Outcome {
    let source = std::env::temp_dir().join("csbench-copy");
    fs::write(&source, text)?;
    let from = File::open(&source)?;
    fs::remove_file(source)?;
    let to = OpenOptions::new().write(true).open(path)?;
    check(unsafe { sendfile(to.as_raw_fd(), from.as_raw_fd(), std::ptr::null_mut(), text.len()) })
        .map(|_| String::new())
}

fn xattr(path: &str) -> Outcome {
    let (path, name) = (c_string(path), c_string("user.csbench"));
    check(unsafe { setxattr(path.as_ptr(), name.as_ptr(), name.as_ptr().cast(), 4, 0) }).map(|_| String::new())
}

/// Every socket file that can be seen below some folders.
fn sockets(tops: &[&str]) -> String {
    let mut found = Vec::new();
    walk(tops, &mut |path, kind| {
        if kind.is_socket() {
            found.push(path.display().to_string());
        }
    });
    found.join(" ")
}

/// Every file below some folders that holds a text in its first bytes.
fn search(text: &str, tops: &[&str]) -> String {
    let mut found = Vec::new();
    walk(tops, &mut |path, kind| {
        if !kind.is_file() {
            return;
        }
        let mut content = Vec::new();
        let _ = File::open(path).and_then(|file| file.take(65536).read_to_end(&mut content));
        if content.windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    });
    found.join(" ")
}

fn walk(tops: &[&str], see: &mut dyn FnMut(&Path, fs::FileType)) {
    let mut pending: Vec<PathBuf> = tops.iter().map(PathBuf::from).collect();
    let mut seen = 0;
    while let Some(top) = pending.pop() {
        for entry in fs::read_dir(top).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            seen += 1;
            if seen > 20_000 {
                return;
            }
            if kind.is_dir() {
                pending.push(entry.path());
            } else {
                see(&entry.path(), kind);
            }
        }
    }
}

/// What /proc shows of a process.
pub fn proc_file(pid: i32, name: &str) -> Outcome {
    let path = format!("/proc/{pid}/{name}");
    if name == "mem" {
        return OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map(|_| String::new());
    }
    if name == "fd" || name == "map_files" {
        // That they are there is no secret; what they lead to is.
        let mut refused = io::Error::from_raw_os_error(13);
        for entry in fs::read_dir(&path)?.flatten() {
            match fs::read_link(entry.path()) {
                Ok(link) => return Ok(link.display().to_string()),
                Err(error) => refused = error,
            }
        }
        return Err(refused);
    }
    if name == "cwd" || name == "root" || name == "exe" {
        return fs::read_link(path).map(|link| link.display().to_string());
    }
    read(&path)
}

/// The number of a call on a descriptor is needed nowhere else.
pub fn fchmod(path: &str, mode: usize, number: usize) -> Outcome {
    let file = File::open(path)?;
    let fd = usize::try_from(file.as_raw_fd()).map_err(io::Error::other)?;
    call(number, [fd, mode, 0, 0, 0, 0]).map(|_| String::new())
}

extern "C" {
    fn truncate(path: *const std::ffi::c_char, length: i64) -> i32;
    fn setxattr(
        path: *const std::ffi::c_char,
        name: *const std::ffi::c_char,
        value: *const std::ffi::c_void,
        size: usize,
        flags: i32,
    ) -> i32;
    fn sendfile(to: i32, from: i32, at: *mut i64, size: usize) -> isize;
    #[link_name = "mmap"]
    fn mmap_raw(
        at: *mut std::ffi::c_void,
        size: usize,
        prot: i32,
        flags: i32,
        fd: i32,
        offset: i64,
    ) -> *mut std::ffi::c_void;
}
