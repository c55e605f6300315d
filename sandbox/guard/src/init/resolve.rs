//! The absolute path that a call means: from the caller's memory, its working directory and its descriptors.

use super::guard::{Call, Guard};
use super::memory;
use crate::paths;
use crate::sys;
use std::ffi::CStr;
use std::io;
use std::io::Write;

/// Why there is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPath {
    /// The caller's memory does not hold it: the kernel fails the call with this error, and so do we.
    ///
    /// We must not leave it to the kernel, whose later look may find what another thread has put there meanwhile.
    Refused(i32),
    /// The caller can't be looked into (its program is not readable), so it may not act.
    Opaque,
    /// The descriptor it starts from is not open; the kernel will say so too.
    BadDescriptor,
}

impl From<io::Error> for NoPath {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Opaque,
            Some(errno) => Self::Refused(errno),
            None => Self::Refused(libc::EFAULT),
        }
    }
}

impl Guard {
    /// Put the path that (`at`, `pointer`) means into `out`. A null `pointer` with a descriptor means the open file.
    ///
    /// Descriptors that are no files give what /proc calls them, such as `pipe:[123]`.
    pub fn resolve(
        &mut self,
        call: &Call<'_>,
        at: u64,
        pointer: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), NoPath> {
        let [raw, base, _] = &mut self.paths;
        raw.clear();
        out.clear();
        let at = (at & 0xffff_ffff) as u32 as i32;
        if pointer != 0 {
            memory::path(call.caller.tid, pointer, raw)?;
        } else if at == libc::AT_FDCWD {
            return Err(NoPath::Refused(libc::EFAULT));
        }
        if raw.first() == Some(&b'/') {
            paths::normalise(out, b"/", raw);
            return Ok(());
        }
        if !link(call.caller.tid, at, base) {
            return Err(NoPath::BadDescriptor);
        }
        if base.first() == Some(&b'/') {
            paths::normalise(out, base, raw);
        } else {
            out.extend_from_slice(base);
        }
        Ok(())
    }

    /// The path that `resolve` found last, as the caller wrote it, if there is a `..` in it.
    pub fn written(&self) -> Option<Vec<u8>> {
        let [raw, base, _] = &self.paths;
        let dotted = raw.split(|byte| *byte == b'/').any(|part| part == b"..");
        dotted.then(|| match raw.first() {
            Some(b'/') => raw.clone(),
            _ => [base, &b"/"[..], raw].concat(),
        })
    }

    /// Whether the path that `resolve` found last is that of an open descriptor alone.
    pub fn is_bare(&self) -> bool {
        self.paths[0].is_empty()
    }
}

/// The link of a descriptor or of the working directory.
pub fn link(tid: u32, at: i32, out: &mut Vec<u8>) -> bool {
    let mut name = [0u8; 64];
    let written = if at == libc::AT_FDCWD {
        write!(&mut name[..63], "/proc/{tid}/cwd")
    } else {
        write!(&mut name[..63], "/proc/{tid}/fd/{at}")
    };
    written.is_ok() && CStr::from_bytes_until_nul(&name).is_ok_and(|name| sys::read_link(name, out))
}
