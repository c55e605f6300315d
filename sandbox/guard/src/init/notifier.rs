//! The hot loop: take a call, look at it, answer.

use super::calls;
use super::guard::{Answer, Guard};
use super::seccomp::{self, Buffer};
use std::sync::{Mutex, PoisonError};

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`
const CONTINUE: u32 = 1;

/// Serve until the listener breaks, which it does when nobody is left under the filter.
pub fn serve(listener: i32, guard: &Mutex<Guard>) {
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
