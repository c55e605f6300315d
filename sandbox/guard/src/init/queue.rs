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

#[derive(Default)]
struct Waiting {
    frames: Vec<u8>,
    events: Vec<u8>,
    /// Bytes that the writer has taken and not yet written.
    leaving: usize,
    closed: bool,
    urgent: bool,
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
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    room: Condvar,
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

    /// Have what waits written at once. Whoever is woken while we hold the lock would only wait again, and who was woken
    /// before and has not come yet takes this along.
    fn hurry(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let woken = std::mem::replace(&mut waiting.urgent, true);
        drop(waiting);
        if !woken {
            self.wake.notify_one();
        }
    }

    /// Add a frame behind all events so far. Waits for room.
    pub fn frame(&self, kind: u8, payload: &[u8]) {
        let mut waiting = self.lock_with_room();
        waiting.seal();
        frame::push(&mut waiting.frames, kind, payload);
        self.hurry(waiting);
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
                waiting = self
                    .wake
                    .wait_timeout(waiting, DELAY)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
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
