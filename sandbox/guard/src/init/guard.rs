//! What init knows, and the few ways in which an act leaves a trace: listed, counted, or denied and listed.

use super::event::{By, Event};
use super::links::Linkless;
use super::process::{Caller, Processes, UnitIndex, CARGO, UNKNOWN};
use super::queue::Queue;
use super::seccomp::Notification;
use super::settings::Settings;
use super::unit::{Identity, Role, Unit};
use crate::json::Object;
use crate::paths;
use crate::rules::WriteRules;
use crate::sys;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// What the kernel is told about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Run it.
    Continue,
    /// Fail it with this error.
    Fail(i32),
    /// It succeeded with this value, without the kernel.
    Value(i64),
}

/// Numbers for the last frame.
#[derive(Default)]
pub struct Counts {
    pub seen: u64,
    pub written: u64,
    pub quiet: u64,
    pub unreadable: u64,
}

/// All state behind the notifier. One lock around it; the main thread takes it for ends of units only.
pub struct Guard {
    pub settings: Settings,
    pub queue: Arc<Queue>,
    pub began: u64,
    pub processes: Processes,
    pub units: Vec<Unit>,
    /// The trusted cargo: process 2.
    pub top: u32,
    /// Programs that the top process has become; while it is 1, that is cargo.
    pub top_execs: u32,
    pub counts: Counts,
    /// Folders of cargo's fingerprints that the top cargo opened files in.
    pub fingerprints: BTreeSet<Vec<u8>>,
    /// Descriptors that a process connected to port 53.
    pub resolvers: HashSet<(u32, i32)>,
    pub landlock: i32,
    /// Where units' first processes are watched for their end.
    pub watch: Arc<OwnedFd>,
    /// Descriptors of those processes, by unit.
    pub watched: HashMap<UnitIndex, OwnedFd>,
    pub linkless: Linkless,
    /// Scratch space for paths, so that the hot path allocates nothing.
    pub paths: [Vec<u8>; 3],
}

/// Errors that the guard answers with, and their names for the record.
pub fn errno_name(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::EACCES => "EACCES",
        libc::ENOSYS => "ENOSYS",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        _ => "EINVAL",
    }
}

impl Guard {
    /// State for a build whose trusted cargo is `top`.
    pub fn new(
        settings: Settings,
        queue: Arc<Queue>,
        began: u64,
        top: u32,
        watch: Arc<OwnedFd>,
    ) -> Result<Self, String> {
        let cargo = Identity {
            exe: settings.args[0].clone(),
            ..Identity::default()
        };
        let mut units = vec![
            Unit::new(CARGO, Role::Cargo, cargo, top, WriteRules::default()),
            Unit::new(
                UNKNOWN,
                Role::Unknown,
                Identity::default(),
                0,
                WriteRules::default(),
            ),
        ];
        for unit in &mut units {
            unit.quiet = quiet_prefixes(&settings, unit.role, &Identity::default());
        }
        Ok(Self {
            settings,
            queue,
            began,
            processes: Processes::new(top),
            units,
            top,
            top_execs: 0,
            counts: Counts::default(),
            fingerprints: BTreeSet::new(),
            resolvers: HashSet::new(),
            landlock: crate::landlock::abi(),
            watch,
            watched: HashMap::new(),
            linkless: Linkless::default(),
            paths: Default::default(),
        })
    }

    /// Nanoseconds since the guard started.
    pub fn now(&self) -> u64 {
        sys::now_ns() - self.began
    }

    pub fn unit(&self, caller: &Caller) -> &Unit {
        &self.units[caller.unit]
    }

    /// Count an act without listing it.
    pub fn count(&mut self, caller: &Caller) -> Answer {
        self.counts.seen += 1;
        self.counts.quiet += 1;
        self.units[caller.unit].counted += 1;
        Answer::Continue
    }

    /// List an act.
    pub fn list(&mut self, caller: &Caller, event: &Event<'_>) {
        self.counts.seen += 1;
        self.counts.written += 1;
        let (seq, t_ns) = (self.counts.written, self.now());
        let lost = caller.unit == UNKNOWN;
        if lost {
            // Nobody can be charged, so the record has a hole.
            self.counts.unreadable += 1;
        }
        // The host may want to end the build for these at once; all else it can hear of a little later.
        let loud = |path: Option<&[u8]>| path.is_some_and(|path| self.settings.loud.contains(path));
        let unit = &self.units[caller.unit];
        let strange = || {
            let known = |top: &Vec<u8>| event.path.is_some_and(|path| paths::is_within(path, top));
            event.kind == "exec" && !unit.quiet.iter().any(known)
        };
        // A shell looks for a program in one folder after the other: what isn't there does no harm.
        let absent = event.note == Some("absent");
        let urgent = event.denied.is_some()
            || loud(event.path)
            || loud(event.path2)
            || !absent && (event.note.is_some() || strange());
        let unit = &unit.id;
        self.queue.event(urgent, |out| {
            if lost && event.note.is_none() {
                let orphan = Event {
                    note: Some("orphan"),
                    ..*event
                };
                orphan.write(out, seq, t_ns, unit, caller);
            } else {
                event.write(out, seq, t_ns, unit, caller);
            }
        });
    }

    /// List an act and let it go on.
    pub fn allow(&mut self, caller: &Caller, event: &Event<'_>) -> Answer {
        self.list(caller, event);
        Answer::Continue
    }

