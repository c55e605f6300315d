//! Calls that are never let through, with what is told of them; also prctl and memory files.

use super::address;
use super::event::Event;
use super::guard::{Answer, Call, Guard};
use super::memory;
use super::process::UNKNOWN;
use super::unit::Role;
use crate::report;
use libc::c_long as Nr;

const SYS_OPEN_TREE_ATTR: Nr = 467;

const X32_BIT: Nr = super::guard::X32_BIT as Nr;

/// Kind, name and number of arguments of a refused call.
type Known = (&'static str, &'static str, usize);

/// How a refused call is told.
fn known(number: Nr) -> Option<Known> {
    Some(match number {
        libc::SYS_ptrace => ("ptrace", "ptrace", 4),
        libc::SYS_process_vm_readv => ("process_vm", "process_vm_readv", 6),
        libc::SYS_process_vm_writev => ("process_vm", "process_vm_writev", 6),
        libc::SYS_pidfd_getfd => ("other", "pidfd_getfd", 3),
        libc::SYS_mount => ("mount", "mount", 5),
        libc::SYS_umount2 => ("mount", "umount2", 2),
        libc::SYS_pivot_root => ("mount", "pivot_root", 2),
        libc::SYS_chroot => ("mount", "chroot", 1),
        libc::SYS_move_mount => ("mount", "move_mount", 5),
        libc::SYS_open_tree => ("mount", "open_tree", 3),
        SYS_OPEN_TREE_ATTR => ("mount", "open_tree_attr", 5),
        libc::SYS_fsopen => ("mount", "fsopen", 2),
        libc::SYS_fsconfig => ("mount", "fsconfig", 5),
        libc::SYS_fsmount => ("mount", "fsmount", 3),
        libc::SYS_fspick => ("mount", "fspick", 3),
        libc::SYS_mount_setattr => ("mount", "mount_setattr", 5),
        libc::SYS_swapon => ("mount", "swapon", 2),
        libc::SYS_swapoff => ("mount", "swapoff", 1),
        libc::SYS_unshare => ("namespace", "unshare", 1),
        libc::SYS_setns => ("namespace", "setns", 2),
        libc::SYS_clone => ("namespace", "clone", 1),
        libc::SYS_io_uring_setup => ("io_uring", "io_uring_setup", 2),
        libc::SYS_io_uring_enter => ("io_uring", "io_uring_enter", 6),
        libc::SYS_io_uring_register => ("io_uring", "io_uring_register", 4),
        libc::SYS_bpf => ("bpf", "bpf", 3),
        libc::SYS_keyctl => ("keyctl", "keyctl", 5),
        libc::SYS_add_key => ("keyctl", "add_key", 5),
        libc::SYS_request_key => ("keyctl", "request_key", 4),
        libc::SYS_userfaultfd => ("userfaultfd", "userfaultfd", 1),
        libc::SYS_perf_event_open => ("perf", "perf_event_open", 5),
        libc::SYS_open_by_handle_at => ("handle", "open_by_handle_at", 3),
        libc::SYS_name_to_handle_at => ("handle", "name_to_handle_at", 5),
        libc::SYS_fanotify_init => ("other", "fanotify_init", 2),
        libc::SYS_seccomp => ("seccomp", "seccomp", 3),
        libc::SYS_init_module => ("module", "init_module", 3),
        libc::SYS_finit_module => ("module", "finit_module", 3),
        libc::SYS_delete_module => ("module", "delete_module", 2),
        libc::SYS_kexec_load => ("module", "kexec_load", 4),
        libc::SYS_acct => ("other", "acct", 1),
        libc::SYS_quotactl => ("other", "quotactl", 4),
        libc::SYS_quotactl_fd => ("other", "quotactl_fd", 4),
        libc::SYS_reboot => ("other", "reboot", 4),
        libc::SYS_sethostname => ("other", "sethostname", 2),
        libc::SYS_setdomainname => ("other", "setdomainname", 2),
        libc::SYS_settimeofday => ("other", "settimeofday", 2),
        libc::SYS_clock_settime => ("other", "clock_settime", 2),
        libc::SYS_syslog => ("other", "syslog", 3),
        libc::SYS_vhangup => ("other", "vhangup", 0),
        libc::SYS_ioctl => ("other", "ioctl", 3),
        libc::SYS_memfd_secret => ("other", "memfd_secret", 1),
        libc::SYS_memfd_create => ("other", "memfd_create", 2),
        libc::SYS_personality => ("personality", "personality", 1),
        libc::SYS_socket => ("socket", "socket", 3),
        libc::SYS_socketpair => ("socket", "socketpair", 3),
        libc::SYS_move_pages => ("other", "move_pages", 2),
        libc::SYS_migrate_pages => ("other", "migrate_pages", 2),
        _ => rare(number).or_else(|| known_here(number))?,
    })
}

