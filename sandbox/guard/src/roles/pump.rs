//! Copies a script's stdout and stderr byte for byte, hears its directives, and stops a flood.

use crate::sys;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

const LONGEST_DIRECTIVE: usize = 4096;
const ALL_DIRECTIVES: usize = 1 << 20;
/// Bytes that a pipe can hold: what `/proc/sys/fs/pipe-max-size` allows a user, and more.
const LARGEST_PIPE: usize = 4 << 20;

/// What the script said to cargo.
#[derive(Default)]
pub struct Heard {
    /// Lines that begin with "cargo:" (this includes "cargo::").
    pub directives: Vec<Vec<u8>>,
    /// Some directives are missing or were shortened.
    pub cut: bool,
    /// The script wrote more than it may and was ended.
    pub flood: bool,
}

/// Cuts stdout into lines and keeps the directives.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    total: usize,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], heard: &mut Heard) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.ends_with(b"\n");
            let text = if ended {
                &piece[..piece.len() - 1]
            } else {
                piece
            };
            let room = (LONGEST_DIRECTIVE + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.finish(heard);
            }
        }
    }

    fn finish(&mut self, heard: &mut Heard) {
        let mut line = std::mem::take(&mut self.line);
        if !line.starts_with(b"cargo:") {
            return;
        }
        if line.len() > LONGEST_DIRECTIVE {
            line.truncate(LONGEST_DIRECTIVE);
            heard.cut = true;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        self.total += line.len();
        if self.total > ALL_DIRECTIVES {
            heard.cut = true;
        } else {
            heard.directives.push(line);
        }
    }
}

struct Stream {
    from: Option<OwnedFd>,
    to: i32,
    copied: u64,
}

/// The two pipes of one script.
pub struct Pump {
    streams: [Stream; 2],
    cap: u64,
    lines: Lines,
    heard: Heard,
    deaf: bool,
}

impl Pump {
    pub fn new(out: OwnedFd, err: OwnedFd, cap: u64) -> Self {
        let streams = [
            Stream {
                from: Some(out),
                to: 1,
                copied: 0,
            },
            Stream {
                from: Some(err),
                to: 2,
                copied: 0,
            },
        ];
        Self {
            streams,
            cap,
            lines: Lines::default(),
            heard: Heard::default(),
            deaf: false,
        }
    }

    /// Copy until the process has ended. It is not reaped.
    pub fn until_exit(&mut self, pid: u32) -> io::Result<()> {
        let ended = match sys::pidfd_open(pid) {
            // gVisor had none before 2024.
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => None,
            other => Some(other?),
        };
        let mut killed = false;
        while !self.copy(ended.as_ref(), pid)? {
            if (self.heard.flood || self.deaf) && !killed {
                killed = true;
                sys::kill(i32::try_from(pid).unwrap_or(0), libc::SIGKILL);
            }
        }
        Ok(())
    }

    /// Copy what is left in the pipes once nobody can write to them any more.
    pub fn drain(mut self) -> Heard {
        for stream in &self.streams {
            if let Some(fd) = &stream.from {
                // A writer that we could not end must not keep us.
                let _ = sys::set_nonblocking(std::os::fd::AsFd::as_fd(fd));
            }
        }
        for index in 0..self.streams.len() {
            // A writer that never stops would keep us for ever; what stood in the pipe was there before.
            let mut left = LARGEST_PIPE;
            while left > 0 && self.streams[index].from.is_some() {
                left = left.saturating_sub(self.read_some(index));
            }
        }
        self.lines.finish(&mut self.heard);
        self.heard
    }

    /// Wait for bytes or the end; true at the end. Without a descriptor that tells it, look every few milliseconds.
    fn copy(&mut self, ended: Option<&OwnedFd>, pid: u32) -> io::Result<bool> {
        let patience = if ended.is_some() { -1 } else { 5 };
        let poll = |fd: Option<&OwnedFd>| libc::pollfd {
            fd: fd.map_or(-1, AsRawFd::as_raw_fd),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut fds = [
            poll(self.streams[0].from.as_ref()),
            poll(self.streams[1].from.as_ref()),
            poll(ended),
        ];
        // SAFETY: `fds` is an array of that many entries.
        if unsafe { libc::poll(fds.as_mut_ptr(), 3, patience) } < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted {
                Ok(false)
            } else {
                Err(error)
            };
        }
        for (index, one) in fds[..2].iter().enumerate() {
            if one.revents != 0 {
                self.read_some(index);
            }
        }
        Ok(fds[2].revents != 0 || (ended.is_none() && sys::has_ended(pid)))
    }

    /// One piece; tells how long it was.
    fn read_some(&mut self, index: usize) -> usize {
        let stream = &mut self.streams[index];
        let Some(fd) = &stream.from else {
            return 0;
        };
        let mut piece = [0u8; 16 << 10];
        let count = sys::read(fd.as_raw_fd(), &mut piece).unwrap_or(0);
        if count == 0 {
            stream.from = None;
            return 0;
        }
        let room = usize::try_from(self.cap - stream.copied).unwrap_or(usize::MAX);
        let kept = &piece[..count.min(room)];
        self.heard.flood |= kept.len() < count;
        stream.copied += kept.len() as u64;
        if !self.deaf {
            self.deaf = sys::write_all(stream.to, kept).is_err();
        }
        if index == 0 {
            self.lines.feed(kept, &mut self.heard);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pieces: &[&[u8]]) -> Heard {
        let (mut lines, mut heard) = (Lines::default(), Heard::default());
        for piece in pieces {
            lines.feed(piece, &mut heard);
        }
        lines.finish(&mut heard);
        heard
    }

    #[test]
    fn a_writer_that_never_stops_does_not_keep_the_role() {
        let endless = sys::open(c"/dev/zero", libc::O_RDONLY).unwrap();
        let (err, _) = sys::pipe().unwrap();
        // Nothing is passed on, so that the test's own output stays as it is.
        assert!(Pump::new(endless, err, 0).drain().flood);
    }

    #[test]
    fn directives_are_found_across_pieces_and_other_lines_are_not() {
        let heard = heard(&[
            b"hello\ncar",
            b"go:rustc-cfg=x\n cargo:no\ncargo::metadata=a=b\r\ncargo:last",
        ]);
        let wanted: [&[u8]; 3] = [b"cargo:rustc-cfg=x", b"cargo::metadata=a=b", b"cargo:last"];
        assert_eq!(heard.directives, wanted);
        assert!(!heard.cut);
    }

    #[test]
    fn long_directives_and_too_many_of_them_are_cut_and_said_to_be() {
        let mut line = b"cargo:".to_vec();
        line.resize(5000, b'x');
        line.push(b'\n');
        let one = heard(&[&line]);
        assert_eq!((one.directives[0].len(), one.cut), (4096, true));
        line.truncate(4000);
        line.push(b'\n');
        let many = heard(&vec![&line[..]; 300]);
        assert_eq!(
            (many.directives.len(), many.cut),
            (ALL_DIRECTIVES / 4000, true)
        );
    }
}
