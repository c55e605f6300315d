//! Is an act worth a line, and will the kernel let it pass? A prediction by letters; the walls do not ask it.

use super::event::By;
use super::guard::Guard;
use super::process::Caller;
use super::unit::{Role, Unit};
use crate::paths;
use crate::rules::{self, Allowance, WriteRules, DEVICES};
use crate::sys;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Writes of one script that are listed; more are only counted, and one event says so.
pub const MOST_WRITES: u64 = 50_000;

/// Temporary names of one compile that are remembered as its own; rustc makes a few at a time.
const MOST_MADE: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Of no interest: counted.
    Count,
    /// Listed, with a note.
    List(Option<&'static str>),
    /// Listed; the kernel refuses it.
    Denied(By),
}

impl Verdict {
    /// The graver of two, for acts with two paths.
    pub fn worse(self, other: Self) -> Self {
        let rank = |verdict: Self| match verdict {
            Self::Count => 0,
            Self::List(None) => 1,
            Self::List(Some(_)) => 2,
            Self::Denied(_) => 3,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl Guard {
    /// A file opened for reading.
    pub fn judge_read(&self, caller: &Caller, path: &[u8]) -> Verdict {
        let unit = self.unit(caller);
        if unit.role != Role::Cargo && self.settings.loud.contains(path) {
            return Verdict::List(None);
        }
        let quiet = unit.role == Role::Cargo
            || rules::is_own_proc(path, caller.pid)
            || unit.quiet.iter().any(|top| paths::is_within(path, top));
        // The dynamic loader looks for every library in dozens of folders of `LD_LIBRARY_PATH`, which cargo sets.
        let sought =
            || paths::is_within(path, &self.settings.target_dir) && sys::lstat(path).is_none();
        if quiet || sought() {
            Verdict::Count
        } else {
            Verdict::List(None)
        }
    }

    /// Whether a read needs no look at where its path really leads: nobody in the build can put a link there.
    pub fn is_plain_read(&mut self, caller: &Caller, path: &[u8]) -> bool {
        let Self {
            settings,
            units,
            linkless,
            ..
        } = self;
        let unit = &units[caller.unit];
        let made_by_builds: [&[u8]; 2] = [&settings.target_dir, &settings.build_dir];
        if !is_plain(unit, made_by_builds, path) {
            return false;
        }
        // Its own sources' links are whatever its author packed.
        let own = &unit.identity.manifest_dir;
        !paths::is_within(path, own)
            || sources_stay(unit, &settings.allowances) && linkless.holds(own, made_by_builds)
    }

    /// A write-like act. `makes` if it may bring a new name into being; `open_flags` for an open.
    pub fn judge_write(
        &mut self,
        caller: &Caller,
        path: &[u8],
        makes: bool,
        open_flags: Option<i32>,
    ) -> Verdict {
        if DEVICES.contains(&path) || rules::is_own_proc(path, caller.pid) {
            return Verdict::Count;
        }
        let unit = &mut self.units[caller.unit];
        match unit.role {
            Role::Cargo => Verdict::Count,
            Role::Unknown => Verdict::List(None),
            Role::Program => self.judge_program(path),
            Role::Script | Role::Rustc | Role::Rustdoc | Role::Probe => {
                if !unit.rules.allow(path, caller.pid) {
                    return outside(&unit.rules, path, caller.pid, makes, open_flags);
                }
                if unit.role == Role::Script {
                    return self.judge_script(caller);
                }
                if paths::below(path, &unit.identity.out_dir).is_some() {
                    return judge_output(unit, path, makes);
                }
                if let Some(rest) = paths::below(path, &unit.identity.incremental) {
                    return judge_incremental(&unit.identity.crate_name, rest);
                }
                if unit.rules.is_scratch(path) || self.settings.is_shared_scratch(path) {
                    return Verdict::Count;
                }
                Verdict::List(None)
            }
        }
    }

    fn judge_script(&mut self, caller: &Caller) -> Verdict {
        let unit = &mut self.units[caller.unit];
        unit.writes += 1;
        match unit.writes {
            0..=MOST_WRITES => Verdict::List(None),
            writes => {
                if writes == MOST_WRITES + 1 {
                    let note = Some("more than 50,000 writes: from here on they are only counted");
                    self.list(
                        caller,
                        &super::event::Event {
                            kind: "flood",
                            note,
                            ..Default::default()
                        },
                    );
                }
                Verdict::Count
            }
        }
    }

    /// Programs have no domain; the mounts decide.
    fn judge_program(&self, path: &[u8]) -> Verdict {
        if paths::is_within(path, &self.settings.build_dir) {
            return Verdict::List(Some("build dir"));
        }
        if paths::is_within(path, &self.settings.target_dir)
            || self.settings.is_shared_scratch(path)
        {
            return Verdict::Count;
        }
        match access(path).or_else(|| access(paths::parent(path))) {
            Some(libc::EROFS | libc::EACCES) => Verdict::Denied(By::Readonly),
            Some(0) => Verdict::List(None),
            _ => Verdict::List(Some("absent")),
        }
    }
}

/// Whether nobody puts a link among a unit's sources during the build: no package that was allowed to write there, and
/// no program that runs without a domain, whose home may lie among them.
fn sources_stay(unit: &Unit, allowances: &[Allowance]) -> bool {
    let own = &unit.identity.manifest_dir;
    let overlaps = |allowed: &Allowance| {
        paths::is_within(&allowed.path, own) || paths::is_within(own, &allowed.path)
    };
    unit.role.has_domain() && !allowances.iter().any(overlaps)
}

fn is_plain(unit: &Unit, made_by_builds: [&[u8]; 2], path: &[u8]) -> bool {
    let within = |top: &Vec<u8>| paths::is_within(path, top);
    unit.quiet.iter().any(within)
        && !made_by_builds
            .into_iter()
            .any(|top| paths::is_within(path, top))
        && !unit.rules.folders.iter().any(within)
        && !unit.rules.is_scratch(path)
}

/// 0 if we, who are the same user without privileges, could write there; else the error. None if nothing is there.
fn access(path: &[u8]) -> Option<i32> {
    // SAFETY: the path is a valid C string for the length of the call.
    let got = unsafe { libc::access(sys::c_string(path).as_ptr(), libc::W_OK) };
    if got == 0 {
        return Some(0);
    }
    let errno = std::io::Error::last_os_error().raw_os_error();
    if errno == Some(libc::ENOENT) {
        None
    } else {
        errno
    }
}

/// A write that the rules don't cover by its letters: perhaps by its real place, perhaps there is nothing to refuse.
fn outside(
    rules: &WriteRules,
    path: &[u8],
    pid: u32,
    makes: bool,
    open_flags: Option<i32>,
) -> Verdict {
    let parent = std::fs::canonicalize(OsStr::from_bytes(paths::parent(path))).ok();
    let Some(parent) = parent else {
        return Verdict::List(Some("absent"));
    };
    let real = paths::normal(parent.as_os_str().as_bytes(), paths::file_name(path));
    let real_rules = WriteRules {
        scratch: rules.scratch.clone(),
        folders: rules
            .folders
            .iter()
            .filter_map(|folder| std::fs::canonicalize(OsStr::from_bytes(folder)).ok())
            .map(|folder| folder.as_os_str().as_bytes().to_vec())
            .collect(),
    };
    if real_rules.allow(&real, pid) {
        return Verdict::List(None);
    }
    let there = sys::lstat(path);
    if there.is_none() && !makes {
        return Verdict::List(Some("absent"));
    }
    // O_CREAT on a file that exists, opened for reading, asks for no right to write.
    let only_reads = open_flags.is_some_and(|flags| {
        flags & libc::O_ACCMODE == libc::O_RDONLY && flags & libc::O_TRUNC == 0
    });
    if there.is_some() && only_reads {
        return Verdict::List(None);
    }
    Verdict::Denied(By::Landlock)
}

/// A write by rustc into its output folder, which before cargo 1.100 it shares with all others.
fn judge_output(unit: &mut Unit, path: &[u8], makes: bool) -> Verdict {
    let Some(rest) = paths::below(path, &unit.identity.out_dir) else {
        return Verdict::Count;
    };
    let first = rest.split(|byte| *byte == b'/').next().unwrap_or(b"");
    let identity = &unit.identity;
    let named = if identity.extra.is_empty() {
        paths::contains(first, &identity.crate_name)
    } else {
        paths::contains(first, &identity.extra)
    };
    if named || unit.role != Role::Rustc || unit.made.contains(first) {
        return Verdict::Count;
    }
    let top = &path[..path.len() - rest.len() + first.len()];
    // Who makes another unit's object file before that unit does could change it unseen later.
    if sys::lstat(top).is_some() || has_other_hash(first, &identity.extra) {
        return Verdict::List(Some("foreign output"));
    }
    if makes && is_temporary(first) && unit.made.len() < MOST_MADE {
        unit.made.insert(first.into());
        return Verdict::Count;
    }
    Verdict::List(makes.then_some("stray output"))
}

/// A write by rustc into the incremental folder, which all crates of a workspace share: `CRATE-HASH/…`.
fn judge_incremental(crate_name: &[u8], rest: &[u8]) -> Verdict {
    let own = rest
        .strip_prefix(crate_name)
        .is_some_and(|rest| rest.starts_with(b"-"));
    if own && !crate_name.is_empty() {
        Verdict::Count
    } else {
        Verdict::List(Some("foreign output"))
    }
}

/// Whether a name has the hash of another unit in it: a dash and 16 hexadecimal digits, as cargo's extra-filename.
fn has_other_hash(name: &[u8], own: &[u8]) -> bool {
    const HASH: usize = 16;
    let is_hash = |part: &[u8]| part.len() == HASH && part.iter().all(u8::is_ascii_hexdigit);
    let found = |part: &[u8]| is_hash(part) && Some(part) != own.strip_prefix(b"-");
    name.split(|byte| !byte.is_ascii_alphanumeric())
        .skip(1)
        .any(found)
}

/// Names that rustc and the linkers it calls give to files they remove again.
fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(b"rmeta")
        || name.starts_with(b"rustc")
        || name.starts_with(b".tmp")
        || name.ends_with(b".o")
        || name.ends_with(b".tmp")
        || paths::contains(name, b".rcgu.")
        || paths::contains(name, b".temp-archive")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::unit::Identity;

    #[test]
    fn the_graver_verdict_wins() {
        let denied = Verdict::Denied(By::Landlock);
        assert_eq!(Verdict::Count.worse(denied), denied);
        assert_eq!(denied.worse(Verdict::List(Some("x"))), denied);
        assert_eq!(
            Verdict::List(None).worse(Verdict::List(Some("x"))),
            Verdict::List(Some("x"))
        );
    }

    #[test]
    fn a_read_is_plain_where_nobody_in_the_build_can_put_a_link() {
        let identity = Identity::default();
        let rules = WriteRules {
            folders: vec![b"/quiet/allowed".to_vec()],
            scratch: b"/quiet/scratch/cs-9-".to_vec(),
        };
        let mut unit = Unit::new(2, Role::Rustc, identity, 9, rules);
        unit.quiet = ["/toolchain", "/registry", "/quiet", "/target"]
            .map(|path| path.as_bytes().to_vec())
            .into();
        let dirs = [b"/target".to_vec(), b"/target/build".to_vec()];
        let plain = |path: &str| is_plain(&unit, [&dirs[0], &dirs[1]], path.as_bytes());
        assert!(plain("/toolchain/lib/x.so") && plain("/registry/other/lib.rs"));
        for path in [
            "/target/debug/deps/libx.rlib",
            "/quiet/allowed/x",
            "/quiet/scratch/cs-9-Ab/x",
            "/home/x",
        ] {
            assert!(!plain(path), "{path}");
        }
    }

    #[test]
    fn sources_stay_as_they_are_but_where_a_package_or_a_program_may_write() {
        let unit = |role| {
            let identity = Identity {
                manifest_dir: b"/ws/mine".to_vec(),
                ..Identity::default()
            };
            Unit::new(2, role, identity, 9, WriteRules::default())
        };
        let allowed = |path: &str| Allowance {
            package: b"other".to_vec(),
            path: path.as_bytes().to_vec(),
        };
        assert!(sources_stay(&unit(Role::Script), &[]));
        assert!(sources_stay(&unit(Role::Rustc), &[allowed("/ws/other")]));
        for path in ["/ws/mine", "/ws/mine/src/made", "/ws"] {
            assert!(
                !sources_stay(&unit(Role::Script), &[allowed(path)]),
                "{path}"
            );
        }
        assert!(!sources_stay(&unit(Role::Program), &[]));
        assert!(!sources_stay(&unit(Role::Unknown), &[]));
    }

    #[test]
    fn another_crates_file_in_the_shared_folder_is_foreign_and_our_own_is_not() {
        let folder = format!("/tmp/guard-writes-{}", std::process::id());
        std::fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| format!("{folder}/{name}").into_bytes();
        for name in ["libother-2b.rlib", "libmine-1a.rlib"] {
            std::fs::write(format!("{folder}/{name}"), "").unwrap();
        }
        let identity = Identity {
            out_dir: folder.clone().into_bytes(),
            extra: b"-1a".to_vec(),
            ..Identity::default()
        };
        let mut unit = Unit::new(2, Role::Rustc, identity, 9, WriteRules::default());
        assert_eq!(
            judge_output(&mut unit, &at("libother-2b.rlib"), false),
            Verdict::List(Some("foreign output"))
        );
        assert_eq!(
            judge_output(&mut unit, &at("libmine-1a.rlib"), true),
            Verdict::Count
        );
        assert_eq!(
            judge_output(&mut unit, &at("rmetaAbC/lib.rmeta"), true),
            Verdict::Count
        );
        std::fs::create_dir(format!("{folder}/rmetaAbC")).unwrap();
        assert_eq!(
            judge_output(&mut unit, &at("rmetaAbC/lib.rmeta"), false),
            Verdict::Count
        );
        assert_eq!(
            judge_output(&mut unit, &at("new-file"), true),
            Verdict::List(Some("stray output"))
        );
        for index in 0..MOST_MADE {
            judge_output(&mut unit, &at(&format!("{index}.o")), true);
        }
        assert_eq!(
            (judge_output(&mut unit, &at("x.o"), true), unit.made.len()),
            (Verdict::List(Some("stray output")), MOST_MADE)
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_crates_object_file_is_foreign_before_it_is_there() {
        let identity = Identity {
            out_dir: b"/tmp/guard-nowhere".to_vec(),
            extra: b"-0123456789abcdef".to_vec(),
            ..Identity::default()
        };
        let mut unit = Unit::new(2, Role::Rustc, identity, 9, WriteRules::default());
        let mut judge = |name: &str| {
            let path = format!("/tmp/guard-nowhere/{name}");
            judge_output(&mut unit, path.as_bytes(), true)
        };
        for name in [
            "other-fedcba9876543210.other.1f2e3d-cgu.0.rcgu.o",
            "other-fedcba9876543210.o",
        ] {
            assert_eq!(judge(name), Verdict::List(Some("foreign output")), "{name}");
        }
        for name in [
            "mine-0123456789abcdef.mine.1f2e3d-cgu.0.rcgu.o",
            "rmetaAbCdEf",
            "x-fedcba98765432100.o",
            ".tmpAbCdEf.temp-archive",
        ] {
            assert_eq!(judge(name), Verdict::Count, "{name}");
        }
    }

    #[test]
    fn another_crates_incremental_cache_is_foreign() {
        assert_eq!(
            judge_incremental(b"mine", b"mine-1a2b/s-x/work.bin"),
            Verdict::Count
        );
        for other in [&b"other-1a2b/x"[..], b"mine2-1a/x", b"mine", b"x"] {
            assert_eq!(
                judge_incremental(b"mine", other),
                Verdict::List(Some("foreign output"))
            );
        }
    }

    #[test]
    fn a_link_to_an_allowed_folder_is_not_called_denied() {
        let folder = format!("/tmp/guard-link-{}", std::process::id());
        std::fs::create_dir_all(format!("{folder}/real")).unwrap();
        let _ = std::os::unix::fs::symlink("real", format!("{folder}/link"));
        let rules = WriteRules {
            folders: vec![format!("{folder}/real").into_bytes()],
            scratch: Vec::new(),
        };
        let judged = |name: &str, makes| {
            outside(
                &rules,
                format!("{folder}/{name}").as_bytes(),
                1,
                makes,
                None,
            )
        };
        assert_eq!(judged("link/x", true), Verdict::List(None));
        assert_eq!(judged("x", true), Verdict::Denied(By::Landlock));
        assert_eq!(judged("gone", false), Verdict::List(Some("absent")));
        assert_eq!(judged("gone/x", true), Verdict::List(Some("absent")));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
