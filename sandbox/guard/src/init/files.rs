//! Acts on the file system: opens, and everything that changes names, modes, owners.

use super::event::{flag, By, Event};
use super::guard::{Answer, Call, Guard};
use super::memory;
use super::process::Caller;
use super::real::{self, Sought};
use super::resolve::NoPath;
use super::unit::Role;
use super::writes::Verdict;
use crate::paths;
use crate::sys;

/// The second path of an act.
#[derive(Default, Clone, Copy)]
pub enum Second {
    #[default]
    None,
    Path {
        at: u64,
        pointer: u64,
    },
    /// The text of a symbolic link, taken as it is.
    Text(u64),
}

/// One change of names or attributes.
#[derive(Default, Clone, Copy)]
pub struct PathAct {
    pub kind: &'static str,
    pub at: u64,
    /// Null means the descriptor `at` itself.
    pub pointer: u64,
    pub second: Second,
    pub mode: Option<u32>,
    /// A link at the path's end is what the act is on.
    pub nofollow: bool,
}

/// Landlock version that covers emptying a file (Linux 6.2).
const TRUNCATES: i32 = 3;

/// What Landlock of this version does not cover, so that the guard has to refuse it.
fn only_guard_refuses(kind: &str, landlock: i32) -> bool {
    matches!(kind, "chmod" | "chown" | "xattr" | "other")
        || (kind == "truncate" && landlock < TRUNCATES)
}

/// Whether an open empties the file and asks for nothing that Landlock of this version covers.
fn only_guard_refuses_open(flags: i32, landlock: i32) -> bool {
    landlock < TRUNCATES && flags & libc::O_TRUNC != 0 && flags & libc::O_ACCMODE == libc::O_RDONLY
}

/// Whether the kernel follows a link at the end of the act's path, unless the call says otherwise.
fn follows(kind: &str) -> bool {
    matches!(kind, "chmod" | "chown" | "xattr" | "other" | "truncate")
}

const SET_ID: u32 = 0o6000;

impl Guard {
    /// open, openat, creat.
    pub fn open(
        &mut self,
        call: &Call<'_>,
        at: u64,
        pointer: u64,
        flags: i32,
        mode: u64,
    ) -> Answer {
        if call.caller.guarding {
            return self.count(call.caller);
        }
        if creates(flags) && mode as u32 & SET_ID != 0 {
            return self.born_set_id(call, "open", at, pointer, mode);
        }
        let mut path = std::mem::take(&mut self.paths[2]);
        let answer = self.open_path(call, at, pointer, flags, mode, &mut path);
        self.paths[2] = path;
        answer
    }

    fn open_path(
        &mut self,
        call: &Call<'_>,
        at: u64,
        pointer: u64,
        flags: i32,
        mode: u64,
        path: &mut Vec<u8>,
    ) -> Answer {
        let writes = open_writes(flags);
        let mut event = Event {
            kind: "open",
            access: Some(if writes { "write" } else { "read" }),
            flags: open_flags(flags),
            mode: creates(flags).then_some(mode as u32 & 0o7777),
            ..Event::default()
        };
        if let Err(error) = self.resolve(call, at, pointer, path) {
            return self.without_path(call, error, event.kind);
        }
        let caller = &*call.caller;
        if caller.pid == self.top && self.cargo_is_top() {
            self.note_fingerprint(path);
        }
        let written = self.written();
        let plain = !writes && written.is_none() && self.is_plain_read(caller, path);
        let real = if plain {
            None
        } else {
            self.seek(
                caller,
                &Sought {
                    view: caller.view(),
                    path,
                    written: written.as_deref(),
                    follow: flags & libc::O_NOFOLLOW == 0,
                    makes: creates(flags),
                },
            )
        };
        let verdict = match (&real, writes) {
            (Some(real), true) => self.judge_write(caller, real, creates(flags), Some(flags)),
            (None, true) => self.judge_write(caller, path, creates(flags), Some(flags)),
            (Some(real), false) => self
                .judge_read(caller, path)
                .worse(self.judge_read(caller, real)),
            (None, false) => self.judge_read(caller, path),
        };
        if verdict == Verdict::Count {
            return self.count(caller);
        }
        if !call.is_valid() {
            return Answer::Fail(libc::EPERM);
        }
        event.path = Some(path);
        event.path2 = real.as_deref();
        if verdict == Verdict::Denied(By::Landlock) && only_guard_refuses_open(flags, self.landlock)
        {
            return self.deny(caller, libc::EACCES, &event);
        }
        self.record(caller, &event, verdict)
    }

