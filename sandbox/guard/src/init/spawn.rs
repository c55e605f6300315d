//! Forks process 2, which puts itself under the filter and becomes cargo.
//!
//! Parent and child share one descriptor table (`CLONE_FILES`) until the filter's listener has appeared in it, so the
//! listener needs neither a socket nor a right to look into another process. Then the child takes a copy of its own.

use super::seccomp;
use super::settings::Settings;
use super::streams::Streams;
use crate::sys;
use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Which wall failed, and why.
#[derive(Debug)]
pub struct Failure {
    pub wall: &'static str,
    pub why: String,
}

impl Failure {
    pub fn new(wall: &'static str, why: impl Into<String>) -> Self {
        Self {
            wall,
            why: why.into(),
        }
    }
}

/// Process 2 before it is cargo.
pub struct Spawned {
    pub pid: u32,
    /// None where the filter asks nobody.
    pub listener: Option<OwnedFd>,
    /// Ends with exec; a failure comes through it.
    news: OwnedFd,
}

/// First byte of the child's messages: the listener's number follows (-1: none), or the failed step and errno.
const LISTENER: u8 = b'L';
const FAILED: u8 = b'F';
const MESSAGE: usize = 6;

/// Steps of the child, for its failure message.
const STEPS: [(&str, &str); 8] = [
    ("exec", "setsid"),
    ("exec", "controlling terminal"),
    ("rlimit", "setrlimit"),
    ("exec", "chdir"),
    ("seccomp", "no_new_privs"),
    ("seccomp", "install the filter"),
    ("exec", "descriptors"),
    ("exec", "execve"),
];

/// Everything the child needs, ready before the fork: it allocates nothing.
struct Child {
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
    streams: [RawFd; 3],
    tty: RawFd,
    news: RawFd,
    hold: RawFd,
}

/// Fork. No thread may exist yet. The child waits before exec until `go`.
pub fn spawn(settings: &Settings, streams: &Streams) -> Result<Spawned, Failure> {
    let pipe = || sys::pipe().map_err(|error| Failure::new("exec", sys::context("pipe", &error)));
    let (news, news_in) = pipe()?;
    let (hold_out, hold) = pipe()?;
    let child = Child {
        program: sys::c_string(&settings.args[0]),
        argv: settings.args.iter().map(|arg| sys::c_string(arg)).collect(),
        env: settings
            .env
            .iter()
            .map(|entry| sys::c_string(entry))
            .collect(),
        cwd: sys::c_string(if settings.cwd.is_empty() {
            b"/"
        } else {
            &settings.cwd
        }),
        streams: [0, 1, 2]
            .map(|index| streams.inner[index].as_ref().map_or(-1, AsRawFd::as_raw_fd)),
        tty: streams.tty.as_ref().map_or(-1, |tty| tty.slave.as_raw_fd()),
        news: news_in.as_raw_fd(),
        hold: hold_out.as_raw_fd(),
    };
    let argv = pointers(&child.argv);
    let env = pointers(&child.env);
    // SAFETY: without CLONE_VM this is a fork; there is one thread, so no lock is held across it.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::CLONE_FILES | libc::SIGCHLD,
            0,
            0,
            0,
            0,
        )
    };
    if pid == 0 {
        child.run(settings, &argv, &env);
    }
    let pid =
        sys::check(pid).map_err(|error| Failure::new("exec", sys::context("fork", &error)))?;
    let pid = u32::try_from(pid).unwrap_or(0);
    let listener = wait_listener(&news, pid)?;
    // The child has its own table from here on, or is about to take it; closing our ends must wait until it has.
    let confirmed = wait_message(&news, pid)?;
    debug_assert_eq!(confirmed[0], LISTENER);
    drop((news_in, hold_out));
    sys::write_all(hold.as_raw_fd(), b"g")
        .map_err(|error| Failure::new("exec", sys::context("pipe", &error)))?;
    Ok(Spawned {
        pid,
        listener,
        news,
    })
}

