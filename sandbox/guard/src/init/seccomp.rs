//! The kernel's side of user notification (seccomp(2), `seccomp_unotify(2)`).

use crate::sys;
use std::io;

pub use libc::seccomp_notif as Notification;

/// Block preemption signals while a call waits, Linux 5.19.
const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;
/// Wake the waiting side on our own CPU, Linux 6.6.
const FD_SYNC_WAKE_UP: libc::c_ulong = 1;

/// Largest kernel structure we take: newer kernels may append fields.
const ROOM: usize = 256;

/// Install a filter for this process and get its listener. `no_new_privs` must be set.
///
/// `filter` holds whole `struct sock_filter`s.
pub fn install(filter: &[u8]) -> io::Result<i32> {
    match listen(filter, WAIT_KILLABLE_RECV) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => listen(filter, 0),
        other => other,
    }
}

/// Install a filter that asks nobody. `no_new_privs` must be set.
pub fn install_alone(filter: &[u8]) -> io::Result<()> {
    load(filter, 0).map(drop)
}

/// Whether a filter may block preemption signals while a call waits. Installs it for this thread.
pub fn takes_wait_killable(filter: &[u8]) -> io::Result<bool> {
    match listen(filter, WAIT_KILLABLE_RECV) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

fn listen(filter: &[u8], flags: libc::c_ulong) -> io::Result<i32> {
    let listener = load(filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | flags)?;
    i32::try_from(listener).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))
}

fn load(filter: &[u8], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let program = libc::sock_fprog {
        len: libc::c_ushort::try_from(filter.len() / 8)
            .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?,
        filter: filter.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `program` points to as many instructions as it tells.
    sys::check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &program,
        )
    })
}

/// Whether the kernel's structures fit what we hand it.
pub fn sizes_fit() -> bool {
    // SAFETY: an all-zero value is valid, and the call writes it only.
    unsafe {
        let mut sizes: libc::seccomp_notif_sizes = std::mem::zeroed();
        let got = libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_NOTIF_SIZES,
            0,
            &mut sizes,
        );
        got == 0
            && usize::from(sizes.seccomp_notif) <= ROOM
            && usize::from(sizes.seccomp_notif_resp) == size_of::<libc::seccomp_notif_resp>()
    }
}

/// Ask for synchronous wake-ups; false on a kernel without them.
pub fn sync_wakeup(listener: i32) -> bool {
    // SAFETY: the flags are passed by value.
    unsafe {
        libc::ioctl(
            listener,
            libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
            FD_SYNC_WAKE_UP,
        ) == 0
    }
}

/// A buffer that a newer kernel's longer structure fits into.
#[repr(C, align(8))]
pub struct Buffer {
    notification: Notification,
    more: [u8; ROOM - size_of::<Notification>()],
}

impl Buffer {
    pub fn new() -> Self {
        // SAFETY: all zero is a valid value for plain numbers.
        unsafe { std::mem::zeroed() }
    }

    /// Wait for the next notification. None when the caller vanished before we took it.
    pub fn receive(&mut self, listener: i32) -> io::Result<Option<&Notification>> {
        // The kernel refuses a buffer that is not zero.
        *self = Self::new();
        // SAFETY: the buffer is writable and larger than the kernel's structure (`sizes_fit`).
        let got = unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &mut *self) };
        if got == 0 {
            return Ok(Some(&self.notification));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR | libc::ENOENT) => Ok(None),
            _ => Err(error),
        }
    }
}

/// Answer a notification. An error means that the caller is gone.
pub fn send(listener: i32, response: &libc::seccomp_notif_resp) {
    // SAFETY: `response` is readable; the kernel doesn't write it.
    unsafe {
        libc::ioctl(
            listener,
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            std::ptr::from_ref(response),
        )
    };
}

/// Whether the notification still waits for its answer.
pub fn is_valid(listener: i32, id: u64) -> bool {
    // SAFETY: `id` is readable.
    unsafe {
        libc::ioctl(
            listener,
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
            std::ptr::from_ref(&id),
        ) == 0
    }
}
