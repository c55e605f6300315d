//! From a call's number to the handler that knows its arguments. What is not known here is refused.

use super::files::{PathAct, Second};
use super::guard::{Answer, Call, Guard};
use super::net::Message;
use super::refused;
use super::seccomp::Notification;
use libc::c_long as Nr;

/// `AT_FDCWD` as an argument register holds it.
const HERE: u64 = libc::AT_FDCWD as i64 as u64;

// Calls that the libc crate has no number for; above 423 they are the same on every architecture
// (Linux, scripts/syscall.tbl).
const SYS_FCHMODAT2: Nr = 452;
const SYS_SETXATTRAT: Nr = 463;
const SYS_REMOVEXATTRAT: Nr = 466;
const SYS_FILE_SETATTR: Nr = 469;

const NOFOLLOW: i32 = libc::AT_SYMLINK_NOFOLLOW;

/// Decide about one call.
pub fn handle(guard: &mut Guard, notification: &Notification, listener: i32) -> Answer {
    let number = Nr::from(notification.data.nr);
    let is_exec = number == libc::SYS_execve || number == libc::SYS_execveat;
    let found = if is_exec {
        guard.processes.find_checked(notification.pid)
    } else {
        guard.processes.find(notification.pid)
    };
    // A process that was killed meanwhile needs no answer.
    let Some(mut caller) = found else {
        return Answer::Fail(libc::EPERM);
    };
    let mut call = Call::new(&mut caller, notification, listener);
    dispatch(guard, &mut call, number)
}

fn dispatch(guard: &mut Guard, call: &mut Call<'_>, number: Nr) -> Answer {
    let a = call.args;
    if call.is_foreign() {
        return refused::foreign(guard, call, number);
    }
    if let Some(errno) = guard.settings.refused.get(&number).copied() {
        return refused::refuse(guard, call, number, errno);
    }
    match number {
        libc::SYS_openat => guard.open(call, a[0], a[1], call.int(2), a[3]),
        libc::SYS_execve => guard.exec(call, HERE, a[0], a[1], a[2], 0),
        libc::SYS_execveat => guard.exec(call, a[0], a[1], a[2], a[3], call.int(4)),
        libc::SYS_unlinkat if call.int(2) & libc::AT_REMOVEDIR != 0 => {
            path(guard, call, "rmdir", a[0], a[1])
        }
        libc::SYS_unlinkat => path(guard, call, "unlink", a[0], a[1]),
        libc::SYS_renameat | libc::SYS_renameat2 => {
            two(guard, call, "rename", [a[0], a[1], a[2], a[3]])
        }
        libc::SYS_linkat => two(guard, call, "link", [a[0], a[1], a[2], a[3]]),
        libc::SYS_symlinkat => symlink(guard, call, a[1], a[2], a[0]),
        libc::SYS_mkdirat => with_mode(guard, call, "mkdir", a[0], a[1], a[2]),
        libc::SYS_mknodat => guard.mknod(call, a[0], a[1], a[2]),
        libc::SYS_fchmod => guard.change_mode(call, a[0], 0, a[1], 0),
        libc::SYS_fchmodat => guard.change_mode(call, a[0], a[1], a[2], 0),
        SYS_FCHMODAT2 => guard.change_mode(call, a[0], a[1], a[2], call.int(3)),
        libc::SYS_fchown => path(guard, call, "chown", a[0], 0),
        libc::SYS_fchownat => linked(guard, call, "chown", [a[0], a[1]], call.int(4)),
        libc::SYS_truncate => path(guard, call, "truncate", HERE, a[0]),
        libc::SYS_utimensat => linked(guard, call, "other", [a[0], a[1]], call.int(3)),
        libc::SYS_setxattr | libc::SYS_removexattr => path(guard, call, "xattr", HERE, a[0]),
        libc::SYS_lsetxattr | libc::SYS_lremovexattr => {
            linked(guard, call, "xattr", [HERE, a[0]], NOFOLLOW)
        }
        libc::SYS_fsetxattr | libc::SYS_fremovexattr => path(guard, call, "xattr", a[0], 0),
        SYS_SETXATTRAT | SYS_REMOVEXATTRAT => {
            linked(guard, call, "xattr", [a[0], a[1]], call.int(2))
        }
        SYS_FILE_SETATTR => linked(guard, call, "xattr", [a[0], a[1]], call.int(4)),
        libc::SYS_memfd_create => guard.memfd(call),
        libc::SYS_connect => guard.address(call, "connect"),
        libc::SYS_bind => guard.address(call, "bind"),
        libc::SYS_sendto => guard.send(
            call,
            &[Message {
                data: Some((a[1], a[2])),
                address: (a[4], a[5]),
            }],
        ),
        libc::SYS_sendmsg => guard.send_message(call),
        libc::SYS_sendmmsg => guard.send_messages(call),
        libc::SYS_kill => guard.signal(call, "kill", i64::from(call.int(0)), call.int(1)),
        libc::SYS_tkill => guard.signal(call, "tkill", i64::from(call.int(0)), call.int(1)),
        libc::SYS_tgkill => guard.signal_thread(call, "tgkill"),
        libc::SYS_rt_sigqueueinfo => {
            guard.signal(call, "rt_sigqueueinfo", i64::from(call.int(0)), call.int(1))
        }
        libc::SYS_rt_tgsigqueueinfo => guard.signal_thread(call, "rt_tgsigqueueinfo"),
        libc::SYS_pidfd_send_signal => guard.signal_by_descriptor(call),
        libc::SYS_fcntl => guard.owner(call),
        libc::SYS_prctl => guard.prctl(call),
        libc::SYS_prlimit64 => guard.limit(call),
        _ => legacy(guard, call, number),
    }
}

