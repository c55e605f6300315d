//! Where a path really leads. Letters alone hide a file behind a link or behind `/proc/self/root`.

use crate::paths;
use crate::rules::{self, DEVICES};
use crate::sys;
use std::ffi::{CString, OsStr};
use std::fs::{self, Metadata};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// `RESOLVE_NO_SYMLINKS` of openat2(2).
const NO_SYMLINKS: u64 = 0x04;

/// The kernel follows no more links on one way (path_resolution(7)).
const MOST_LINKS: u32 = 40;

/// Bytes that a path in one call may have, its end included (`PATH_MAX`). A short way from a deep folder means more.
const MOST_BYTES: usize = 4096;

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

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Lead {
    /// To where its letters say, or to nothing.
    Same,
    Place(Vec<u8>),
    /// To what has no place, as /proc calls it: a pipe, a file in memory, a deleted file.
    Nowhere(Vec<u8>),
}

/// Where a path leads, links at its end included; `makes` if the last name may be new.
pub fn lead(view: View, path: &[u8], makes: bool) -> Lead {
    let (written, follow) = (None, true);
    find(&Sought {
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
    match find(sought) {
        Lead::Place(path) => Some(path),
        Lead::Same | Lead::Nowhere(_) => None,
    }
}

fn find(sought: &Sought<'_>) -> Lead {
    let Sought { view, path, .. } = *sought;
    let system = || SYSTEM.iter().any(|top| paths::is_within(path, top));
    if DEVICES.contains(&path) || (sought.written.is_none() && system()) {
        return Lead::Same;
    }
    let wanted = sought.written.unwrap_or(path);
    let seen = translate(view, wanted);
    let wanted = seen.as_deref().unwrap_or(wanted);
    if is_without_links(wanted, sought.follow) {
        return Lead::Same;
    }
    let found = match walk(view, wanted, sought.follow) {
        Lead::Place(found) => found,
        other => return other,
    };
    let there = || sought.makes || sys::lstat(&found).is_some();
    if found != path && !rules::is_own_proc(&found, view.pid) && there() {
        Lead::Place(found)
    } else {
        Lead::Same
    }
}

/// Follow all links by hand, since `/proc/self` behind one of them is the caller's, not ours.
fn walk(view: View, path: &[u8], follow: bool) -> Lead {
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
        if ends || !read_link(&at, &mut text) {
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Lead::Same;
        }
        let of_descriptor =
            at.starts_with(b"/proc/") && paths::file_name(paths::parent(&at)) == b"fd";
        if of_descriptor && is_nowhere(&at, &text) {
            return Lead::Nowhere(text);
        }
        let keep = if text.starts_with(b"/") { 0 } else { up(&at) };
        at.truncate(keep);
        ahead.extend(parts(&text));
    }
    if at.is_empty() {
        at.push(b'/');
    }
    Lead::Place(at)
}

/// Whether what a descriptor stands for has no place. A file may well be called `x (deleted)` and be there.
fn is_nowhere(descriptor: &[u8], text: &[u8]) -> bool {
    if !text.starts_with(b"/memfd:") && !text.ends_with(b" (deleted)") {
        return !text.starts_with(b"/");
    }
    let id = |status: Metadata| (status.dev(), status.ino());
    let held = fs::metadata(OsStr::from_bytes(descriptor)).ok().map(id);
    held.is_none() || sys::lstat(text).map(id) != held
}

/// The text of the link at a place, however long the place's path is. No link is on the way there.
fn read_link(at: &[u8], text: &mut Vec<u8>) -> bool {
    let mut folder: Option<OwnedFd> = None;
    let mut rest = at;
    while rest.len() >= MOST_BYTES {
        let cut = up(&rest[..MOST_BYTES - 1]);
        let from = folder.as_ref().map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
        let Ok(next) = sys::open_folder(from, &sys::c_string(&rest[..cut])) else {
            return false;
        };
        folder = Some(next);
        rest = &rest[cut + 1..];
    }
    let from = folder.as_ref().map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
    sys::read_link_at(from, &sys::c_string(rest), text)
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

/// Whether no link is on the way to a place, which need not be there.
fn is_without_links(path: &[u8], follow: bool) -> bool {
    match open_without_links(&sys::c_string(path), follow) {
        // A name that is missing behind a link would have failed at the link.
        Ok(_) | Err(libc::ENOENT) => true,
        Err(libc::ENOSYS) => names_itself(path, follow),
        Err(_) => false,
    }
}

/// Open a place without using it, if no link is on the way; the error is an errno.
fn open_without_links(path: &CString, follow: bool) -> Result<OwnedFd, i32> {
    // SAFETY: plain numbers; all zero is the documented start.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = place_flags(follow) as u64;
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

/// The same where the kernel has no openat2, or the container's filter says so: of what is there the kernel gives the
/// name without links, and below that nothing is. A `false` may be wrong, for a path with dots in it; it only means work.
fn names_itself(path: &[u8], follow: bool) -> bool {
    let (mut at, mut missing) = (path, None);
    loop {
        let name = sys::c_string(at);
        // SAFETY: `name` is a C string.
        let fd = unsafe { libc::open(name.as_ptr(), place_flags(follow || missing.is_some())) };
        match sys::check_int(fd) {
            Ok(fd) => {
                // SAFETY: a fresh descriptor that nobody else owns.
                let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                let link = sys::c_string(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_bytes());
                let mut text = Vec::new();
                return sys::read_link_at(libc::AT_FDCWD, &link, &mut text)
                    && text == at
                    && missing.is_none_or(|next| sys::lstat(next).is_none());
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) && at.len() > 1 => {
                missing = Some(at);
                at = paths::parent(at);
            }
            Err(_) => return false,
        }
    }
}

fn place_flags(follow: bool) -> i32 {
    libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn real(view: View, path: &[u8], makes: bool) -> Option<Vec<u8>> {
        match lead(view, path, makes) {
            Lead::Place(path) => Some(path),
            _ => None,
        }
    }

    fn name(path: &str) -> Option<Vec<u8>> {
        seek(&Sought {
            view: own(),
            path: path.as_bytes(),
            written: None,
            follow: false,
            makes: true,
        })
    }

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
        let inner = name(&format!("{top}/folder/file"));
        assert_eq!(inner, Some(format!("{top}/secret/file").into_bytes()));
        assert_eq!(name(&format!("{top}/file")), None);
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn without_openat2_links_are_found_all_the_same() {
        let top = format!("/tmp/guard-names-{}", std::process::id());
        fs::create_dir_all(format!("{top}/folder/inner")).unwrap();
        fs::write(format!("{top}/folder/file"), "").unwrap();
        fs::write(format!("{top}/x (deleted)"), "").unwrap();
        for (target, name) in [("folder", "link"), ("nothing", "dangling"), (".", "self")] {
            symlink(target, format!("{top}/{name}")).unwrap();
        }
        let inner = [
            "",
            "/folder",
            "/folder/file",
            "/folder/new",
            "/folder/new/deeper/still",
            "/link",
            "/link/file",
            "/link/new/deeper",
            "/dangling",
            "/dangling/new",
            "/self/folder/file",
            "/x (deleted)",
            "/gone (deleted)",
        ];
        let outside = [
            "/",
            "/proc/self/status",
            "/proc/self/cwd",
            "/dev/null",
            "/none/at/all",
        ];
        let paths = inner
            .map(|path| format!("{top}{path}"))
            .into_iter()
            .chain(outside.map(String::from));
        for path in paths {
            for follow in [false, true] {
                let asked = open_without_links(&sys::c_string(path.as_bytes()), follow);
                let plain = matches!(asked, Ok(_) | Err(libc::ENOENT));
                assert_eq!(
                    names_itself(path.as_bytes(), follow),
                    plain,
                    "{path} {follow}"
                );
            }
        }
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
    fn a_file_that_is_only_called_deleted_has_a_place_and_a_deleted_one_has_none() {
        let top = format!("/tmp/guard-deleted-{}", std::process::id());
        fs::create_dir_all(&top).unwrap();
        let open = |name: &str| {
            let path = format!("{top}/{name}");
            (fs::File::create(&path).unwrap(), path)
        };
        let (kept, place) = open("x (deleted)");
        let (gone, lost) = open("x");
        fs::remove_file(&lost).unwrap();
        let of = |file: &fs::File| {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            lead(own(), path.as_bytes(), false)
        };
        assert_eq!(of(&kept), Lead::Place(place.into_bytes()));
        let told = format!("{lost} (deleted)").into_bytes();
        assert_eq!(of(&gone), Lead::Nowhere(told), "another file has that name");
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_link_is_followed_however_deep_it_lies() {
        let top = format!("/tmp/guard-deep-{}", std::process::id());
        fs::create_dir_all(&top).unwrap();
        let (mut path, part) = (top.clone().into_bytes(), [b'd'; 200]);
        let mut folder = sys::open_folder(libc::AT_FDCWD, &sys::c_string(&path)).unwrap();
        for _ in 0..50 {
            let name = sys::c_string(&part);
            // SAFETY: both paths are C strings and the descriptor is open.
            assert_eq!(
                unsafe { libc::mkdirat(folder.as_raw_fd(), name.as_ptr(), 0o700) },
                0
            );
            folder = sys::open_folder(folder.as_raw_fd(), &name).unwrap();
            path.push(b'/');
            path.extend_from_slice(&part);
        }
        let (text, link) = (sys::c_string(b"/etc/passwd"), sys::c_string(b"link"));
        // SAFETY: as above.
        let made = unsafe { libc::symlinkat(text.as_ptr(), folder.as_raw_fd(), link.as_ptr()) };
        assert_eq!(made, 0);
        path.extend_from_slice(b"/link");
        assert_eq!(real(own(), &path, false), Some(b"/etc/passwd".to_vec()));
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
