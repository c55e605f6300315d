//! The main thread: frames from the host, bytes to and from the build, signals, dead children.

use super::guard::Guard;
use super::queue::Queue;
use super::streams::{Streams, Tty};
use crate::frame::{Decoder, MAX_PAYLOAD};
use crate::sys::{self, Ended, Reaped};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, TryLockError};

// Tags of the watched descriptors; from `UNITS` on, a unit's index.
const HOST: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;
const OUT: u64 = u64::MAX - 2;
const ERR: u64 = u64::MAX - 3;
const TTY: u64 = u64::MAX - 4;
const INPUT: u64 = u64::MAX - 5;
const FULL: u64 = u64::MAX - 6;

/// Input that may wait for the build before we stop listening to the host.
const MOST_INPUT: usize = 4 << 20;
/// Output of the build in one frame.
const PIECE: usize = 64 << 10;

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Process 2 ended by itself.
    Over(Ended),
    /// The host asked for the end, or is gone.
    Killed,
    HostGone,
    /// There were more tasks than there may be.
    Full,
}

/// The loop's state.
pub struct Pump<'a> {
    watch: Arc<OwnedFd>,
    signals: OwnedFd,
    queue: &'a Queue,
    guard: &'a Mutex<Guard>,
    streams: Streams,
    decoder: Decoder,
    input: VecDeque<u8>,
    input_ended: bool,
    input_watched: bool,
    host_watched: bool,
    outputs_watched: bool,
    top: u32,
    ended: Option<Ended>,
    /// The host sent a signal: what is left at the end did not outlive the build by its own will.
    pub interrupted: bool,
    /// The last signal that came from outside the container and not from the host: somebody else wants the end.
    pub outside: i32,
}

/// epoll_create1(2), close-on-exec.
pub fn new_watch() -> io::Result<OwnedFd> {
    // SAFETY: the call touches no memory and gives a fresh descriptor.
    unsafe {
        Ok(OwnedFd::from_raw_fd(sys::check_int(libc::epoll_create1(
            libc::EPOLL_CLOEXEC,
        ))?))
    }
}

