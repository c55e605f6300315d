//! The hot loop: take a call, look at it, answer.

use super::calls;
use super::guard::{Answer, Guard};
use super::seccomp::{self, Buffer};
use std::sync::{Mutex, PoisonError};

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`
const CONTINUE: u32 = 1;

/// Shortest slice that the kernel takes, in nanoseconds (sched(7); Linux 6.12 heeds it for ordinary tasks).
const SLICE_NS: u64 = 100_000;

/// Ask for the processor in short pieces. A build has more runnable threads than processors; on a wake-up the kernel
/// prefers who asks for less, so that a caller does not wait for a compiler's whole slice. Older kernels ignore it.
fn take_short_slices() {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        // SAFETY: the call touches no memory.
        sched_nice: unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) },
        sched_priority: 0,
        sched_runtime: SLICE_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the structure is readable for the size it tells.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &attributes, 0) };
}

/// Serve until the listener breaks, which it does when nobody is left under the filter.
pub fn serve(listener: i32, guard: &Mutex<Guard>) {
    take_short_slices();
    let mut buffer = Buffer::new();
    loop {
        let notification = match buffer.receive(listener) {
            Ok(Some(notification)) => notification,
            Ok(None) => {
                if is_hung_up(listener) {
                    return;
                }
                continue;
            }
            Err(_) => return,
        };
        // A panic in a handler aborts the guard, and with it the container; the lock can't be poisoned.
        let answer = calls::handle(
            &mut guard.lock().unwrap_or_else(PoisonError::into_inner),
            notification,
            listener,
        );
        let mut response = libc::seccomp_notif_resp {
            id: notification.id,
            val: 0,
            error: 0,
            flags: 0,
        };
        match answer {
            Answer::Continue => response.flags = CONTINUE,
            Answer::Fail(errno) => response.error = -errno,
            Answer::Value(value) => response.val = value,
        }
        seccomp::send(listener, &response);
    }
}

fn is_hung_up(listener: i32) -> bool {
    let mut poll = libc::pollfd {
        fd: listener,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, writable.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 && poll.revents & libc::POLLHUP != 0 }
}
