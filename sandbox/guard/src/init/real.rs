//! Where a path really leads. Letters alone hide a file behind a link or behind `/proc/self/root`.

use crate::paths;
use crate::sys;
use std::ffi::{CStr, CString};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// `RESOLVE_NO_SYMLINKS` of openat2(2).
const NO_SYMLINKS: u64 = 0x04;

/// Links that point to nothing are followed this often, as one of them may be where a file will be made.
const DEEPEST: u32 = 8;

/// Read-only folders of the system: nobody in the build can have put a link there.
const SYSTEM: [&[u8]; 7] = [b"/usr", b"/lib", b"/lib64", b"/lib32", b"/bin", b"/sbin", b"/sys"];

/// Who asks: `/proc/self` means another folder for each process.
#[derive(Clone, Copy)]
pub struct View {
    pub tid: u32,
    pub pid: u32,
}

/// The real path if it is another one than `path`, links at its end included; `makes` if the last name may be new.
pub fn real(view: View, path: &[u8], makes: bool) -> Option<Vec<u8>> {
    real_within(view, path, makes, DEEPEST)
}

/// The same for acts on a name itself (unlink, rename): a link at its end is not followed.
pub fn real_name(view: View, path: &[u8]) -> Option<Vec<u8>> {
    let folder = real(view, paths::parent(path), false)?;
    Some(paths::normal(&folder, paths::file_name(path)))
}

fn real_within(view: View, path: &[u8], makes: bool, depth: u32) -> Option<Vec<u8>> {
    if SYSTEM.iter().any(|top| paths::is_within(path, top)) {
        return None;
    }
    let seen = translate(view, path);
    let path = seen.as_deref().unwrap_or(path);
    let name = sys::c_string(path);
    let in_proc = path.starts_with(b"/proc/");
    if !in_proc {
        match open_without_links(&name) {
            Ok(_) => return None,
            Err(libc::ENOENT) if sys::lstat(path).is_none() => {
                // Nothing there: what matters is where it would be made.
                return if makes { real_name(view, path) } else { None };
            }
            Err(_) => {}
        }
    }
    if let Ok(fd) = sys::open(&name, libc::O_PATH) {
        return Some(target(&fd)).filter(|found| found != path && !(in_proc && found.starts_with(b"/proc/")));
    }
    if depth == 0 || !makes {
        return None;
    }
    // A link to nothing.
    let mut text = Vec::new();
    if !sys::read_link(&name, &mut text) {
        return real_name(view, path);
    }
    let next = paths::normal(paths::parent(path), &text);
    Some(real_within(view, &next, makes, depth - 1).unwrap_or(next))
}

/// The caller's own part of /proc under its number.
fn translate(view: View, path: &[u8]) -> Option<Vec<u8>> {
    let View { tid, pid } = view;
    let with = |top: String, rest: &[u8]| Some([top.as_bytes(), rest].concat());
    let after = |top: &[u8]| {
        let rest = path.strip_prefix(top)?;
        (rest.is_empty() || rest[0] == b'/').then_some(rest)
    };
    if let Some(rest) = after(b"/proc/self") {
        return with(format!("/proc/{pid}"), rest);
    }
    if let Some(rest) = after(b"/proc/thread-self") {
        return with(format!("/proc/{pid}/task/{tid}"), rest);
    }
    if let Some(rest) = after(b"/dev/fd") {
        return with(format!("/proc/{pid}/fd"), rest);
    }
    let number = [&b"/dev/stdin"[..], b"/dev/stdout", b"/dev/stderr"].iter().position(|name| *name == path)?;
    with(format!("/proc/{pid}/fd/{number}"), b"")
}

/// Open a place without using it, if no link is on the way; the error is an errno.
fn open_without_links(path: &CString) -> Result<OwnedFd, i32> {
    // SAFETY: plain numbers; all zero is the documented start.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    how.resolve = NO_SYMLINKS;
    // SAFETY: `path` is a C string and `how` is readable for the size told.
    let fd = unsafe {
        libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &how, size_of::<libc::open_how>())
    };
    match sys::check(fd) {
        // SAFETY: a fresh descriptor that nobody else owns; descriptors fit an int.
        Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)) }),
        Err(error) => Err(error.raw_os_error().unwrap_or(0)),
    }
}

/// The path of an open descriptor.
fn target(fd: &OwnedFd) -> Vec<u8> {
    let mut name = [0u8; 64];
    let mut found = Vec::new();
    if write!(&mut name[..63], "/proc/self/fd/{}", fd.as_raw_fd()).is_ok() {
        if let Ok(name) = CStr::from_bytes_until_nul(&name) {
            sys::read_link(name, &mut found);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn own() -> View {
        View { tid: std::process::id(), pid: std::process::id() }
    }

    #[test]
    fn links_are_followed_and_plain_paths_are_left_alone() {
        let top = format!("/tmp/guard-real-{}", std::process::id());
        fs::create_dir_all(format!("{top}/secret")).unwrap();
        fs::write(format!("{top}/secret/key"), "").unwrap();
        for (target, name) in [("secret", "folder"), ("secret/key", "file"), ("secret/new", "dangling")] {
            symlink(target, format!("{top}/{name}")).unwrap();
        }
        let found = |path: &str, makes| {
            real(own(), format!("{top}/{path}").as_bytes(), makes).map(|path| String::from_utf8(path).unwrap())
        };
        assert_eq!(found("secret/key", false), None);
        assert_eq!(found("secret/other", true), None);
        assert_eq!(found("gone", false), None);
        assert_eq!(found("file", false), Some(format!("{top}/secret/key")));
        assert_eq!(found("folder/key", false), Some(format!("{top}/secret/key")));
        assert_eq!(found("folder/other", true), Some(format!("{top}/secret/other")));
        assert_eq!(found("dangling", true), Some(format!("{top}/secret/new")));
        let name = real_name(own(), format!("{top}/folder/file").as_bytes());
        assert_eq!(name, Some(format!("{top}/secret/file").into_bytes()));
        assert_eq!(real_name(own(), format!("{top}/file").as_bytes()), None);
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn the_ways_through_proc_lead_where_they_lead() {
        let file = fs::File::open("/etc/passwd").unwrap();
        for path in [
            format!("/proc/self/fd/{}", file.as_raw_fd()),
            format!("/dev/fd/{}", file.as_raw_fd()),
            format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()),
            "/proc/self/root/etc/passwd".to_string(),
        ] {
            assert_eq!(real(own(), path.as_bytes(), false), Some(b"/etc/passwd".to_vec()), "{path}");
        }
        assert_eq!(real(own(), b"/proc/self/status", false), None);
        assert_eq!(real(own(), b"/proc/self/comm", true), None);
    }
}