/// Block the signals that we take from a descriptor instead. Before any thread is made.
pub fn block_signals() -> io::Result<OwnedFd> {
    // SAFETY: `set` is ours; signalfd gives a fresh descriptor.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in [
            libc::SIGCHLD,
            libc::SIGINT,
            libc::SIGTERM,
            libc::SIGHUP,
            libc::SIGQUIT,
        ] {
            libc::sigaddset(&mut set, signal);
        }
        sys::check_int(libc::sigprocmask(
            libc::SIG_BLOCK,
            &set,
            std::ptr::null_mut(),
        ))?;
        let fd = sys::check_int(libc::signalfd(
            -1,
            &set,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

impl<'a> Pump<'a> {
    /// `decoder` may hold frames that came with the config; `full` is readable once there are too many tasks.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        watch: Arc<OwnedFd>,
        signals: OwnedFd,
        queue: &'a Queue,
        guard: &'a Mutex<Guard>,
        streams: Streams,
        decoder: Decoder,
        top: u32,
        full: Option<RawFd>,
    ) -> io::Result<Self> {
        let mut pump = Self {
            watch,
            signals,
            queue,
            guard,
            streams,
            decoder,
            input: VecDeque::new(),
            input_ended: false,
            input_watched: false,
            host_watched: false,
            outputs_watched: false,
            top,
            ended: None,
            interrupted: false,
            outside: 0,
        };
        pump.watch(
            libc::EPOLL_CTL_ADD,
            pump.signals.as_raw_fd(),
            libc::EPOLLIN,
            SIGNALS,
        )?;
        if let Some(fd) = full {
            pump.watch(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN, FULL)?;
        }
        pump.watch_host(true);
        pump.watch_outputs(true);
        Ok(pump)
    }

    /// Run until process 2 is gone.
    pub fn run(&mut self) -> Stop {
        // The config may have come with more, and a child may have ended before we watched.
        if let Some(stop) = self.frames() {
            return stop;
        }
        self.reap();
        loop {
            if let Some(ended) = self.ended {
                return Stop::Over(ended);
            }
            if let Some(stop) = self.turn(1000) {
                return stop;
            }
        }
    }

    /// After the last process: take what is left of the output.
    pub fn drain(&mut self) {
        // Only now may the terminal hang up; nothing can open it any more.
        let tty = self.streams.tty.take();
        for (fd, kind) in [
            (self.streams.output[0].take(), b'O'),
            (self.streams.output[1].take(), b'E'),
        ] {
            if let Some(fd) = fd {
                while self.copy_output(fd.as_raw_fd(), kind) {}
            }
        }
        if let Some(Tty {
            master,
            slave,
            frame,
            ..
        }) = tty
        {
            drop(slave);
            while self.copy_output(master.as_raw_fd(), frame) {}
        }
    }

    /// Reap for a while, as long as there are children and the time lasts. True if none is left.
    pub fn settle(&mut self, millis: u64) -> bool {
        let until = sys::now_ns() + millis * 1_000_000;
        loop {
            loop {
                match sys::reap(-1, false) {
                    Reaped::Child(..) => {}
                    Reaped::NoChildren => return true,
                    Reaped::NoneYet => break,
                }
            }
            if sys::now_ns() >= until {
                return false;
            }
            if self.turn(5).is_some() {
                return false;
            }
        }
    }

    fn turn(&mut self, timeout: i32) -> Option<Stop> {
        let full = self.queue.is_full();
        if full == self.outputs_watched {
            self.watch_outputs(!full);
        }
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 32];
        let wait = if full { timeout.min(10) } else { timeout };
        // SAFETY: `events` has room for 32 entries.
        let count =
            unsafe { libc::epoll_wait(self.watch.as_raw_fd(), events.as_mut_ptr(), 32, wait) };
        for event in &events[..usize::try_from(count).unwrap_or(0)] {
            match event.u64 {
                FULL => return Some(Stop::Full),
                HOST => {
                    if let Some(stop) = self.host() {
                        return Some(stop);
                    }
                }
                SIGNALS => self.signals(),
                OUT => self.output(0),
                ERR => self.output(1),
                TTY => {
                    if let Some(tty) = &self.streams.tty {
                        let (fd, frame) = (tty.master.as_raw_fd(), tty.frame);
                        // While we hold the other side there is no end, only "nothing now".
                        self.copy_output(fd, frame);
                    }
                    if event.u64 == TTY && event.events & libc::EPOLLOUT as u32 != 0 {
                        self.feed();
                    }
                }
                INPUT => self.feed(),
                index => self.unit_ended(index),
            }
        }
        None
    }

    fn watch(&self, op: i32, fd: i32, events: i32, tag: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: tag,
        };
        // SAFETY: `event` is readable for the length of the call.
        sys::check_int(unsafe { libc::epoll_ctl(self.watch.as_raw_fd(), op, fd, &mut event) })?;
        Ok(())
    }

    fn watch_host(&mut self, on: bool) {
        if on != self.host_watched {
            self.host_watched = on;
            let op = if on {
                libc::EPOLL_CTL_ADD
            } else {
                libc::EPOLL_CTL_DEL
            };
            // A file as stdin can't be watched; then there is no host to listen to.
            let _ = self.watch(op, 0, libc::EPOLLIN, HOST);
        }
    }

    fn watch_outputs(&mut self, on: bool) {
        self.outputs_watched = on;
        let op = if on {
            libc::EPOLL_CTL_ADD
        } else {
            libc::EPOLL_CTL_DEL
        };
        for (fd, tag) in self.streams.output.iter().zip([OUT, ERR]) {
            if let Some(fd) = fd {
                let _ = self.watch(op, fd.as_raw_fd(), libc::EPOLLIN, tag);
            }
        }
        if let Some(tty) = &self.streams.tty {
            let wants = if self.input_watched {
                libc::EPOLLIN | libc::EPOLLOUT
            } else {
                libc::EPOLLIN
            };
            let _ = self.watch(op, tty.master.as_raw_fd(), wants, TTY);
        }
    }

    fn output(&mut self, index: usize) {
        let Some(fd) = self.streams.output[index].as_ref().map(AsRawFd::as_raw_fd) else {
            return;
        };
        if !self.copy_output(fd, b"OE"[index]) {
            // Closing takes it out of the watch.
            self.streams.output[index] = None;
        }
    }

    /// One piece of output to the host. False at the end of the stream.
    fn copy_output(&self, fd: i32, kind: u8) -> bool {
        let mut piece = [0u8; PIECE];
        match sys::read(fd, &mut piece) {
            Ok(0) => false,
            Ok(count) => {
                self.queue.frame(kind, &piece[..count]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock && self.ended.is_none(),
        }
    }

    fn host(&mut self) -> Option<Stop> {
        let mut piece = [0u8; PIECE];
        match sys::read(0, &mut piece) {
            Ok(0) | Err(_) => Some(Stop::HostGone),
            Ok(count) => {
                self.decoder.feed(&piece[..count]);
                self.frames()
            }
        }
    }

    fn frames(&mut self) -> Option<Stop> {
        // Taken out, so that a frame's payload can be looked at while the rest of us changes.
        let mut decoder = std::mem::take(&mut self.decoder);
        let mut stop = None;
        while stop.is_none() {
            match decoder.next_frame() {
                Ok(Some((kind, payload))) => stop = self.frame(kind, payload),
                Ok(None) => break,
                Err(_) => stop = Some(Stop::Killed),
            }
        }
        self.decoder = decoder;
        self.feed();
        stop
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Option<Stop> {
        debug_assert!(payload.len() <= MAX_PAYLOAD);
        match (kind, payload) {
            (b'I', bytes) => self.input.extend(bytes),
            (b'Z', []) => self.input_ended = true,
            (b'W', &[r0, r1, c0, c1]) => {
                if let Some(tty) = &self.streams.tty {
                    tty.resize(u16::from_le_bytes([r0, r1]), u16::from_le_bytes([c0, c1]));
                }
            }
            (b'K', &[signal]) => self.forward(i32::from(signal)),
            // Q, or something that no host of ours sends.
            _ => return Some(Stop::Killed),
        }
        None
    }

    fn forward(&mut self, signal: i32) {
        if !matches!(
            signal,
            libc::SIGCONT | libc::SIGSTOP | libc::SIGTSTP | libc::SIGWINCH
        ) {
            self.interrupted = true;
        }
        sys::kill(-i32::try_from(self.top).unwrap_or(0), signal);
    }

    /// Give the build what it takes of its input.
    fn feed(&mut self) {
        let (fd, end) = match (&self.streams.stdin, &self.streams.tty) {
            (Some(pipe), _) => (pipe.as_raw_fd(), false),
            (None, Some(tty)) if tty.is_stdin => (tty.master.as_raw_fd(), true),
            _ => {
                self.input.clear();
                return;
            }
        };
        if self.input_ended && end {
            // The end of a terminal's input is a character (VEOF, ^D).
            self.input.push_back(4);
            self.input_ended = false;
        }
        while !self.input.is_empty() {
            match sys::write(fd, self.input.as_slices().0) {
                Ok(count) => drop(self.input.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The build closed its input.
                Err(_) => self.input.clear(),
            }
        }
        self.watch_input(!self.input.is_empty());
        if self.input.is_empty() && self.input_ended && !end {
            self.streams.stdin = None;
        }
        self.watch_host(self.input.len() < MOST_INPUT);
    }

    fn watch_input(&mut self, on: bool) {
        if on == self.input_watched {
            return;
        }
        self.input_watched = on;
        if let Some(pipe) = &self.streams.stdin {
            let op = if on {
                libc::EPOLL_CTL_ADD
            } else {
                libc::EPOLL_CTL_DEL
            };
            let _ = self.watch(op, pipe.as_raw_fd(), libc::EPOLLOUT, INPUT);
        } else if let (Some(tty), true) = (&self.streams.tty, self.outputs_watched) {
            let wants = if on {
                libc::EPOLLIN | libc::EPOLLOUT
            } else {
                libc::EPOLLIN
            };
            let _ = self.watch(libc::EPOLL_CTL_MOD, tty.master.as_raw_fd(), wants, TTY);
        }
    }

    fn signals(&mut self) {
        loop {
            // SAFETY: an all-zero value is valid, and the read below fills it.
            let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
            let size = size_of::<libc::signalfd_siginfo>();
            // SAFETY: `info` is plain memory of that size.
            let count = unsafe {
                libc::read(
                    self.signals.as_raw_fd(),
                    std::ptr::from_mut(&mut info).cast(),
                    size,
                )
            };
            if usize::try_from(count) != Ok(size) {
                break;
            }
            let signal = i32::try_from(info.ssi_signo).unwrap_or(0);
            if signal != libc::SIGCHLD {
                // Senders in our namespace have a number here (pid_namespaces(7)).
                if info.ssi_pid == 0 {
                    self.outside = signal;
                }
                self.forward(signal);
            }
        }
        self.reap();
    }

    fn reap(&mut self) {
        while let Reaped::Child(pid, ended, _) = sys::reap(-1, false) {
            if pid == self.top {
                self.ended = Some(ended);
            }
        }
    }

    /// A unit's first process is gone. The notifier may hold the state while it waits for room; then we come again.
    fn unit_ended(&mut self, index: u64) {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        match self.guard.try_lock() {
            Ok(mut guard) => {
                guard.end_unit(index);
                guard.watched.remove(&index);
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(std::time::Duration::from_micros(200))
            }
            Err(TryLockError::Poisoned(_)) => {}
        }
    }

    /// How process 2 ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Collect everything, after everything was killed. Tells how process 2 ended.
    pub fn reap_all(&mut self) -> Option<Ended> {
        loop {
            match sys::reap(-1, true) {
                Reaped::Child(pid, ended, _) if pid == self.top => self.ended = Some(ended),
                Reaped::Child(..) | Reaped::NoneYet => {}
                Reaped::NoChildren => return self.ended,
            }
        }
    }
}
