//! How many tasks the container may have. The kernel's own limit (`RLIMIT_NPROC`) does not hold for the user that is the
//! host's root, whatever namespace it is in (getrlimit(2)).

use super::settings::Limit;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// After the container was found full, look again no sooner than this.
const PAUSE: Duration = Duration::from_millis(20);

/// Room for tasks: counted when it may have run out, which is seldom.
pub struct Room {
    most: u64,
    counted: u64,
    since: u64,
    full_at: Option<Instant>,
}

impl Room {
    /// By the plan's limits. Twice the limit and some, so that the host can see that it was passed and end the build.
    pub fn new(limits: &[Limit]) -> Self {
        let limit = limits
            .iter()
            .find(|limit| limit.resource == libc::RLIMIT_NPROC);
        let most = limit.map_or(u64::MAX, |limit| limit.hard.saturating_mul(2));
        Self {
            most: most.saturating_add(64),
            counted: 0,
            since: 0,
            full_at: None,
        }
    }

    /// Whether one more task fits; then it is counted as made.
    pub fn take(&mut self) -> bool {
        self.take_with(tasks)
    }

    fn take_with(&mut self, count: impl FnOnce() -> u64) -> bool {
        if self.counted.saturating_add(self.since) >= self.most {
            if self.full_at.is_some_and(|at| at.elapsed() < PAUSE) {
                return false;
            }
            self.counted = count();
            self.since = 0;
            self.full_at = (self.counted >= self.most).then(Instant::now);
        }
        self.since += 1;
        self.full_at.is_none()
    }
}

/// Tasks of the container: each process's folder of tasks has a link more for each of them (proc(5)).
fn tasks() -> u64 {
    let Ok(entries) = fs::read_dir("/proc") else {
        return 0;
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

    fn room(hard: u64) -> Room {
        Room::new(&[Limit {
            resource: libc::RLIMIT_NPROC,
            soft: hard,
            hard,
        }])
    }

    #[test]
    fn it_is_full_at_twice_the_limit_and_has_room_again_when_tasks_have_ended() {
        let mut room = room(40);
        for _ in 0..144 {
            assert!(room.take_with(|| 0));
        }
        assert!(!room.take_with(|| 144));
        assert!(!room.take_with(|| 0), "not so soon");
        std::thread::sleep(PAUSE);
        assert!(room.take_with(|| 10));
    }

    #[test]
    fn short_lived_tasks_never_fill_it() {
        let mut room = room(40);
        assert!((0..10_000).all(|_| room.take_with(|| 3)));
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let mut room = Room::new(&[]);
        assert!((0..10_000).all(|_| room.take_with(|| panic!("no need"))));
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
