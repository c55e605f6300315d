//! Everything that leaves the guard goes through here, in order: one writer thread, bounded memory, nothing dropped.

use crate::frame::{self, MAX_PAYLOAD};
use crate::sys;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that may wait for the host before whoever brings more has to wait too.
const LIMIT: usize = 8 << 20;
/// Events of one frame. A line is added as long as this is not reached, so one line of up to 700 KiB still fits.
const EVENT_FRAME: usize = 256 << 10;
/// Longest time that an event waits for others, unless it is urgent: each frame wakes the host, on a processor that the
/// build could use.
const DELAY: Duration = Duration::from_millis(200);
/// Shortest time between two frames but for the last: what comes in quick succession leaves together, and whoever brings
/// it need not wake the writer each time. Ending a build takes longer than that.
const REST: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Waiting {
    frames: Vec<u8>,
    events: Vec<u8>,
    /// Bytes that the writer has taken and not yet written.
    leaving: usize,
    closed: bool,
    urgent: bool,
    /// The writer sleeps until it is woken.
    asleep: bool,
}

impl Waiting {
    fn seal(&mut self) {
        if !self.events.is_empty() {
            frame::push(&mut self.frames, b'V', &self.events);
            self.events.clear();
        }
    }

    fn len(&self) -> usize {
        self.frames.len() + self.events.len() + self.leaving
    }
}

