//! Where a path really leads. Letters alone hide a file behind a link or behind `/proc/self/root`.

use crate::paths;
use crate::rules::{self, DEVICES};
use crate::sys;
use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// `RESOLVE_NO_SYMLINKS` of openat2(2).
const NO_SYMLINKS: u64 = 0x04;

/// The kernel follows no more links on one way (path_resolution(7)).
const MOST_LINKS: u32 = 40;

/// Read-only folders of the system: nobody in the build can have put a link there.
const SYSTEM: [&[u8]; 7] = [
    b"/usr", b"/lib", b"/lib64", b"/lib32", b"/bin", b"/sbin", b"/sys",
];

/// Who asks: `/proc/self` means another folder for each process.
#[derive(Clone, Copy)]
pub struct View {
    pub tid: u32,
    pub pid: u32,
}

/// What is looked for, and how.
#[derive(Clone, Copy)]
pub struct Sought<'a> {
    pub view: View,
    /// Absolute and normal by its letters.
    pub path: &'a [u8],
    /// As the caller wrote it, where a `..` in it may come after a link: letters alone can't tell what it leads to.
    pub written: Option<&'a [u8]>,
    /// Whether a link at the end is followed.
    pub follow: bool,
    /// Whether the last name may be new.
    pub makes: bool,
}

/// The real path if it is another one than `path`, links at its end included; `makes` if the last name may be new.
pub fn real(view: View, path: &[u8], makes: bool) -> Option<Vec<u8>> {
    let (written, follow) = (None, true);
    seek(&Sought {
        view,
        path,
        written,
        follow,
        makes,
    })
}

/// The same for acts on a name itself (unlink, rename): a link at its end is not followed.
pub fn real_name(view: View, path: &[u8]) -> Option<Vec<u8>> {
    let (written, follow, makes) = (None, false, true);
    seek(&Sought {
        view,
        path,
        written,
        follow,
        makes,
    })
}

/// The real path if it is another one. What it says may change before the kernel looks: it is for the record, and for
/// the few acts that Landlock leaves to us.
pub fn seek(sought: &Sought<'_>) -> Option<Vec<u8>> {
    let Sought { view, path, .. } = *sought;
    let system = || SYSTEM.iter().any(|top| paths::is_within(path, top));
    if DEVICES.contains(&path) || (sought.written.is_none() && system()) {
        return None;
    }
    let wanted = sought.written.unwrap_or(path);
    let seen = translate(view, wanted);
    let wanted = seen.as_deref().unwrap_or(wanted);
    match open_without_links(&sys::c_string(wanted), sought.follow) {
        // A name that is missing behind a link would have failed at the link.
        Ok(_) | Err(libc::ENOENT) => return None,
        Err(_) => {}
    }
    let found = walk(view, wanted, sought.follow)?;
    let there = || sought.makes || sys::lstat(&found).is_some();
    (found != path && !rules::is_own_proc(&found, view.pid) && there()).then_some(found)
}

/// Follow all links by hand, since `/proc/self` behind one of them is the caller's, not ours. None when the way leads
/// to what has no place: pipes, sockets, files in memory, deleted files.
fn walk(view: View, path: &[u8], follow: bool) -> Option<Vec<u8>> {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> {
        let named = path.split(|byte| *byte == b'/');
        named
            .rev()
            .filter(|part| !matches!(*part, b"" | b"."))
            .map(<[u8]>::to_vec)
            .collect()
    };
    let mut ahead = parts(path);
    let (mut at, mut text) = (Vec::new(), Vec::new());
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == b".." {
            at.truncate(up(&at));
            continue;
        }
        at.push(b'/');
        at.extend_from_slice(&part);
        if let Some(own) = translate(view, &at).filter(|_| at.starts_with(b"/proc/")) {
            at = own;
            continue;
        }
        let ends = ahead.is_empty() && !follow;
        if ends || !sys::read_link(&sys::c_string(&at), &mut text) {
            continue;
        }
        links += 1;
        let of_descriptor =
            at.starts_with(b"/proc/") && paths::file_name(paths::parent(&at)) == b"fd";
        let nowhere = !text.starts_with(b"/")
            || text.starts_with(b"/memfd:")
            || text.ends_with(b" (deleted)");
        if links > MOST_LINKS || (of_descriptor && nowhere) {
            return None;
        }
        let keep = if text.starts_with(b"/") { 0 } else { up(&at) };
        at.truncate(keep);
        ahead.extend(parts(&text));
    }
    if at.is_empty() {
        at.push(b'/');
    }
    Some(at)
}

