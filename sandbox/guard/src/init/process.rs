//! Which process a thread belongs to, and which unit a process belongs to: by descent, read from /proc at first sight.

use super::real::View;
use crate::sys;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::fd::{AsRawFd, OwnedFd};

/// Index of a unit in the list of units.
pub type UnitIndex = usize;
/// cargo itself.
pub const CARGO: UnitIndex = 0;
/// Processes whose descent is lost.
pub const UNKNOWN: UnitIndex = 1;

/// So many processes that have ended are remembered before the table is cleaned; each holds a descriptor.
const CLEAN_AT: usize = 256;

/// A parent may end while we look; then the task has a new one.
const TRIES: u32 = 8;

/// A thread that calls for the first time is asked for in so many processes, those that called last. A compiler makes
/// dozens of threads, and two calls here are far cheaper than what /proc writes about a task.
const RECENT: usize = 4;

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

#[derive(Debug)]
struct Process {
    /// Tells that the number still is this process's. None when we had no descriptor left.
    alive: Option<OwnedFd>,
    start: u64,
    parent: u32,
    unit: UnitIndex,
    guarding: bool,
}

impl Process {
    /// Whether the number still is this process's.
    fn holds(&self, pid: u32) -> bool {
        match &self.alive {
            Some(fd) => sys::is_alive(fd.as_raw_fd()),
            None => sys::stat(pid).is_some_and(|stat| stat.start == self.start),
        }
    }
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
    /// Processes that called last, the very last one first.
    recent: [u32; RECENT],
    top: u32,
    clean_at: usize,
    /// So many descriptors are kept: the guard needs others.
    most_held: usize,
    /// Different processes seen so far.
    pub total: u64,
    /// The unit that lost processes of no other unit belong to, if there is one.
    pub adopter: Option<UnitIndex>,
}

impl Processes {
    /// `top` is the trusted cargo.
    pub fn new(top: u32) -> Self {
        Self {
            threads: ById::default(),
            processes: ById::default(),
            recent: [0; RECENT],
            top,
            clean_at: CLEAN_AT,
            most_held: sys::most_files() / 4,
            total: 0,
            adopter: None,
        }
    }