/// The queue. All methods may be called from any thread.
pub struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    room: Condvar,
    /// See `DELAY`.
    delay: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            room: Condvar::new(),
            delay: DELAY,
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_with_room(&self) -> MutexGuard<'_, Waiting> {
        let mut waiting = self.lock();
        while waiting.len() > LIMIT && !waiting.closed {
            waiting.urgent = true;
            self.wake.notify_one();
            waiting = self
                .room
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting
    }

    /// Add one event line, which `write` puts at the end of the buffer. Waits for room.
    pub fn event(&self, urgent: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.lock_with_room();
        if waiting.events.len() >= EVENT_FRAME {
            waiting.seal();
        }
        let before = waiting.events.len();
        write(&mut waiting.events);
        if waiting.events.len() > MAX_PAYLOAD {
            let line = waiting.events.split_off(before);
            waiting.seal();
            waiting.events = line;
        }
        if urgent {
            self.hurry(waiting);
        }
    }

    /// Have what waits written at once. Whoever is woken while we hold the lock would only wait again, and a writer that
    /// is awake, or was woken before and has not come yet, takes this along.
    fn hurry(&self, mut waiting: MutexGuard<'_, Waiting>) {
        waiting.urgent = true;
        let asleep = std::mem::take(&mut waiting.asleep);
        drop(waiting);
        if asleep {
            self.wake.notify_one();
        }
    }

    /// Add a frame behind all events so far. Waits for room.
    pub fn frame(&self, kind: u8, payload: &[u8]) {
        self.hurry(self.push(kind, payload));
    }

    /// The same for what may wait for others, as events do.
    pub fn lazy_frame(&self, kind: u8, payload: &[u8]) {
        drop(self.push(kind, payload));
    }

    fn push(&self, kind: u8, payload: &[u8]) -> MutexGuard<'_, Waiting> {
        let mut waiting = self.lock_with_room();
        waiting.seal();
        frame::push(&mut waiting.frames, kind, payload);
        waiting
    }

    /// Put a frame before everything else. Only before `write_to` runs.
    pub fn first(&self, kind: u8, payload: &[u8]) {
        let mut waiting = self.lock();
        let rest = std::mem::take(&mut waiting.frames);
        frame::push(&mut waiting.frames, kind, payload);
        waiting.frames.extend(rest);
    }

    /// Whether new output of the build should stay in its pipe until there is room.
    pub fn is_full(&self) -> bool {
        self.lock().len() > LIMIT
    }

    /// Nothing more will come; `write_to` returns when all is written.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        self.wake.notify_one();
    }

    /// Write everything to `fd` until the queue is closed and empty.
    pub fn write_to(&self, fd: i32) -> io::Result<()> {
        let mut bytes = Vec::new();
        loop {
            let mut waiting = self.lock();
            waiting.leaving = 0;
            self.room.notify_all();
            if !waiting.urgent && !waiting.closed && waiting.len() < EVENT_FRAME {
                waiting.asleep = true;
                waiting = self
                    .wake
                    .wait_timeout(waiting, self.delay)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                waiting.asleep = false;
            }
            waiting.seal();
            waiting.urgent = false;
            let closed = waiting.closed;
            std::mem::swap(&mut bytes, &mut waiting.frames);
            waiting.leaving = bytes.len();
            drop(waiting);
            if bytes.is_empty() && closed {
                return Ok(());
            }
            sys::write_all(fd, &bytes)?;
            bytes.clear();
            // A burst must not keep its memory for the rest of the build.
            bytes.shrink_to(1 << 20);
            if !closed {
                std::thread::sleep(REST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::sync::Arc;

    fn read_frames(fd: &impl AsRawFd) -> Vec<(u8, Vec<u8>)> {
        let mut decoder = frame::Decoder::default();
        let mut frames = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = sys::read(fd.as_raw_fd(), &mut buffer).unwrap();
            if count == 0 {
                return frames;
            }
            decoder.feed(&buffer[..count]);
            while let Some((kind, payload)) = decoder.next_frame().unwrap() {
                frames.push((kind, payload.to_vec()));
            }
        }
    }

    #[test]
    fn what_is_urgent_leaves_at_once_and_takes_along_what_could_wait() {
        let queue = Arc::new(Queue {
            delay: Duration::from_secs(3600),
            ..Queue::default()
        });
        let (from, to) = sys::pipe().unwrap();
        let writer = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.write_to(to.as_raw_fd())
        });
        let mut heard = Vec::new();
        let mut hear = |wanted: &[u8]| {
            let mut buffer = [0; 4096];
            while !heard.ends_with(wanted) {
                let mut poll = libc::pollfd {
                    fd: from.as_raw_fd(),
                    events: libc::POLLIN,
                    revents: 0,
                };
                // SAFETY: one entry, writable.
                let ready = unsafe { libc::poll(&mut poll, 1, 60_000) };
                assert!(ready > 0, "nobody was woken for {wanted:?}");
                let count = sys::read(from.as_raw_fd(), &mut buffer).unwrap();
                assert!(count > 0, "ended without {wanted:?}");
                heard.extend_from_slice(&buffer[..count]);
            }
        };
        while !queue.lock().asleep {
            std::thread::yield_now();
        }
        queue.lazy_frame(b'U', b"end");
        queue.event(false, |out| out.extend_from_slice(b"read\n"));
        queue.event(true, |out| out.extend_from_slice(b"told\n"));
        hear(b"told\n");
        // In quick succession: the writer writes or rests.
        for round in 0..20 {
            let line = format!("again {round}\n").into_bytes();
            queue.event(true, |out| out.extend_from_slice(&line));
            hear(&line);
        }
        while !queue.lock().asleep {
            std::thread::yield_now();
        }
        queue.lazy_frame(b'U', b"last");
        assert!(queue.lock().asleep, "nobody was woken for it");
        queue.close();
        hear(b"last");
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn frames_and_events_leave_in_the_order_they_came_and_none_is_lost() {
        let queue = Arc::new(Queue::default());
        let (from, to) = sys::pipe().unwrap();
        queue.event(false, |out| out.extend_from_slice(b"one\n"));
        queue.frame(b'U', b"unit");
        queue.first(b'S', b"state");
        let writer = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.write_to(to.as_raw_fd())
        });
        let source = std::thread::spawn(move || {
            let line = vec![b'x'; 300_000];
            for _ in 0..100 {
                queue.event(false, |out| out.extend_from_slice(&line));
            }
            queue.frame(b'X', b"");
            queue.close();
        });
        let frames = read_frames(&from);
        source.join().unwrap();
        writer.join().unwrap().unwrap();
        let kinds: Vec<u8> = frames.iter().map(|frame| frame.0).collect();
        assert_eq!(&kinds[..3], b"SVU");
        assert_eq!(kinds.last(), Some(&b'X'));
        let events: usize = frames
            .iter()
            .filter(|frame| frame.0 == b'V')
            .map(|frame| frame.1.len())
            .sum();
        assert_eq!(events, 4 + 100 * 300_000);
    }
}
