//! Who waits for a processor, and how long (sched(7)). A matter of speed alone: what the kernel refuses stays as it was.

/// Shortest slice that the kernel takes, in nanoseconds (sched(7); Linux 6.12 heeds it for ordinary tasks).
const SLICE_NS: u64 = 100_000;

/// Ask for the processor in short pieces. A build has more runnable threads than processors; on a wake-up the kernel
/// prefers who asks for less, so that a caller does not wait for a compiler's whole slice. Older kernels ignore it.
pub fn take_short_slices() {
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

/// Interrupt nobody on a wake-up: the calling thread, and the threads and processes that it starts from here on, are work
/// that nobody waits for step by step (`SCHED_BATCH`). Who was given another policy than the usual one keeps it, and its
/// niceness everybody.
pub fn stand_back() {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: the structure is readable. Not libc's functions of these names, which in musl do nothing.
    unsafe {
        let usual = libc::c_long::from(libc::SCHED_OTHER);
        if libc::syscall(libc::SYS_sched_getscheduler, 0) == usual {
            libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_BATCH, &none);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn policy() -> libc::c_long {
        // SAFETY: the call touches no memory.
        unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) }
    }

    fn set(policy: libc::c_int) {
        let none = libc::sched_param { sched_priority: 0 };
        // SAFETY: the structure is readable.
        let set = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &none) };
        assert_eq!(set, 0);
    }

    #[test]
    fn who_stands_back_and_whom_it_starts_interrupt_nobody_but_an_answering_thread_does() {
        let (first, started, answering) = thread::spawn(|| {
            stand_back();
            let started = thread::spawn(|| {
                let inherited = policy();
                take_short_slices();
                (inherited, policy())
            });
            let (inherited, answering) = started.join().unwrap();
            (policy(), inherited, answering)
        })
        .join()
        .unwrap();
        assert_eq!(
            (first, started),
            (
                libc::c_long::from(libc::SCHED_BATCH),
                libc::c_long::from(libc::SCHED_BATCH)
            )
        );
        assert_eq!(answering, libc::c_long::from(libc::SCHED_OTHER));
    }

    #[test]
    fn a_policy_that_the_user_chose_stays() {
        let after = thread::spawn(|| {
            set(libc::SCHED_IDLE);
            stand_back();
            policy()
        });
        assert_eq!(after.join().unwrap(), libc::c_long::from(libc::SCHED_IDLE));
    }
}