/// Length of the path without its last component.
fn up(path: &[u8]) -> usize {
    path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)
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
    let number = [&b"/dev/stdin"[..], b"/dev/stdout", b"/dev/stderr"]
        .iter()
        .position(|name| *name == path)?;
    with(format!("/proc/{pid}/fd/{number}"), b"")
}

/// Open a place without using it, if no link is on the way; the error is an errno.
fn open_without_links(path: &CString, follow: bool) -> Result<OwnedFd, i32> {
    // SAFETY: plain numbers; all zero is the documented start.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    let last = if follow { 0 } else { libc::O_NOFOLLOW };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC | last) as u64;
    how.resolve = NO_SYMLINKS;
    // SAFETY: `path` is a C string and `how` is readable for the size told.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            &how,
            size_of::<libc::open_how>(),
        )
    };
    match sys::check(fd) {
        // SAFETY: a fresh descriptor that nobody else owns; descriptors fit an int.
        Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)) }),
        Err(error) => Err(error.raw_os_error().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;

    fn own() -> View {
        View {
            tid: std::process::id(),
            pid: std::process::id(),
        }
    }

    #[test]
    fn links_are_followed_and_plain_paths_are_left_alone() {
        let top = format!("/tmp/guard-real-{}", std::process::id());
        fs::create_dir_all(format!("{top}/secret")).unwrap();
        fs::write(format!("{top}/secret/key"), "").unwrap();
        for (target, name) in [
            ("secret", "folder"),
            ("secret/key", "file"),
            ("secret/new", "dangling"),
        ] {
            symlink(target, format!("{top}/{name}")).unwrap();
        }
        let found = |path: &str, makes| {
            real(own(), format!("{top}/{path}").as_bytes(), makes)
                .map(|path| String::from_utf8(path).unwrap())
        };
        assert_eq!(found("secret/key", false), None);
        assert_eq!(found("secret/other", true), None);
        assert_eq!(found("gone", false), None);
        assert_eq!(found("file", false), Some(format!("{top}/secret/key")));
        assert_eq!(
            found("folder/key", false),
            Some(format!("{top}/secret/key"))
        );
        assert_eq!(
            found("folder/other", true),
            Some(format!("{top}/secret/other"))
        );
        assert_eq!(found("dangling", true), Some(format!("{top}/secret/new")));
        let name = real_name(own(), format!("{top}/folder/file").as_bytes());
        assert_eq!(name, Some(format!("{top}/secret/file").into_bytes()));
        assert_eq!(real_name(own(), format!("{top}/file").as_bytes()), None);
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn two_dots_after_a_link_start_from_where_it_leads() {
        let top = format!("/tmp/guard-dots-{}", std::process::id());
        fs::create_dir_all(format!("{top}/secret/folder")).unwrap();
        fs::create_dir_all(format!("{top}/mine")).unwrap();
        fs::write(format!("{top}/secret/key"), "").unwrap();
        symlink("../secret/folder", format!("{top}/mine/link")).unwrap();
        let found = |path: &str| {
            let written = format!("{top}/{path}").into_bytes();
            seek(&Sought {
                view: own(),
                path: &paths::normal(b"/", &written),
                written: Some(&written),
                follow: true,
                makes: false,
            })
        };
        let key = Some(format!("{top}/secret/key").into_bytes());
        assert_eq!(found("mine/link/../key"), key);
        assert_eq!(found("mine/../secret/key"), None);
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_link_to_proc_self_leads_to_the_callers_part_of_it() {
        let mut child = std::process::Command::new("sleep")
            .arg("5")
            .current_dir("/etc")
            .spawn()
            .unwrap();
        let view = View {
            tid: child.id(),
            pid: child.id(),
        };
        let link = format!("/tmp/guard-self-{}", std::process::id());
        symlink("/proc/self/cwd", &link).unwrap();
        let found = real(view, format!("{link}/passwd").as_bytes(), false);
        fs::remove_file(link).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, Some(b"/etc/passwd".to_vec()));
    }

    #[test]
    fn what_has_no_place_has_no_real_path() {
        let (reader, _writer) = sys::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        assert_eq!(real(own(), path.as_bytes(), true), None);
        assert_eq!(real(own(), b"/dev/null", true), None);
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
            assert_eq!(
                real(own(), path.as_bytes(), false),
                Some(b"/etc/passwd".to_vec()),
                "{path}"
            );
        }
        assert_eq!(real(own(), b"/proc/self/status", false), None);
        assert_eq!(real(own(), b"/proc/self/comm", true), None);
    }
}