    /// The process that the thread belongs to. None when it is gone.
    pub fn find(&mut self, tid: u32) -> Option<Caller> {
        let pid = match self.known(tid).or_else(|| self.thread_of_recent(tid)) {
            Some(pid) => pid,
            None => self.load(tid)?,
        };
        self.note_recent(pid);
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

    /// What we know of the thread, unless its number or its process's has passed to another one.
    fn known(&self, tid: u32) -> Option<u32> {
        let pid = *self.threads.get(&tid)?;
        let holds = self.processes.get(&pid).is_some_and(|one| one.holds(pid));
        (holds && (tid == pid || sys::is_thread_of(tid, pid))).then_some(pid)
    }

    /// The process among the last callers that has this new thread.
    fn thread_of_recent(&mut self, tid: u32) -> Option<u32> {
        // In this order: if the number still is the process's after the kernel has found the thread in it, it was then.
        let has = |pid: &u32| {
            *pid != tid
                && self
                    .processes
                    .get(pid)
                    .is_some_and(|process| sys::is_thread_of(tid, *pid) && process.holds(*pid))
        };
        let pid = *self.recent.iter().find(|pid| has(pid))?;
        self.clean();
        self.threads.insert(tid, pid);
        Some(pid)
    }

    fn note_recent(&mut self, pid: u32) {
        if self.recent[0] != pid {
            let place = self.recent.iter().position(|one| *one == pid);
            self.recent[..=place.unwrap_or(RECENT - 1)].rotate_right(1);
            self.recent[0] = pid;
        }
    }

    /// `find`, with the parent as it is now.
    pub fn find_checked(&mut self, tid: u32) -> Option<Caller> {
        self.threads.remove(&tid);
        self.load(tid)?;
        self.find(tid)
    }

    /// Charge a process to a unit from now on.
    pub fn assign(&mut self, pid: u32, unit: UnitIndex, guarding: bool) {
        if let Some(process) = self.processes.get_mut(&pid) {
            process.unit = unit;
            process.guarding = guarding;
        }
    }

    /// Learn about a task from /proc; gives its process.
    fn load(&mut self, tid: u32) -> Option<u32> {
        self.clean();
        if self.refresh(tid).is_some() {
            self.threads.insert(tid, tid);
            return Some(tid);
        }
        // Only a process's first thread has a descriptor of this kind; it holds the number while we read.
        let (pid, alive) = match sys::pidfd_open(tid) {
            Ok(alive) => (tid, Some(alive)),
            Err(_) => {
                let (pid, _) = task(tid)?;
                (pid, sys::pidfd_open(pid).ok())
            }
        };
        let stat = sys::stat(pid)?;
        let parent = if tid == pid {
            stat.parent
        } else {
            let (group, parent) = task(tid)?;
            if group != pid {
                return None;
            }
            parent
        };
        match self.processes.get_mut(&pid) {
            Some(known) if known.start == stat.start && known.holds(pid) => known.parent = parent,
            _ => {
                let now = || match &alive {
                    Some(first) if tid == pid => parent_by(first, pid),
                    _ => parent_of(tid),
                };
                let (parent, unit) = self.descent(pid, parent, now);
                let process = Process {
                    alive: alive.filter(|_| self.processes.len() < self.most_held),
                    start: stat.start,
                    parent,
                    unit,
                    guarding: false,
                };
                // What was read meanwhile was this process's only if it still is there.
                if !process.holds(pid) {
                    return None;
                }
                self.processes.insert(pid, process);
                self.total += 1;
            }
        }
        self.threads.insert(tid, pid);
        Some(pid)
    }

    /// Learn the parent of a known process anew, if its descriptor tells that it still is there.
    fn refresh(&mut self, pid: u32) -> Option<()> {
        let process = self.processes.get_mut(&pid)?;
        process.parent = sys::parent_by(process.alive.as_ref()?)?;
        Some(())
    }

    /// Forget those that have ended, once there may be many of them.
    fn clean(&mut self) {
        if self.threads.len().max(self.processes.len()) >= self.clean_at {
            self.processes.retain(|pid, process| process.holds(*pid));
            let known = &self.processes;
            self.threads.retain(|tid, pid| {
                known.contains_key(pid) && (tid == pid || sys::is_thread_of(*tid, *pid))
            });
            let left = self.threads.len().max(self.processes.len());
            self.clean_at = (2 * left).max(CLEAN_AT);
        }
    }

    /// The parent of a process as it is now (`now` looks again), and the unit that comes from it: that of the nearest
    /// ancestor that we know. A fork asks nobody, so there may be any number between the two.
    fn descent(
        &self,
        pid: u32,
        mut parent: u32,
        now: impl Fn() -> Option<u32>,
    ) -> (u32, UnitIndex) {
        if pid == self.top {
            return (parent, CARGO);
        }
        // We are nobody's.
        if pid == 1 {
            return (parent, UNKNOWN);
        }
        for _ in 0..TRIES {
            // A number read from /proc is held by nobody: it was the parent's all the while only if it still is.
            let unit = self.unit_above(parent);
            match (now(), unit) {
                (Some(again), Some(unit)) if again == parent => return (parent, unit),
                (Some(again), _) => parent = again,
                (None, _) => break,
            }
        }
        (parent, UNKNOWN)
    }

    /// The unit that a process belongs to by its own descent. None when one of its ancestors ended while we looked.
    fn unit_above(&self, mut pid: u32) -> Option<UnitIndex> {
        let mut links = Vec::new();
        let unit = loop {
            if pid == self.top {
                break self.processes.get(&pid).map_or(CARGO, |one| one.unit);
            }
            // Init adopts only what no unit's own first process adopts.
            if pid <= 1 {
                break self.adopter.unwrap_or(UNKNOWN);
            }
            if let Some(known) = self.processes.get(&pid).filter(|one| one.holds(pid)) {
                break known.unit;
            }
            let parent = task(pid)?.1;
            links.push((pid, parent));
            pid = parent;
        };
        // From the top down: whoever is still the parent of the next one was there when its own parent was read.
        let whole = links
            .iter()
            .rev()
            .all(|(one, parent)| is_child_of(*one, *parent));
        whole.then_some(unit)
    }
}

fn is_child_of(tid: u32, parent: u32) -> bool {
    parent_of(tid) == Some(parent)
}

fn parent_of(tid: u32) -> Option<u32> {
    task(tid).map(|(_, parent)| parent)
}

/// The parent of the process that a descriptor stands for.
fn parent_by(process: &OwnedFd, pid: u32) -> Option<u32> {
    sys::parent_by(process).or_else(|| parent_of(pid))
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
        table.find(own).unwrap();
        table.assign(own, 7, true);
        assert_eq!(table.find(child.id()).unwrap().unit, CARGO);
        let mut second = Command::new("sleep").arg("5").spawn().unwrap();
        assert_eq!(table.find(second.id()).unwrap().unit, 7);
        for child in [&mut child, &mut second] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(table.find(child.id()), None);
        assert!(table.find(own).is_some());
    }