/// Calls that only x86-64 still has; aarch64 began without them.
#[cfg(target_arch = "x86_64")]
fn legacy(guard: &mut Guard, call: &mut Call<'_>, number: Nr) -> Answer {
    let a = call.args;
    match number {
        libc::SYS_open => guard.open(call, HERE, a[0], call.int(1), a[2]),
        libc::SYS_creat => guard.open(
            call,
            HERE,
            a[0],
            libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC,
            a[1],
        ),
        libc::SYS_unlink => path(guard, call, "unlink", HERE, a[0]),
        libc::SYS_rmdir => path(guard, call, "rmdir", HERE, a[0]),
        libc::SYS_rename => two(guard, call, "rename", [HERE, a[0], HERE, a[1]]),
        libc::SYS_link => two(guard, call, "link", [HERE, a[0], HERE, a[1]]),
        libc::SYS_symlink => symlink(guard, call, HERE, a[1], a[0]),
        libc::SYS_mkdir => with_mode(guard, call, "mkdir", HERE, a[0], a[1]),
        libc::SYS_mknod => guard.mknod(call, HERE, a[0], a[1]),
        libc::SYS_chmod => guard.change_mode(call, HERE, a[0], a[1], 0),
        libc::SYS_chown => path(guard, call, "chown", HERE, a[0]),
        libc::SYS_lchown => linked(guard, call, "chown", [HERE, a[0]], NOFOLLOW),
        libc::SYS_utime | libc::SYS_utimes => path(guard, call, "other", HERE, a[0]),
        libc::SYS_futimesat => path(guard, call, "other", a[0], a[1]),
        _ => refused::refuse(guard, call, number, libc::EPERM),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn legacy(guard: &mut Guard, call: &mut Call<'_>, number: Nr) -> Answer {
    refused::refuse(guard, call, number, libc::EPERM)
}

fn path(
    guard: &mut Guard,
    call: &mut Call<'_>,
    kind: &'static str,
    at: u64,
    pointer: u64,
) -> Answer {
    guard.change(
        call,
        &PathAct {
            kind,
            at,
            pointer,
            ..PathAct::default()
        },
    )
}

/// An act whose flags say whether a link at the path's end is followed.
fn linked(
    guard: &mut Guard,
    call: &mut Call<'_>,
    kind: &'static str,
    [at, pointer]: [u64; 2],
    flags: i32,
) -> Answer {
    guard.change(
        call,
        &PathAct {
            kind,
            at,
            pointer,
            nofollow: flags & NOFOLLOW != 0,
            ..PathAct::default()
        },
    )
}

fn with_mode(
    guard: &mut Guard,
    call: &mut Call<'_>,
    kind: &'static str,
    at: u64,
    pointer: u64,
    mode: u64,
) -> Answer {
    guard.change(
        call,
        &PathAct {
            kind,
            at,
            pointer,
            mode: Some(mode as u32 & 0o7777),
            ..PathAct::default()
        },
    )
}

fn two(guard: &mut Guard, call: &mut Call<'_>, kind: &'static str, args: [u64; 4]) -> Answer {
    let second = Second::Path {
        at: args[2],
        pointer: args[3],
    };
    guard.change(
        call,
        &PathAct {
            kind,
            at: args[0],
            pointer: args[1],
            second,
            ..PathAct::default()
        },
    )
}

fn symlink(guard: &mut Guard, call: &mut Call<'_>, at: u64, pointer: u64, text: u64) -> Answer {
    guard.change(
        call,
        &PathAct {
            kind: "symlink",
            at,
            pointer,
            second: Second::Text(text),
            ..PathAct::default()
        },
    )
}
