//! Which process a thread belongs to, and which unit a process belongs to: by descent, read from /proc at first sight.

use super::real::View;
use crate::sys;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Index of a unit in the list of units.
pub type UnitIndex = usize;
/// cargo itself.
pub const CARGO: UnitIndex = 0;
/// Processes whose descent is lost.
pub const UNKNOWN: UnitIndex = 1;

/// After so many new tasks everything cached is checked again. Must stay below the smallest `pid_max` in use, so that
/// a number can't come round while we still remember its former owner.
const CHECK_EVERY: u32 = 4096;

/// Longest chain of unseen parents that is followed. A fork is a notified call, so even two in a row are rare.
const DEEPEST: u32 = 64;
/// A parent may end while we look; then the task has a new one.
const TRIES: u32 = 8;

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub tid: u32,
    pub pid: u32,
    pub start: u64,
    pub parent: u32,
    pub unit: UnitIndex,
    /// It is a unit's first process and still runs the guard.
    pub guarding: bool,
}

impl Caller {
    /// Whether the target is a process of the caller's own unit, and neither its role process nor init.
    pub fn may_touch(&self, target: &Self) -> bool {
        target.unit == self.unit && !target.guarding && target.pid != 1
    }

    /// How it sees /proc.
    pub fn view(&self) -> View {
        View {
            tid: self.tid,
            pid: self.pid,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Process {
    start: u64,
    parent: u32,
    unit: UnitIndex,
    guarding: bool,
}

/// Process ids are small and spread by the kernel; multiplying is all the hashing they need.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8 | u64::from(*byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0.rotate_left(32) ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

pub type ById<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// The table of processes that have made a notified call.
pub struct Processes {
    threads: ById<u32, u32>,
    processes: ById<u32, Process>,
    top: u32,
    forks: u32,
    check_every: u32,
    /// Different processes seen so far.
    pub total: u64,
    /// The unit that lost processes of no other unit belong to, if there is one.
    pub adopter: Option<UnitIndex>,
}

impl Processes {
    /// `top` is the trusted cargo.
    pub fn new(top: u32) -> Self {
        let pid_max = std::fs::read("/proc/sys/kernel/pid_max")
            .ok()
            .and_then(|text| sys::number(&text));
        let check_every = pid_max.map_or(CHECK_EVERY, |most| {
            u32::try_from(most / 4)
                .unwrap_or(CHECK_EVERY)
                .clamp(16, CHECK_EVERY)
        });
        Self {
            threads: ById::default(),
            processes: ById::default(),
            top,
            forks: 0,
            check_every,
            total: 0,
            adopter: None,
        }
    }

    /// The process that the thread belongs to. None when it is gone.
    pub fn find(&mut self, tid: u32) -> Option<Caller> {
        let pid = match self.threads.get(&tid) {
            Some(pid) => *pid,
            None => self.load(tid, 0)?,
        };
        let process = self.processes.get(&pid)?;
        Some(Caller {
            tid,
            pid,
            start: process.start,
            parent: process.parent,
            unit: process.unit,
            guarding: process.guarding,
        })
    }

    /// `find`, after making sure that the number has not passed to another process.
    pub fn find_checked(&mut self, tid: u32) -> Option<Caller> {
        self.threads.remove(&tid);
        self.load(tid, 0)?;
        self.find(tid)
    }

    /// Charge a process to a unit from now on.
    pub fn assign(&mut self, pid: u32, unit: UnitIndex, guarding: bool) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.unit = unit;
            process.guarding = guarding;
        }
    }

    /// A new task is about to be made. Every few thousand of them, forget what can't be trusted any more.
    pub fn count_fork(&mut self) {
        self.forks += 1;
        if self.forks >= self.check_every {
            self.forks = 0;
            self.threads.clear();
            self.processes.retain(|pid, process| {
                sys::stat(*pid).is_some_and(|stat| stat.start == process.start)
            });
        }
    }

    /// Learn about a task from /proc; gives its process.
    fn load(&mut self, tid: u32, depth: u32) -> Option<u32> {
        let (pid, parent) = task(tid)?;
        let stat = sys::stat(pid)?;
        match self.processes.get_mut(&pid) {
            Some(known) if known.start == stat.start => known.parent = parent,
            _ => {
                let (parent, unit) = self.descent(tid, pid, parent, depth);
                let process = Process {
                    start: stat.start,
                    parent,
                    unit,
                    guarding: false,
                };
                self.processes.insert(pid, process);
                self.total += 1;
            }
        }
        self.threads.insert(tid, pid);
        Some(pid)
    }

    /// The parent of a process as it is now, and the unit that comes from it.
    fn descent(&mut self, tid: u32, pid: u32, mut parent: u32, depth: u32) -> (u32, UnitIndex) {
        if pid == self.top {
            return (parent, CARGO);
        }
        // We are nobody's.
        if pid == 1 {
            return (parent, UNKNOWN);
        }
        for _ in 0..TRIES {
            // Init adopts only what no unit's own first process adopts.
            if parent <= 1 {
                return (parent, self.adopter.unwrap_or(UNKNOWN));
            }
            if depth >= DEEPEST {
                break;
            }
            if self.processes.contains_key(&parent) || self.load(parent, depth + 1).is_some() {
                let unit = self
                    .processes
                    .get(&parent)
                    .map_or(UNKNOWN, |process| process.unit);
                return (parent, unit);
            }
            match task(tid) {
                Some((_, now)) => parent = now,
                None => break,
            }
        }
        (parent, UNKNOWN)
    }
}

/// Thread group and parent of a task (proc_pid_status(5)).
fn task(tid: u32) -> Option<(u32, u32)> {
    let mut buffer = [0u8; 2048];
    let text = sys::read_proc(tid, "status", &mut buffer)?;
    let value = |key: &[u8]| {
        let line = text
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(key))?;
        u32::try_from(sys::number(line)?).ok()
    };
    Some((value(b"Tgid:")?, value(b"PPid:")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn descendants_inherit_the_unit_of_the_process_they_come_from() {
        let own = std::process::id();
        let mut table = Processes::new(own);
        let mut child = Command::new("sleep").arg("5").spawn().unwrap();
        let found = table.find(child.id()).unwrap();
        assert_eq!(
            (found.pid, found.parent, found.unit),
            (child.id(), own, CARGO)
        );
        table.assign(own, 7, true);
        assert_eq!(table.find(child.id()).unwrap().unit, CARGO);
        let mut second = Command::new("sleep").arg("5").spawn().unwrap();
        assert_eq!(table.find(second.id()).unwrap().unit, 7);
        for child in [&mut child, &mut second] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        for _ in 0..table.check_every {
            table.count_fork();
        }
        assert_eq!(table.find(child.id()), None);
        assert!(table.find(own).is_some());
    }

    #[test]
    fn a_thread_is_charged_to_its_process() {
        let own = std::process::id();
        let mut table = Processes::new(own);
        // SAFETY: gettid touches no memory.
        let tid = std::thread::spawn(|| unsafe { libc::gettid() })
            .join()
            .unwrap();
        let here = u32::try_from(tid).unwrap();
        // The thread may be gone already; the main one is always there.
        assert!(table.find(here).is_none_or(|caller| caller.pid == own));
        assert_eq!(table.find(own).unwrap().tid, own);
    }
}
