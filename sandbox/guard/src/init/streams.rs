//! The build's standard streams: pipes, /dev/null, and one pseudo-terminal for all that are a terminal (pty(7)).

use super::settings::{Settings, Stream};
use crate::sys;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// Both sides of the streams.
pub struct Streams {
    /// What becomes the build's 0, 1 and 2; closed in init once the build has them.
    pub inner: [Option<OwnedFd>; 3],
    /// Where init writes the build's input: a pipe.
    pub stdin: Option<OwnedFd>,
    /// Where init reads pipes for 1 and 2.
    pub output: [Option<OwnedFd>; 2],
    pub tty: Option<Tty>,
}

/// A pseudo-terminal.
pub struct Tty {
    pub master: OwnedFd,
    /// Kept open, so that the master never hangs up while the build lives.
    pub slave: OwnedFd,
    /// Input comes from it.
    pub is_stdin: bool,
    /// Frame type of what comes out: stdout's unless only stderr is a terminal.
    pub frame: u8,
}

impl Streams {
    /// Make them all. Everything is close-on-exec.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let uses_tty = |index: usize| settings.streams[index] == Stream::Tty;
        let tty = if (0..3).any(uses_tty) {
            let frame = if uses_tty(1) || !uses_tty(2) {
                b'O'
            } else {
                b'E'
            };
            Some(
                Tty::new(uses_tty(0), frame, settings.window)
                    .map_err(|error| sys::context("pseudo-terminal", &error))?,
            )
        } else {
            None
        };
        let mut streams = Self {
            inner: [None, None, None],
            stdin: None,
            output: [None, None],
            tty,
        };
        for index in 0..3 {
            streams
                .open(index, settings.streams[index])
                .map_err(|error| sys::context("standard streams", &error))?;
        }
        Ok(streams)
    }

    fn open(&mut self, index: usize, kind: Stream) -> io::Result<()> {
        match (kind, &self.tty) {
            (Stream::Tty, Some(tty)) => self.inner[index] = Some(tty.slave.try_clone()?),
            (Stream::Pipe, _) => {
                let (from, to) = sys::pipe()?;
                if index == 0 {
                    sys::set_nonblocking(to.as_fd())?;
                    self.inner[0] = Some(from);
                    self.stdin = Some(to);
                } else {
                    sys::set_nonblocking(from.as_fd())?;
                    self.inner[index] = Some(to);
                    self.output[index - 1] = Some(from);
                }
            }
            _ => self.inner[index] = Some(sys::open(c"/dev/null", libc::O_RDWR)?),
        }
        Ok(())
    }
}

impl Tty {
    fn new(is_stdin: bool, frame: u8, window: Option<(u16, u16)>) -> io::Result<Self> {
        let mut name = [0u8; 64];
        // SAFETY: the calls get an open descriptor and a buffer of the length told.
        let master = unsafe {
            let fd = sys::check_int(libc::posix_openpt(
                libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC | libc::O_NONBLOCK,
            ))?;
            let master = OwnedFd::from_raw_fd(fd);
            sys::check_int(libc::grantpt(fd))?;
            sys::check_int(libc::unlockpt(fd))?;
            let error = libc::ptsname_r(fd, name.as_mut_ptr().cast(), name.len());
            if error != 0 {
                return Err(io::Error::from_raw_os_error(error));
            }
            master
        };
        let path = std::ffi::CStr::from_bytes_until_nul(&name).map_err(io::Error::other)?;
        let slave = sys::open(path, libc::O_RDWR | libc::O_NOCTTY)?;
        let tty = Self {
            master,
            slave,
            is_stdin,
            frame,
        };
        if !is_stdin {
            tty.leave_modes_to_host()?;
        }
        if let Some((rows, columns)) = window {
            tty.resize(rows, columns);
        }
        Ok(tty)
    }

    /// The host's own terminal stays cooked then: it ends lines and echoes.
    fn leave_modes_to_host(&self) -> io::Result<()> {
        // SAFETY: an all-zero termios is a valid value that tcgetattr overwrites.
        unsafe {
            let mut modes: libc::termios = std::mem::zeroed();
            sys::check_int(libc::tcgetattr(self.slave.as_raw_fd(), &mut modes))?;
            modes.c_oflag &= !libc::OPOST;
            modes.c_lflag &= !libc::ECHO;
            sys::check_int(libc::tcsetattr(
                self.slave.as_raw_fd(),
                libc::TCSANOW,
                &modes,
            ))?;
        }
        Ok(())
    }

    /// Tell the build its terminal's new size; the kernel sends SIGWINCH.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = libc::winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: `size` is readable for the length of the call.
        unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &size) };
    }
}
