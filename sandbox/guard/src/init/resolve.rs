//! The absolute path that a call means: from the caller's memory, its working directory and its descriptors.

use super::guard::{Call, Guard};
use super::memory;
use crate::paths;
use crate::sys;
use std::ffi::CStr;
use std::io::Write;

/// Why there is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPath {
    /// The caller's memory could not be read.
    Unreadable,
    /// The descriptor it starts from is not open; the kernel will say so too.
    BadDescriptor,
    /// A null pointer, which the kernel refuses.
    Null,
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
            memory::path(call.caller.tid, pointer, raw).map_err(|_| NoPath::Unreadable)?;
        } else if at == libc::AT_FDCWD {
            return Err(NoPath::Null);
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
