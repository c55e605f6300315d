//! The end: what outlived the build is recorded and killed, the rest of the output is taken, the last frame goes out.

use super::event::Event;
use super::guard::Guard;
use super::process::{Caller, CARGO, UNKNOWN};
use super::pump::{Pump, Stop};
use super::queue::Queue;
use crate::json::Object;
use crate::roles::NOT_AS_PLANNED;
use crate::sys::{self, Ended};
use std::sync::{Mutex, PoisonError};

/// Processes that are just ending are no survivors.
const GRACE_MS: u64 = 100;
/// Bytes of the last frame that the list of fingerprints may take.
const FINGERPRINTS_ROOM: usize = 900 << 10;

/// Run the loop to its end and put everything to rest.
pub fn run(mut pump: Pump<'_>, queue: &Queue, guard: &Mutex<Guard>) {
    let stop = pump.run();
    let mut survivors = Vec::new();
    match stop {
        Stop::HostGone => host_is_gone(),
        Stop::Over(ended) => {
            let by_itself = !pump.interrupted && ended.signal().is_none();
            if !pump.settle(GRACE_MS) && by_itself {
                survivors = living();
            }
        }
        Stop::Killed | Stop::Full => {}
    }
    // Lost ones are looked up while they live; the lock is free soon, since the writer goes on.
    record_survivors(guard, &survivors);
    sys::kill(-1, libc::SIGKILL);
    let ended = pump.reap_all().or(pump.ended());
    // Nobody is left who could call. Whatever the notifier still does comes before this lock.
    let mut guard = guard.lock().unwrap_or_else(PoisonError::into_inner);
    pump.drain();
    for index in 2..guard.units.len() {
        guard.end_unit(index);
    }
    let report = &mut guard.units[CARGO].report;
    report.status = ended.and_then(Ended::code);
    report.signal = ended.and_then(Ended::signal);
    guard.end_unit(CARGO);
    let of_units: u64 = guard.units.iter().map(|unit| unit.survivors).sum();
    queue.frame(
        b'X',
        &exit_json(
            &guard,
            stop,
            ended,
            pump.outside,
            of_units + survivors.len() as u64,
        ),
    );
    // The notifier must not add anything behind the last frame: the lock stays taken.
    std::mem::forget(guard);
}

/// The writer found the host gone: nothing that happens now would be recorded.
pub fn host_is_gone() -> ! {
    sys::kill(-1, libc::SIGKILL);
    // SAFETY: ends process 1, and with it the PID namespace.
    unsafe { libc::_exit(NOT_AS_PLANNED) }
}

/// All processes but us that are not dead yet.
fn living() -> Vec<u32> {
    sys::all_processes()
        .into_iter()
        .filter(|pid| *pid != 1)
        .filter(|pid| sys::stat(*pid).is_some_and(|stat| !matches!(stat.state, b'Z' | b'X' | b'x')))
        .collect()
}

fn record_survivors(guard: &Mutex<Guard>, pids: &[u32]) {
    let mut guard = guard.lock().unwrap_or_else(PoisonError::into_inner);
    for pid in pids {
        let argv = sys::command_line(*pid);
        let caller = guard.processes.find(*pid).unwrap_or(Caller {
            tid: *pid,
            pid: *pid,
            start: 0,
            parent: 1,
            unit: UNKNOWN,
            guarding: false,
        });
        let event = Event {
            kind: "survivor",
            argv: Some(&argv),
            ..Event::default()
        };
        guard.list(&caller, &event);
    }
}

fn exit_json(
    guard: &Guard,
    stop: Stop,
    ended: Option<Ended>,
    outside: i32,
    survivors: u64,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::new(&mut out);
    object.maybe("code", ended.and_then(Ended::code));
    object.maybe("signal", ended.and_then(Ended::signal));
    object.maybe("outside", (outside != 0).then_some(outside.into()));
    if stop == Stop::Full {
        object.flag("full", true);
    }
    object.number("seen", guard.counts.seen);
    object.number("written", guard.counts.written);
    object.number("quiet", guard.counts.quiet);
    object.number("unreadable", guard.counts.unreadable);
    object.number("lost", 0);
    object.number("processes", guard.processes.total);
    object.number("survivors", survivors);
    let mut room = FINGERPRINTS_ROOM;
    let kept = guard
        .fingerprints
        .iter()
        .map(Vec::as_slice)
        .take_while(|path| {
            room = room.saturating_sub(path.len() + 8);
            room > 0
        });
    object.texts("fingerprints", kept);
    object.number("maxrss_kb", own_maxrss());
    object.end();
    out
}

/// Largest resident size of the guard itself in KiB.
fn own_maxrss() -> u64 {
    // SAFETY: an all-zero rusage is valid, and the call writes it only.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        u64::try_from(usage.ru_maxrss).unwrap_or(0)
    }
}