/// What the level `strict` refuses.
fn rare(number: Nr) -> Option<Known> {
    let (name, count) = match number {
        libc::SYS_splice => ("splice", 6),
        libc::SYS_tee => ("tee", 4),
        libc::SYS_vmsplice => ("vmsplice", 4),
        libc::SYS_shmget => ("shmget", 3),
        libc::SYS_shmat => ("shmat", 3),
        libc::SYS_shmctl => ("shmctl", 3),
        libc::SYS_shmdt => ("shmdt", 1),
        libc::SYS_semget => ("semget", 3),
        libc::SYS_semop => ("semop", 3),
        libc::SYS_semctl => ("semctl", 4),
        libc::SYS_semtimedop => ("semtimedop", 4),
        libc::SYS_msgget => ("msgget", 2),
        libc::SYS_msgsnd => ("msgsnd", 4),
        libc::SYS_msgrcv => ("msgrcv", 5),
        libc::SYS_msgctl => ("msgctl", 3),
        libc::SYS_mq_open => ("mq_open", 4),
        libc::SYS_mq_unlink => ("mq_unlink", 1),
        libc::SYS_mq_timedsend => ("mq_timedsend", 5),
        libc::SYS_mq_timedreceive => ("mq_timedreceive", 5),
        libc::SYS_mq_notify => ("mq_notify", 2),
        libc::SYS_mq_getsetattr => ("mq_getsetattr", 3),
        libc::SYS_io_setup => ("io_setup", 2),
        libc::SYS_io_destroy => ("io_destroy", 1),
        libc::SYS_io_submit => ("io_submit", 3),
        libc::SYS_io_cancel => ("io_cancel", 3),
        libc::SYS_io_getevents => ("io_getevents", 5),
        SYS_IO_PGETEVENTS => ("io_pgetevents", 6),
        libc::SYS_mbind => ("mbind", 6),
        libc::SYS_set_mempolicy => ("set_mempolicy", 3),
        libc::SYS_get_mempolicy => ("get_mempolicy", 5),
        SYS_SET_MEMPOLICY_HOME_NODE => ("set_mempolicy_home_node", 4),
        _ => return None,
    };
    Some(("other", name, count))
}

#[cfg(target_arch = "x86_64")]
const SYS_IO_PGETEVENTS: Nr = 333;
#[cfg(not(target_arch = "x86_64"))]
const SYS_IO_PGETEVENTS: Nr = 292;
const SYS_SET_MEMPOLICY_HOME_NODE: Nr = 450;