    /// Any act of `PathAct`.
    pub fn change(&mut self, call: &Call<'_>, act: &PathAct) -> Answer {
        // Which outputs cargo itself makes hard links of, or dates back, is listed: both move what a seal holds.
        let own = call.caller.pid == self.top && self.cargo_is_top();
        let uplift = own && matches!(act.kind, "link" | "other");
        if call.caller.guarding || (self.unit(call.caller).role == Role::Cargo && !uplift) {
            return self.count(call.caller);
        }
        let mut path = std::mem::take(&mut self.paths[2]);
        let mut second = Vec::new();
        let answer = self.change_path(call, act, &mut path, &mut second);
        self.paths[2] = path;
        answer
    }

    fn change_path(
        &mut self,
        call: &Call<'_>,
        act: &PathAct,
        path: &mut Vec<u8>,
        second: &mut Vec<u8>,
    ) -> Answer {
        let mut event = Event {
            kind: act.kind,
            mode: act.mode,
            ..Event::default()
        };
        if act.kind == "other" {
            event.call = Some("utimensat");
        }
        if let Err(error) = self.resolve(call, act.at, act.pointer, path) {
            return self.without_path(call, error, event.kind);
        }
        let (written, bare) = (self.written(), self.is_bare());
        let found = match act.second {
            Second::None => Ok(()),
            Second::Path { at, pointer } => self.resolve(call, at, pointer, second),
            Second::Text(pointer) => {
                memory::path(call.caller.tid, pointer, second).map_err(NoPath::from)
            }
        };
        if let Err(error) = found {
            return self.without_path(call, error, event.kind);
        }
        let caller = &*call.caller;
        // Pipes, sockets and memory files belong to whoever holds them.
        if path.first() != Some(&b'/') || path.starts_with(b"/memfd:") {
            return self.count(caller);
        }
        if act.kind == "mkdir" && sys::lstat(path).is_some() {
            return self.count(caller);
        }
        let makes = matches!(act.kind, "mkdir" | "symlink" | "mknod");
        // What Landlock does not cover follows a link at the path's end too, unless the call says otherwise.
        let unheld = only_guard_refuses(act.kind, self.landlock);
        let real = self.seek(
            caller,
            &Sought {
                view: caller.view(),
                path,
                written: written.as_deref(),
                follow: follows(act.kind) && !act.nofollow && !bare,
                makes: makes || !unheld,
            },
        );
        let mut verdict = self.judge_write(caller, real.as_ref().unwrap_or(path), makes, None);
        let mut real_second = None;
        if let Second::Path { .. } = act.second {
            let written = self.written();
            real_second = self.seek(
                caller,
                &Sought {
                    view: caller.view(),
                    path: second,
                    written: written.as_deref(),
                    follow: false,
                    makes: true,
                },
            );
            let place = real_second.as_ref().unwrap_or(second);
            verdict = verdict.worse(self.judge_write(caller, place, true, None));
        }
        if act.kind == "other" && matches!(verdict, Verdict::List(_)) {
            // Setting the times of one's own files is part of every copy.
            verdict = Verdict::Count;
        }
        if self.unit(caller).role == Role::Cargo {
            verdict = Verdict::List(None);
        }
        if verdict == Verdict::Count {
            return self.count(caller);
        }
        if !call.is_valid() {
            return Answer::Fail(libc::EPERM);
        }
        // With a second path there is no room for what was written; what counts is where the two are.
        let place = real.as_deref();
        event.path = match act.second {
            Second::None => Some(path),
            _ => place.or(Some(path)),
        };
        event.path2 = match act.second {
            Second::None => place,
            Second::Path { .. } => real_second.as_deref().or(Some(second)),
            Second::Text(_) => Some(second),
        };
        if verdict == Verdict::Denied(By::Landlock) && unheld {
            return self.deny(caller, libc::EPERM, &event);
        }
        self.record(caller, &event, verdict)
    }

