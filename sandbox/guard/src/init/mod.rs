//! Process 1 of the container: forks cargo under the filter, records, and ends what is left.

mod address;
mod calls;
mod dns;
mod event;
mod exec;
mod files;
mod finish;
mod guard;
mod links;
mod loopback;
mod memory;
mod net;
mod notifier;
pub mod probe;
mod process;
mod pump;
mod queue;
mod real;
mod refused;
mod resolve;
mod room;
mod seccomp;
mod settings;
mod signals;
mod spawn;
mod streams;
mod unit;
mod writes;

use crate::frame::{self, Decoder};
use crate::json::Object;
use crate::landlock;
use crate::roles::NOT_AS_PLANNED;
use crate::sys;
use guard::Guard;
use pump::Pump;
use queue::Queue;
use room::Room;
use settings::Settings;
use spawn::Failure;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};
use streams::Streams;

/// Run a build as the host's config frame says. Returns the guard's own exit code.
pub fn main() -> i32 {
    match run() {
        Ok(()) => 0,
        Err(failure) => {
            let mut payload = Vec::new();
            let mut object = Object::new(&mut payload);
            object.text("wall", failure.wall.as_bytes());
            object.text("why", failure.why.as_bytes());
            object.end();
            let mut bytes = Vec::new();
            frame::push(&mut bytes, b'F', &payload);
            // A host that is gone does not want to know.
            let _ = sys::write_all(1, &bytes);
            NOT_AS_PLANNED
        }
    }
}

fn run() -> Result<(), Failure> {
    let began = sys::now_ns();
    let (settings, decoder) = read_config().map_err(|why| Failure::new("config", why))?;
    check_ourselves()?;
    check_kernel(&settings)?;
    check_places(&settings)?;
    check_network(&settings)?;
    let failed = |what: &'static str| {
        move |error: std::io::Error| Failure::new("exec", sys::context(what, &error))
    };
    let mut streams = Streams::new(&settings).map_err(|why| Failure::new("exec", why))?;
    let signals = pump::block_signals().map_err(failed("signalfd"))?;
    let spawned = spawn::spawn(&settings, &streams)?;
    protect_ourselves();
    streams.inner = [None, None, None];

    let watch = Arc::new(pump::new_watch().map_err(failed("epoll"))?);
    let queue = Arc::new(Queue::default());
    let limits = settings.limits.clone();
    let guard = Guard::new(
        settings,
        Arc::clone(&queue),
        began,
        spawned.pid,
        Arc::clone(&watch),
    )
    .map_err(|why| Failure::new("exec", why))?;
    let listener = spawned.listener.as_ref().map(AsRawFd::as_raw_fd);
    let sync_wakeup = listener.is_some_and(seccomp::sync_wakeup);
    let state = guard.state_json(sync_wakeup, &kernel());
    let start = guard.units[process::CARGO].start_json(0);
    let guard = Arc::new(Mutex::new(guard));
    if let Some(listener) = listener {
        notifier::start(listener, &guard, sync_wakeup);
    }
    let limits: &[settings::Limit] = if listener.is_some() { &limits } else { &[] };
    let room = Room::new(limits).map_err(failed("tasks"))?;
    spawned.wait_exec()?;
    queue.first(b'U', &start);
    queue.first(b'S', &state);
    let writer = std::thread::spawn({
        let queue = Arc::clone(&queue);
        move || {
            if queue.write_to(1).is_err() {
                finish::host_is_gone();
            }
        }
    });
    let pump = Pump::new(
        watch,
        signals,
        &queue,
        &guard,
        streams,
        decoder,
        spawned.pid,
        room.fd(),
    )
    .map_err(failed("epoll"))?;
    finish::run(pump, &queue, &guard);
    queue.close();
    let _ = writer.join();
    Ok(())
}

/// The first frame, and whatever came with it.
fn read_config() -> Result<(Settings, Decoder), String> {
    let mut decoder = Decoder::default();
    let mut piece = vec![0u8; 64 << 10];
    loop {
        match decoder.next_frame() {
            Ok(Some((b'C', payload))) => return Ok((Settings::parse(payload)?, decoder)),
            Ok(Some((kind, _))) => return Err(format!("expected a config frame, got type {kind}")),
            Ok(None) => {}
            Err(frame::TooLong(length)) => {
                return Err(format!("a config frame of {length} bytes is too long"))
            }
        }
        match sys::read(0, &mut piece) {
            Ok(0) => return Err("no config frame".into()),
            Ok(count) => decoder.feed(&piece[..count]),
            Err(error) => return Err(sys::context("read the config frame", &error)),
        }
    }
}

/// A package's build script may set `LD_PRELOAD` for its own rustc (`cargo:rustc-env`); a guard that has a dynamic
/// loader would then run that package's code as the role process, outside of any domain.
fn check_ourselves() -> Result<(), Failure> {
    let fine = cfg!(any(
        target_feature = "crt-static",
        debug_assertions,
        feature = "break-walls"
    ));
    let why = "this guard is linked dynamically, so a build script could put code into it; build it with +crt-static";
    fine.then_some(())
        .ok_or_else(|| Failure::new("recorder", why))
}

fn check_kernel(settings: &Settings) -> Result<(), Failure> {
    if !settings.alone && !seccomp::sizes_fit() {
        return Err(Failure::new(
            "seccomp",
            "the kernel has no user notification that this guard knows",
        ));
    }
    let abi = landlock::abi();
    if abi < settings.require_landlock {
        let why = format!(
            "ABI {} is required, the kernel has {abi}",
            settings.require_landlock
        );
        return Err(Failure::new("landlock", why));
    }
    Ok(())
}

/// An engine whose daemon sees another tree shows us folders of the same name that are not the user's.
fn check_places(settings: &Settings) -> Result<(), Failure> {
    for (device, inode, path) in &settings.same {
        let found = std::fs::metadata(std::ffi::OsStr::from_bytes(path));
        if !found.is_ok_and(|state| (state.dev(), state.ino()) == (*device, *inode)) {
            let shown = String::from_utf8_lossy(path);
            let why = format!("{shown} in the container is not the folder of that name outside");
            return Err(Failure::new("host files", why));
        }
    }
    Ok(())
}

fn check_network(settings: &Settings) -> Result<(), Failure> {
    loopback::too_much(settings).map_or(Ok(()), |why| Err(Failure::new("network", why)))
}

/// Nobody may trace us or look into our memory, and the build's limit on open files is not ours.
fn protect_ourselves() {
    // SAFETY: the limit is on our stack; prctl touches no memory.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// uname(2)'s release.
fn kernel() -> Vec<u8> {
    std::fs::read("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim_ascii()
        .to_vec()
}
