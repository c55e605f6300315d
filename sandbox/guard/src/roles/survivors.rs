//! Processes that are still there when their unit is over. The role is their subreaper, so they come back to it.

use crate::sys::{self, Reaped};
use std::time::{Duration, Instant};

/// A process that is just ending is no survivor.
const GRACE: Duration = Duration::from_millis(50);
/// A unit that forks faster than we kill is left to init, which ends the whole container.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of a survivor's command line that are told; init's list must have room for it whatever the bytes are.
const LONGEST_ARGV: usize = 2048;
/// Survivors whose command line is looked at; a storm of them is told by its numbers.
const MOST_ARGV: usize = 1000;

/// One process and its command line.
pub struct Survivor {
    pub pid: u32,
    pub argv: Vec<Vec<u8>>,
}

impl Survivor {
    /// "pid\targv", with `ARG_END` between the arguments.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = self.pid.to_string().into_bytes();
        value.push(b'\t');
        let argv = self.argv.join(&crate::report::ARG_END);
        value.extend_from_slice(&argv[..argv.len().min(LONGEST_ARGV)]);
        value
    }
}

/// Wait a moment, then kill whatever is left of this process's descendants, and collect it.
pub fn end_all() -> Vec<Survivor> {
    let begun = Instant::now();
    let mut found: Vec<Survivor> = Vec::new();
    let mut pause = Duration::from_millis(1);
    loop {
        match sys::reap(-1, false) {
            Reaped::Child(..) => continue,
            Reaped::NoChildren => return found,
            Reaped::NoneYet => {}
        }
        if begun.elapsed() >= GRACE {
            for pid in children() {
                if !found.iter().any(|known| known.pid == pid) {
                    let argv = if found.len() < MOST_ARGV {
                        sys::command_line(pid)
                    } else {
                        Vec::new()
                    };
                    found.push(Survivor { pid, argv });
                }
                sys::kill(i32::try_from(pid).unwrap_or(0), libc::SIGKILL);
            }
            if begun.elapsed() >= LIMIT {
                return found;
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(8));
    }
}

fn children() -> Vec<u32> {
    let own = std::process::id();
    sys::all_processes()
        .into_iter()
        .filter(|pid| sys::stat(*pid).is_some_and(|stat| stat.parent == own))
        .collect()
}