    /// chmod and its kin; nobody may make a set-id program.
    pub fn change_mode(
        &mut self,
        call: &Call<'_>,
        at: u64,
        pointer: u64,
        mode: u64,
        flags: i32,
    ) -> Answer {
        let mode = mode as u32 & 0o7777;
        let act = PathAct {
            kind: "chmod",
            at,
            pointer,
            mode: Some(mode),
            nofollow: flags & libc::AT_SYMLINK_NOFOLLOW != 0,
            ..PathAct::default()
        };
        if mode & SET_ID == 0 || call.caller.guarding {
            return self.change(call, &act);
        }
        let mut path = Vec::new();
        let found = self.resolve(call, at, pointer, &mut path);
        // Copying a folder keeps its set-group-id bit, which is no program's.
        if found.is_ok()
            && sys::lstat(&path).is_some_and(|status| status.is_dir())
            && mode & SET_ID == 0o2000
        {
            return self.change(call, &act);
        }
        let note = found.is_err().then_some("unreadable");
        let path = found.is_ok().then_some(path.as_slice());
        let event = Event {
            kind: "chmod",
            path,
            mode: Some(mode),
            note,
            ..Event::default()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    /// A file that would have a set-id bit from the start, without any chmod.
    fn born_set_id(
        &mut self,
        call: &Call<'_>,
        kind: &'static str,
        at: u64,
        pointer: u64,
        mode: u64,
    ) -> Answer {
        let mut path = Vec::new();
        let found = self.resolve(call, at, pointer, &mut path);
        let event = Event {
            kind,
            access: (kind == "open").then_some("write"),
            path: found.is_ok().then_some(path.as_slice()),
            mode: Some(mode as u32 & 0o7777),
            note: Some("set-id"),
            ..Event::default()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    /// mknod: pipes, sockets and plain files, but no devices.
    pub fn mknod(&mut self, call: &Call<'_>, at: u64, pointer: u64, mode: u64) -> Answer {
        let mode = mode as u32;
        let device = matches!(mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK);
        if !device && mode & SET_ID != 0 {
            return self.born_set_id(call, "mknod", at, pointer, mode.into());
        }
        if !device {
            let act = PathAct {
                kind: "mknod",
                at,
                pointer,
                mode: Some(mode & 0o7777),
                ..PathAct::default()
            };
            return self.change(call, &act);
        }
        let mut path = Vec::new();
        let found = self.resolve(call, at, pointer, &mut path);
        let path = found.is_ok().then_some(path.as_slice());
        let event = Event {
            kind: "mknod",
            path,
            mode: Some(mode & 0o7777),
            note: Some("device"),
            ..Event::default()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    /// Where an act of a unit really is; cargo names its own files by where they are.
    fn seek(&self, caller: &Caller, sought: &Sought<'_>) -> Option<Vec<u8>> {
        if self.unit(caller).role == Role::Cargo || self.settings.broken("follow") {
            return None;
        }
        real::seek(sought)
    }

    /// List an act as its verdict says.
    fn record(&mut self, caller: &Caller, event: &Event<'_>, verdict: Verdict) -> Answer {
        match verdict {
            Verdict::Count => self.count(caller),
            Verdict::List(_) if self.settings.broken("record") => self.count(caller),
            Verdict::List(note) => self.allow(caller, &Event { note, ..*event }),
            // The prediction is of a domain that this kernel can't make, so the guard stands in for it. That is no wall:
            // what it looked at may change before the kernel looks.
            Verdict::Denied(By::Landlock) if self.landlock < 1 => {
                self.deny(caller, libc::EACCES, event)
            }
            Verdict::Denied(by) => {
                let errno = Some(if by == By::Readonly {
                    "EROFS"
                } else {
                    "EACCES"
                });
                self.allow(
                    caller,
                    &Event {
                        denied: Some(by),
                        errno,
                        ..*event
                    },
                )
            }
        }
    }

    /// An act whose path can't be told does not happen.
    pub fn without_path(&mut self, call: &Call<'_>, error: NoPath, kind: &str) -> Answer {
        if !call.is_valid() {
            return Answer::Fail(libc::EPERM);
        }
        match error {
            NoPath::Refused(errno) => {
                self.count(call.caller);
                Answer::Fail(errno)
            }
            NoPath::BadDescriptor => {
                self.count(call.caller);
                Answer::Fail(libc::EBADF)
            }
            NoPath::Opaque => {
                let hidden = Event {
                    kind: "dumpable",
                    call: Some(kind),
                    note: Some("a program that can't be looked into"),
                    ..Event::default()
                };
                self.deny(call.caller, libc::EPERM, &hidden)
            }
        }
    }

    /// Remember which units' fingerprints cargo looked at: `…/.fingerprint/UNIT` or, since the new layout,
    /// `…/UNIT/fingerprint`.
    fn note_fingerprint(&mut self, path: &[u8]) {
        if let Some(folder) = fingerprint(path) {
            if !self.fingerprints.contains(folder) {
                self.fingerprints.insert(folder.to_vec());
            }
        }
    }
}

fn fingerprint(path: &[u8]) -> Option<&[u8]> {
    if !paths::contains(path, b"fingerprint") {
        return None;
    }
    let mut end = 0;
    let mut parts = path.split(|byte| *byte == b'/').skip(1);
    while let Some(part) = parts.next() {
        end += 1 + part.len();
        if part == b"fingerprint" {
            return Some(&path[..end]);
        }
        if part == b".fingerprint" {
            return parts.next().map(|unit| &path[..end + 1 + unit.len()]);
        }
    }
    None
}

fn creates(flags: i32) -> bool {
    flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE
}

fn open_writes(flags: i32) -> bool {
    flags & libc::O_PATH == 0
        && (flags & libc::O_ACCMODE != libc::O_RDONLY
            || flags & libc::O_TRUNC != 0
            || creates(flags))
}

fn open_flags(flags: i32) -> u8 {
    let tmpfile = flags & libc::O_TMPFILE == libc::O_TMPFILE;
    let bits = [
        (libc::O_CREAT, flag::CREATE),
        (libc::O_TRUNC, flag::TRUNCATE),
        (libc::O_APPEND, flag::APPEND),
        (libc::O_EXCL, flag::EXCL),
        (libc::O_NOFOLLOW, flag::NOFOLLOW),
    ];
    let mut found = bits
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .fold(0, |sum, (_, word)| sum | word);
    if tmpfile {
        found |= flag::TMPFILE;
    } else if flags & libc::O_DIRECTORY != 0 {
        found |= flag::DIRECTORY;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_folder_is_found_in_both_layouts() {
        let found = |path: &'static str| {
            fingerprint(path.as_bytes()).map(|path| std::str::from_utf8(path).unwrap())
        };
        assert_eq!(
            found("/b/debug/.fingerprint/serde-1f/lib-serde"),
            Some("/b/debug/.fingerprint/serde-1f")
        );
        assert_eq!(
            found("/b/debug/build/serde/1f/fingerprint/lib-serde"),
            Some("/b/debug/build/serde/1f/fingerprint")
        );
        assert_eq!(found("/b/debug/.fingerprint"), None);
        assert_eq!(found("/b/my-fingerprint/x"), None);
    }

    #[test]
    fn what_an_old_landlock_lets_pass_is_the_guards_to_refuse() {
        let emptied = libc::O_RDONLY | libc::O_TRUNC;
        for (landlock, refuses) in [(1, true), (2, true), (3, false), (7, false)] {
            assert_eq!(only_guard_refuses("truncate", landlock), refuses);
            assert_eq!(only_guard_refuses_open(emptied, landlock), refuses);
            assert!(!only_guard_refuses_open(
                libc::O_WRONLY | libc::O_TRUNC,
                landlock
            ));
            assert!(only_guard_refuses("chmod", landlock));
        }
    }

    #[test]
    fn reading_and_writing_are_told_apart() {
        assert!(!open_writes(
            libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY
        ));
        assert!(!open_writes(libc::O_PATH | libc::O_RDWR));
        for flags in [
            libc::O_WRONLY,
            libc::O_RDWR,
            libc::O_CREAT,
            libc::O_TRUNC,
            libc::O_TMPFILE | libc::O_RDWR,
        ] {
            assert!(open_writes(flags));
        }
        assert_eq!(open_flags(libc::O_TMPFILE | libc::O_RDWR), flag::TMPFILE);
        assert_eq!(open_flags(libc::O_DIRECTORY), flag::DIRECTORY);
    }
}