    #[test]
    fn whoever_forks_without_a_word_is_charged_by_the_nearest_ancestor_that_is_known() {
        let mut table = Processes::new(1);
        let mut first = Command::new("sh")
            .args(["-c", "(( (sleep 5; :); :); :) & echo; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(table.find(first.id()).is_some());
        table.assign(first.id(), 5, false);
        let below = |of: u32| {
            let all = sys::all_processes();
            all.into_iter()
                .find(|pid| sys::stat(*pid).is_some_and(|stat| stat.parent == of))
        };
        let mut last = first.id();
        for _ in 0..3 {
            last = loop {
                match below(last) {
                    Some(pid) => break pid,
                    None => std::thread::yield_now(),
                }
            };
        }
        let found = table.find(last).unwrap();
        assert_eq!((found.unit, table.total), (5, 2));
        sys::kill(i32::try_from(last).unwrap(), libc::SIGKILL);
        first.kill().unwrap();
        first.wait().unwrap();
    }

    #[test]
    fn a_number_that_passed_to_another_process_is_not_believed() {
        let own = std::process::id();
        let mut table = Processes::new(own);
        let mut child = Command::new("sleep").arg("5").spawn().unwrap();
        let mut other = Command::new("sleep").arg("5").spawn().unwrap();
        table.find(child.id()).unwrap();
        table.assign(child.id(), 9, true);
        // As if `other` had got the number of `child` after its end.
        let stale = table.processes.remove(&child.id()).unwrap();
        table.processes.insert(other.id(), stale);
        table.threads.insert(other.id(), other.id());
        child.kill().unwrap();
        child.wait().unwrap();
        let found = table.find(other.id()).unwrap();
        assert_eq!((found.unit, found.guarding), (CARGO, false));
        // A thread's number that is a process's now.
        table.threads.insert(other.id(), own);
        assert_eq!(table.find(other.id()).unwrap().pid, other.id());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn without_a_descriptor_the_start_time_tells_whose_a_number_is() {
        let mut table = Processes::new(std::process::id());
        table.most_held = 0;
        let mut child = Command::new("sleep").arg("5").spawn().unwrap();
        table.find(child.id()).unwrap();
        assert!(table.processes[&child.id()].alive.is_none());
        table.assign(child.id(), 9, false);
        assert_eq!(table.find(child.id()).unwrap().unit, 9);
        table.processes.get_mut(&child.id()).unwrap().start += 1;
        assert_eq!(table.find(child.id()).unwrap().unit, CARGO);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn those_that_have_ended_are_forgotten_in_time() {
        let mut table = Processes::new(std::process::id());
        for _ in 0..CLEAN_AT + 8 {
            let mut child = Command::new("true").spawn().unwrap();
            table.find(child.id());
            child.wait().unwrap();
        }
        assert!(table.processes.len() < 16 && table.threads.len() < 16);
    }

    #[test]
    fn threads_that_have_ended_are_forgotten_too_where_no_new_process_comes() {
        let own = std::process::id();
        let mut table = Processes::new(1);
        table.find(own).unwrap();
        for _ in 0..CLEAN_AT + 8 {
            std::thread::scope(|scope| {
                let (ask, answer) = std::sync::mpsc::channel();
                let (stop, stopped) = std::sync::mpsc::channel::<()>();
                scope.spawn(move || {
                    // SAFETY: gettid touches no memory.
                    ask.send(unsafe { libc::gettid() }).unwrap();
                    let _ = stopped.recv();
                });
                let tid = u32::try_from(answer.recv().unwrap()).unwrap();
                assert_eq!(table.find(tid).unwrap().pid, own);
                drop(stop);
            });
        }
        assert!(table.threads.len() < 32, "{}", table.threads.len());
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

    #[test]
    fn a_new_thread_is_looked_for_in_the_processes_that_called_last_and_in_no_other() {
        let own = std::process::id();
        let mut table = Processes::new(1);
        table.find(own).unwrap();
        table.assign(own, 7, false);
        let mut others: Vec<_> = (0..RECENT)
            .map(|_| Command::new("sleep").arg("5").spawn().unwrap())
            .collect();
        let (ask, answer) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // SAFETY: gettid touches no memory.
            ask.send(unsafe { libc::gettid() }).unwrap();
            let _ = stopped.recv();
        });
        let tid = u32::try_from(answer.recv().unwrap()).unwrap();
        for other in &others[1..] {
            table.find(other.id()).unwrap();
            assert_eq!(table.thread_of_recent(other.id()), None);
        }
        assert_eq!(table.recent[RECENT - 1], own);
        assert_eq!(table.thread_of_recent(tid), Some(own));
        // Once it is not among the last, /proc tells.
        table.threads.remove(&tid);
        table.find(others[0].id()).unwrap();
        assert_eq!(table.thread_of_recent(tid), None);
        let found = table.find(tid).unwrap();
        assert_eq!((found.pid, found.unit, table.recent[0]), (own, 7, own));
        // A number that has passed on: the process is known, but it is another one now.
        table.processes.get_mut(&own).unwrap().alive = None;
        table.processes.get_mut(&own).unwrap().start += 1;
        table.threads.remove(&tid);
        assert_eq!(table.thread_of_recent(tid), None);
        drop(stop);
        thread.join().unwrap();
        for child in &mut others {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn whose_parent_has_ended_has_its_new_parent_at_the_next_exec() {
        sys::become_subreaper().unwrap();
        let own = std::process::id();
        let mut table = Processes::new(own);
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 5 & echo $!; read _"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut text = [0u8; 16];
        let count = std::io::Read::read(shell.stdout.as_mut().unwrap(), &mut text).unwrap();
        let pid = u32::try_from(sys::number(text[..count].trim_ascii()).unwrap()).unwrap();
        table.find(shell.id()).unwrap();
        assert_eq!(table.find_checked(pid).unwrap().parent, shell.id());
        let first = table.processes[&pid].alive.as_ref().unwrap();
        // An older kernel has no answer.
        assert!(sys::parent_by(first).is_none_or(|parent| parent == shell.id()));
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!(table.find_checked(pid).unwrap().parent, own);
        assert_eq!(sys::stat(pid).unwrap().parent, own);
        sys::kill(i32::try_from(pid).unwrap(), libc::SIGKILL);
        sys::reap(i32::try_from(pid).unwrap(), true);
        assert!(table.find_checked(pid).is_none());
    }
}
