//! The hot loop: take a call, look at it, answer.

use super::calls;
use super::guard::{Answer, Guard};
use super::seccomp::{self, Buffer};
use crate::sched;
use std::hint;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`
const CONTINUE: u32 = 1;

/// Looks at a lock that another thread holds, before sleeping; an answer takes about as long.
const LOOKS: u32 = 400;
/// Short waits between two looks.
const BETWEEN: u32 = 4;

/// Start to serve the listener in threads of their own.
///
/// With synchronous wake-ups a call is answered on its caller's processor. While one thread is at work a second caller
/// would wait for it, and then go on where that thread happens to run: its own processor stands idle until the kernel
/// balances, up to a tick later. So there is a second thread; each call wakes both if they sleep, so a third would cost
/// more than it saves. Without synchronous wake-ups the second one would have to be fetched from another processor.
pub fn start(listener: i32, guard: &Arc<Mutex<Guard>>, sync_wakeup: bool) {
    let processors = thread::available_parallelism().map_or(1, Into::into);
    for _ in 0..threads(processors, sync_wakeup) {
        let guard = Arc::clone(guard);
        thread::spawn(move || serve(listener, &guard));
    }
}

fn threads(processors: usize, sync_wakeup: bool) -> usize {
    if sync_wakeup {
        processors.min(2)
    } else {
        1
    }
}

/// The state, once no other thread has it. Sleeping and being woken would take longer than waiting usually does.
fn enter<T>(guard: &Mutex<T>) -> MutexGuard<'_, T> {
    for _ in 0..LOOKS {
        match guard.try_lock() {
            Ok(state) => return state,
            Err(TryLockError::Poisoned(_)) => break,
            Err(TryLockError::WouldBlock) => (0..BETWEEN).for_each(|_| hint::spin_loop()),
        }
    }
    // A panic in a handler aborts the guard, and with it the container; the lock can't be poisoned.
    guard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serve until the listener breaks, which it does when nobody is left under the filter.
fn serve(listener: i32, guard: &Mutex<Guard>) {
    sched::take_short_slices();
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
        let answer = calls::handle(&mut enter(guard), notification, listener);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_second_thread_serves_where_it_need_not_be_fetched_from_another_processor() {
        assert_eq!(
            (threads(1, true), threads(2, true), threads(64, true)),
            (1, 2, 2)
        );
        assert_eq!(threads(64, false), 1);
    }

    #[test]
    fn whoever_finds_the_lock_taken_gets_it_afterwards_however_long_that_is() {
        let lock = Arc::new(Mutex::new(0));
        for held in [Duration::ZERO, Duration::from_millis(30)] {
            let mut first = lock.lock().unwrap();
            let second = thread::spawn({
                let lock = Arc::clone(&lock);
                move || *enter(&lock) += 1
            });
            thread::sleep(held);
            *first *= 10;
            drop(first);
            second.join().unwrap();
        }
        assert_eq!(*lock.lock().unwrap(), 11);
    }
}