#[cfg(target_arch = "x86_64")]
fn known_here(number: Nr) -> Option<Known> {
    Some(match number {
        libc::SYS_kexec_file_load => ("module", "kexec_file_load", 5),
        libc::SYS_modify_ldt => ("other", "modify_ldt", 3),
        libc::SYS_iopl => ("other", "iopl", 1),
        libc::SYS_ioperm => ("other", "ioperm", 3),
        _ => return None,
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn known_here(number: Nr) -> Option<Known> {
    const SYS_KEXEC_FILE_LOAD: Nr = 294;
    (number == SYS_KEXEC_FILE_LOAD).then_some(("module", "kexec_file_load", 5))
}

/// Refuse a call and list it.
pub fn refuse(guard: &mut Guard, call: &Call<'_>, number: Nr, errno: i32) -> Answer {
    let number_name;
    let (kind, name, count) = match known(number) {
        Some(found) => found,
        None => {
            number_name = format!("syscall {number}");
            ("other", number_name.as_str(), 6)
        }
    };
    let target = matches!(kind, "ptrace" | "process_vm").then(|| {
        let index = usize::from(kind == "ptrace");
        i64::from(call.int(index))
    });
    let family = (kind == "socket").then(|| address::family_name(call.int(0)));
    let event = Event {
        kind,
        target,
        family: family.as_deref(),
        call: Some(name),
        args: &call.args[..count],
        ..Event::default()
    };
    guard.deny(call.caller, errno, &event)
}

/// A call of another ABI: 32-bit programs, or x32 with its bit in the number. The filter may also kill them.
pub fn foreign(guard: &mut Guard, call: &Call<'_>, number: Nr) -> Answer {
    let name = if number & X32_BIT == 0 {
        format!("foreign call {number}")
    } else {
        format!("x32 call {}", number & !X32_BIT)
    };
    let event = Event {
        kind: "other",
        call: Some(&name),
        ..Event::default()
    };
    guard.deny(call.caller, libc::ENOSYS, &event)
}

impl Guard {
    /// prlimit64(2) on another process: a limit of zero seconds kills even process 1.
    pub fn limit(&mut self, call: &Call<'_>) -> Answer {
        let target = call.int(0);
        if call.caller.guarding || target == 0 {
            return self.count(call.caller);
        }
        let found = u32::try_from(target)
            .ok()
            .and_then(|target| self.processes.find_checked(target));
        if found.is_some_and(|target| call.caller.may_touch(&target)) {
            return self.count(call.caller);
        }
        let event = Event {
            kind: "other",
            target: Some(i64::from(target)),
            call: Some("prlimit64"),
            args: &call.args[..2],
            ..Event::default()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    /// prctl(2): our own hypercall, and the options that weaken the record.
    pub fn prctl(&mut self, call: &Call<'_>) -> Answer {
        let (kind, count) = match call.int(0) {
            report::CALL => return self.report(call),
            libc::PR_SET_SECCOMP => ("seccomp", 3),
            libc::PR_SET_DUMPABLE if call.args[1] == 0 => ("dumpable", 2),
            libc::PR_SET_MM => ("other", 5),
            _ => return self.count(call.caller),
        };
        let event = Event {
            kind,
            call: Some("prctl"),
            args: &call.args[..count],
            ..Event::default()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    /// A role process speaks to us.
    fn report(&mut self, call: &Call<'_>) -> Answer {
        let (op, address, length) = (call.args[1], call.args[2], call.args[3]);
        if op == report::ASK {
            self.count(call.caller);
            return Answer::Value(call.caller.guarding.into());
        }
        let unit = call.caller.unit;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let reports = self.unit(call.caller).role.has_domain() && !self.unit(call.caller).ended;
        if !(call.caller.guarding || self.settings.broken("report"))
            || !reports
            || unit == UNKNOWN
            || op > report::END
            || length > report::MAX_PART
        {
            let event = Event {
                kind: "forged",
                call: Some("prctl"),
                args: &call.args[1..2],
                ..Event::default()
            };
            return self.deny(call.caller, libc::EPERM, &event);
        }
        if length > 0 {
            let mut part = vec![0u8; length];
            let read = memory::read(call.caller.tid, address, &mut part);
            if read.is_err() || !call.is_valid() || !self.units[unit].report.take(&part) {
                let event = Event {
                    kind: "other",
                    call: Some("prctl"),
                    ..Event::default()
                };
                return self.unreadable(call.caller, &event);
            }
        }
        if op == report::END {
            if self.units[unit].report.flood {
                let note = Some("a build script wrote more than its limit and was ended");
                self.list(
                    call.caller,
                    &Event {
                        kind: "flood",
                        note,
                        ..Event::default()
                    },
                );
            }
            self.end_unit(unit);
        }
        self.count(call.caller);
        Answer::Value(0)
    }

    /// `memfd_create(2)`: listed with the name it was given.
    pub fn memfd(&mut self, call: &Call<'_>) -> Answer {
        if call.caller.guarding || self.unit(call.caller).role == Role::Cargo {
            return self.count(call.caller);
        }
        let mut name = b"memfd:".to_vec();
        let event = Event {
            kind: "memfd",
            call: Some("memfd_create"),
            args: &call.args[1..2],
            ..Event::default()
        };
        if let Err(error) = memory::path(call.caller.tid, call.args[0], &mut name) {
            return self.without_path(call, error.into(), "memfd");
        }
        if !call.is_valid() {
            return Answer::Fail(libc::EPERM);
        }
        self.allow(
            call.caller,
            &Event {
                path: Some(&name),
                ..event
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    const FILTERS: [&str; 2] = [
        include_str!("../../../../profiles/seccomp/inner-standard-x86_64.bpf"),
        include_str!("../../../../profiles/seccomp/inner-strict-x86_64.bpf"),
    ];
    #[cfg(target_arch = "aarch64")]
    const FILTERS: [&str; 2] = [
        include_str!("../../../../profiles/seccomp/inner-standard-aarch64.bpf"),
        include_str!("../../../../profiles/seccomp/inner-strict-aarch64.bpf"),
    ];

    #[test]
    fn every_call_that_a_filter_has_refused_is_told_by_its_name() {
        let lines = FILTERS.iter().flat_map(|text| text.lines());
        let refused: Vec<&str> = lines
            .filter_map(|line| line.strip_prefix("refuse "))
            .collect();
        assert!(refused.len() > 100);
        for line in refused {
            let (numbers, name) = line.split_once("; ").unwrap();
            let mut numbers = numbers.split_whitespace();
            let number: Nr = numbers.next().unwrap().parse().unwrap();
            let errno: i32 = numbers.next().unwrap().parse().unwrap();
            assert_eq!(known(number).map(|(_, name, _)| name), Some(name));
            assert_ne!(super::super::guard::errno_name(errno), "EINVAL", "{name}");
        }
    }
}