    /// List an act and refuse it.
    pub fn deny(&mut self, caller: &Caller, errno: i32, event: &Event<'_>) -> Answer {
        if self.settings.broken("deny") {
            return self.allow(caller, event);
        }
        self.list(
            caller,
            &Event {
                denied: Some(By::Guard),
                errno: Some(errno_name(errno)),
                ..*event
            },
        );
        Answer::Fail(errno)
    }

    /// An argument could not be read: the record has a hole, and says so.
    pub fn unreadable(&mut self, caller: &Caller, event: &Event<'_>) -> Answer {
        self.counts.unreadable += 1;
        self.allow(
            caller,
            &Event {
                note: Some("unreadable"),
                ..*event
            },
        )
    }

    /// A unit begins with its first process. Tells the host and watches for the process's end.
    pub fn start_unit(
        &mut self,
        caller: &mut Caller,
        role: Role,
        identity: Identity,
        rules: WriteRules,
        guarding: bool,
    ) {
        let index = self.units.len();
        let mut unit = Unit::new(index, role, identity, caller.pid, rules);
        unit.quiet = quiet_prefixes(&self.settings, role, &unit.identity);
        // What the unit does comes behind this, in order, and what may end the build takes it along.
        self.queue.lazy_frame(b'U', &unit.start_json(self.now()));
        self.units.push(unit);
        self.processes.assign(caller.pid, index, guarding);
        caller.unit = index;
        caller.guarding = guarding;
        if role == Role::Program {
            self.processes.adopter = Some(index);
        }
        if let Ok(fd) = sys::pidfd_open(caller.pid) {
            let mut event = libc::epoll_event {
                events: libc::EPOLLIN as u32,
                u64: index as u64,
            };
            // SAFETY: both descriptors are open and `event` is readable.
            let added = unsafe {
                libc::epoll_ctl(
                    self.watch.as_raw_fd(),
                    libc::EPOLL_CTL_ADD,
                    fd.as_raw_fd(),
                    &mut event,
                )
            };
            if added == 0 {
                self.watched.insert(index, fd);
            }
        }
    }

    /// A unit is over. Does nothing the second time.
    pub fn end_unit(&mut self, index: UnitIndex) {
        let now = self.now();
        let Some(unit) = self.units.get_mut(index) else {
            return;
        };
        if !std::mem::replace(&mut unit.ended, true) {
            let record = unit.end_json(now);
            // Of an end only survivors may have to end the build; the next unit's start takes it along anyway.
            if unit.survivors > 0 {
                self.queue.frame(b'U', &record);
            } else {
                self.queue.lazy_frame(b'U', &record);
            }
        }
    }

    /// Whether process 2 is still cargo itself.
    pub fn cargo_is_top(&self) -> bool {
        self.top_execs <= 1
    }

    /// The first frame.
    pub fn state_json(&self, sync_wakeup: bool, kernel: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.number("v", 1);
        object.signed("landlock", self.landlock.into());
        object.flag("sync_wakeup", sync_wakeup);
        object.flag("alone", self.settings.alone);
        object.text("kernel", kernel);
        object.number("pid2", self.top.into());
        object.end();
        out
    }
}

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xC000_00B7;

/// Marks the numbers of the x32 ABI (`__X32_SYSCALL_BIT`).
pub const X32_BIT: i32 = 0x4000_0000;

/// A notified call with its caller, as the handlers get it.
pub struct Call<'a> {
    pub caller: &'a mut Caller,
    pub args: [u64; 6],
    notification: &'a Notification,
    listener: i32,
}

impl<'a> Call<'a> {
    pub fn new(caller: &'a mut Caller, notification: &'a Notification, listener: i32) -> Self {
        Self {
            caller,
            args: notification.data.args,
            notification,
            listener,
        }
    }

    /// Whether the call came through another ABI than the kernel's own.
    pub fn is_foreign(&self) -> bool {
        self.notification.data.arch != NATIVE || self.notification.data.nr & X32_BIT != 0
    }

    /// An argument that the kernel takes as an int.
    pub fn int(&self, index: usize) -> i32 {
        (self.args[index] & 0xffff_ffff) as u32 as i32
    }

    /// Whether the caller still waits for us. Without that, what was read may come from another process.
    pub fn is_valid(&self) -> bool {
        super::seccomp::is_valid(self.listener, self.notification.id)
    }
}

/// Prefixes below which a unit's reads are counted: the plan's for its role, and its own folders.
fn quiet_prefixes(settings: &Settings, role: Role, identity: &Identity) -> Arc<[Vec<u8>]> {
    let planned = settings
        .quiet
        .iter()
        .filter(|(wanted, _)| wanted == b"*" || wanted == role.name().as_bytes());
    let fixed: [&[u8]; 10] = [
        b"/dev/null",
        b"/dev/zero",
        b"/dev/urandom",
        b"/dev/random",
        b"/dev/full",
        b"/sys/fs/cgroup",
        b"/sys/devices/system/cpu",
        // Read by the allocator of every rustc.
        b"/sys/kernel/mm/transparent_hugepage",
        b"/proc/sys/vm/overcommit_memory",
        // The C library's allocator counts processors with it where threads happen to meet: a distribution's rustc does.
        b"/proc/stat",
    ];
    let own = [
        &identity.manifest_dir,
        &identity.out_dir,
        &identity.incremental,
    ];
    planned
        .map(|(_, prefix)| prefix.as_slice())
        .chain(fixed)
        .chain([&b"/dev/tty"[..]])
        .chain(own.into_iter().map(Vec::as_slice))
        .filter(|prefix| !prefix.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}
