//! How many tasks the container may have. The kernel's own limit (`RLIMIT_NPROC`) does not hold for the user that is the
//! host's root, whatever namespace it is in (getrlimit(2)). A fork asks nobody, so we look often enough.

use super::settings::Limit;
use crate::sys;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

/// Shortest and longest time between two looks. What a storm of forks can make in it is what it can have too much.
const PAUSES: [u64; 2] = [5, 50];

/// Tasks that one processor makes in a millisecond, at most: a thread takes some ten microseconds, a fork fifty.
const MOST_IN_A_MS: u64 = 100;

/// The thread that looks. Once there are too many tasks it stops all but us and makes `fd` readable; the end is for
/// whoever waits there.
pub struct Room {
    event: Option<OwnedFd>,
}

impl Room {
    /// By the plan's limits; without a limit nobody looks.
    pub fn new(limits: &[Limit]) -> std::io::Result<Self> {
        let limit = limits
            .iter()
            .find(|limit| limit.resource == libc::RLIMIT_NPROC);
        let Some(limit) = limit else {
            return Ok(Self { event: None });
        };
        let most = most(limit.hard);
        // SAFETY: the call touches no memory.
        let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
        // Where the number can't be told it looks as often as it ever does.
        let in_a_ms = u64::try_from(online).map_or(u64::MAX, |processors| {
            processors.saturating_mul(MOST_IN_A_MS).max(1)
        });
        let made = Made::new()?;
        // SAFETY: the call touches no memory and gives a fresh descriptor.
        let event = unsafe {
            let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
            OwnedFd::from_raw_fd(sys::check_int(libc::eventfd(0, flags))?)
        };
        let told = event.try_clone()?;
        std::thread::spawn(move || {
            wait_until_full(most, in_a_ms, made, tasks);
            sys::kill(-1, libc::SIGSTOP);
            // The counter of a fresh eventfd takes any number but the largest.
            let _ = sys::write(told.as_raw_fd(), &1u64.to_ne_bytes());
        });
        Ok(Self { event: Some(event) })
    }

    /// Readable when there are too many tasks.
    pub fn fd(&self) -> Option<RawFd> {
        self.event.as_ref().map(AsRawFd::as_raw_fd)
    }
}

/// Twice the limit and some, so that the host can see that it was passed and say so.
fn most(hard: u64) -> u64 {
    hard.saturating_mul(2).saturating_add(64)
}

/// How many tasks were made since it was asked last, at most: the namespace's last process id moves on by as many.
struct Made {
    path: &'static str,
    last: u64,
}

impl Made {
    /// `loadavg` tells the reader's namespace's last process id (proc_loadavg(5)).
    fn new() -> std::io::Result<Self> {
        let mut made = Self {
            path: "/proc/loadavg",
            last: 0,
        };
        File::open(made.path)?;
        made.since();
        Ok(made)
    }

    /// `u64::MAX` when it can't be told: the ids came round, or there is nothing to read.
    fn since(&mut self) -> u64 {
        let mut text = [0u8; 128];
        // Opened each time: the guard holds no file that it does not need.
        let count = File::open(self.path)
            .and_then(|file| file.read_at(&mut text, 0))
            .unwrap_or(0);
        let last = text[..count]
            .trim_ascii_end()
            .rsplit(|byte| *byte == b' ')
            .next()
            .and_then(sys::number);
        let Some(last) = last else {
            return u64::MAX;
        };
        let before = std::mem::replace(&mut self.last, last);
        last.checked_sub(before).unwrap_or(u64::MAX)
    }
}

/// Counts only when there may be too many, which is seldom.
fn wait_until_full(most: u64, in_a_ms: u64, mut made: Made, count: impl Fn() -> u64) {
    let mut at_most = 0u64;
    loop {
        std::thread::sleep(pause(most - at_most, in_a_ms));
        at_most = at_most.saturating_add(made.since());
        if at_most >= most {
            at_most = count();
            if at_most >= most {
                return;
            }
        }
    }
}

/// Until so many more tasks can have been made, `in_a_ms` of them in a millisecond.
fn pause(left: u64, in_a_ms: u64) -> Duration {
    let [shortest, longest] = PAUSES;
    Duration::from_millis((left / in_a_ms).clamp(shortest, longest))
}

/// Tasks of the container: each process's folder of tasks has a link more for each of them (proc(5)).
fn tasks() -> u64 {
    let Ok(entries) = fs::read_dir("/proc") else {
        return u64::MAX;
    };
    entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(|first: char| first.is_ascii_digit())
        })
        .filter_map(|entry| fs::metadata(entry.path().join("task")).ok())
        .map(|status| status.nlink().saturating_sub(2))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_new_task_moves_the_last_process_id_on() {
        let mut made = Made::new().unwrap();
        made.since();
        std::thread::spawn(|| ()).join().unwrap();
        assert!(made.since() >= 1);
    }

    #[test]
    fn it_counts_only_when_it_may_be_full_and_ends_when_it_is() {
        let counted = Cell::new(0);
        let made = Made {
            path: "/dev/null",
            last: 0,
        };
        wait_until_full(100, 1, made, || {
            counted.set(counted.get() + 1);
            if counted.get() < 3 {
                50
            } else {
                100
            }
        });
        assert_eq!(counted.get(), 3);
        assert_eq!(most(40), 144);
    }

    #[test]
    fn the_nearer_it_is_to_full_the_sooner_it_looks_again() {
        let times = [0, 100, 2_000, 8_000, u64::MAX].map(|left| pause(left, 200).as_millis());
        assert_eq!(times, [5, 5, 10, 40, 50]);
    }

    #[test]
    fn many_processors_fill_it_sooner() {
        let times = [200, 800, 6_400, u64::MAX].map(|in_a_ms| pause(8_256, in_a_ms).as_millis());
        assert_eq!(times, [41, 10, 5, 5]);
    }

    #[test]
    fn without_a_limit_nobody_looks() {
        assert!(Room::new(&[]).unwrap().fd().is_none());
    }

    #[test]
    fn threads_are_tasks() {
        let before = tasks();
        let thread = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(300)));
        let other = std::thread::spawn(|| std::thread::sleep(Duration::from_millis(300)));
        assert!(tasks() >= 3 && before >= 1);
        thread.join().unwrap();
        other.join().unwrap();
    }
}