impl Spawned {
    /// Wait until exec has happened, which needs the notifier to run.
    pub fn wait_exec(&self) -> Result<(), Failure> {
        let mut message = [0; MESSAGE];
        match sys::read(self.news.as_raw_fd(), &mut message) {
            Ok(0) => Ok(()),
            Ok(_) => Err(failure(&message)),
            Err(error) => Err(Failure::new("exec", error.to_string())),
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings
        .iter()
        .map(|text| text.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

fn wait_listener(news: &OwnedFd, pid: u32) -> Result<Option<OwnedFd>, Failure> {
    let message = wait_message(news, pid)?;
    let number = i32::from_le_bytes([message[1], message[2], message[3], message[4]]);
    // SAFETY: the child opened this number in the table that we share, for us to own.
    Ok((number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) }))
}

/// A message of the child, or its failure. A child that dies without one must not keep us waiting: we hold the pipe's
/// other end too, so its end can't be seen.
fn wait_message(news: &OwnedFd, pid: u32) -> Result<[u8; MESSAGE], Failure> {
    loop {
        let mut poll = libc::pollfd {
            fd: news.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry, writable.
        let ready = unsafe { libc::poll(&mut poll, 1, 50) };
        if ready > 0 {
            let mut message = [0; MESSAGE];
            let count = sys::read(news.as_raw_fd(), &mut message).unwrap_or(0);
            if count == MESSAGE && message[0] == LISTENER {
                return Ok(message);
            }
            return Err(failure(&message));
        }
        if let sys::Reaped::Child(_, ended, _) = sys::reap(i32::try_from(pid).unwrap_or(-1), false)
        {
            return Err(Failure::new(
                "seccomp",
                format!("process 2 ended under the filter: {ended:?}"),
            ));
        }
    }
}

fn failure(message: &[u8; MESSAGE]) -> Failure {
    let errno = i32::from_le_bytes([message[1], message[2], message[3], message[4]]);
    let error = std::io::Error::from_raw_os_error(errno);
    let (wall, what) = STEPS
        .get(usize::from(message[5]))
        .copied()
        .unwrap_or(("exec", "start"));
    Failure::new(wall, sys::context(what, &error))
}

impl Child {
    fn run(
        &self,
        settings: &Settings,
        argv: &[*const libc::c_char],
        env: &[*const libc::c_char],
    ) -> ! {
        // SAFETY: we are the only thread of a fresh process; system calls only, on memory prepared by the parent.
        unsafe {
            self.step(0, libc::setsid());
            if self.tty >= 0 {
                self.step(1, libc::ioctl(self.tty, libc::TIOCSCTTY, 0));
            }
            for limit in &settings.limits {
                let value = libc::rlimit {
                    rlim_cur: limit.soft,
                    rlim_max: limit.hard,
                };
                self.step(2, libc::setrlimit(limit.resource, &value));
            }
            self.step(3, libc::chdir(self.cwd.as_ptr()));
            if !settings.privileges_kept() {
                self.step(4, libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
            }
            sys::default_sigpipe();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
            let installed = if settings.alone {
                seccomp::install_alone(&settings.filter).map(|()| -1)
            } else {
                seccomp::install(&settings.filter)
            };
            let listener = match installed {
                Ok(listener) => listener,
                Err(error) => self.fail(5, error.raw_os_error().unwrap_or(0)),
            };
            self.tell(LISTENER, listener, 0);
            // Takes a copy of the table first, so the listener stays open in init. Without one no descriptor is closed.
            let closed = if listener < 0 { i32::MAX } else { listener };
            self.step(6, close_range(closed, closed, libc::CLOSE_RANGE_UNSHARE));
            self.tell(LISTENER, listener, 0);
            let mut go = [0u8; 1];
            libc::read(self.hold, go.as_mut_ptr().cast(), 1);
            for (index, fd) in self.streams.into_iter().enumerate() {
                self.step(6, libc::dup2(fd, i32::try_from(index).unwrap_or(-1)));
            }
            // Close-on-exec is set on all of ours; what came from outside goes here, except the pipe that tells news.
            self.step(6, close_range(3, self.news - 1, 0));
            self.step(6, close_range(self.news + 1, i32::MAX, 0));
            libc::execve(self.program.as_ptr(), argv.as_ptr(), env.as_ptr());
            self.step(7, -1);
            libc::_exit(super::super::roles::NOT_AS_PLANNED)
        }
    }

    fn step(&self, step: u8, result: libc::c_int) {
        if result < 0 {
            self.fail(
                step,
                std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
            );
        }
    }

    fn fail(&self, step: u8, errno: i32) -> ! {
        self.tell(FAILED, errno, step);
        // SAFETY: ends this process at once, without running anything of the parent's.
        unsafe { libc::_exit(super::super::roles::NOT_AS_PLANNED) }
    }

    fn tell(&self, kind: u8, number: i32, step: u8) {
        let [a, b, c, d] = number.to_le_bytes();
        // A broken pipe means that init is gone, and then so are we.
        let _ = sys::write_all(self.news, &[kind, a, b, c, d, step]);
    }
}

/// `close_range(2)`; an empty range is fine.
fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> libc::c_int {
    if first > last {
        return 0;
    }
    // SAFETY: the call touches no memory. Nothing of the child's is open in the range but what init made.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) as libc::c_int }
}
