//! `guard probe`: what this kernel gives a guard, tried and not read from a version number. For `cargo-sandbox doctor`.
//!
//! Prints one JSON object. Each feature is used once, on a thread of its own that ends with its filter; nothing of it
//! outlives this process.

use super::seccomp::{self, Buffer};
use crate::json::Object;
use crate::{landlock, sys};
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What the kernel is told to answer in place of the real parent's id.
const ANSWER: i64 = 0x5eed;
/// What a filter alone answers.
const REFUSED: i32 = libc::EOWNERDEAD;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`
const CONTINUE: u32 = 1;
/// A broken kernel must not keep the doctor waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Print the facts. Exit code 0 whatever they are, 1 when nobody takes them.
pub fn main() -> i32 {
    let mut out = Vec::new();
    let mut object = Object::new(&mut out);
    object.number("v", 1);
    object.signed("landlock", landlock::abi().into());
    object.flag("filter", answers_alone());
    object.flag("sizes_fit", seccomp::sizes_fit());
    object.flag(
        "wait_killable",
        on_thread(|| seccomp::takes_wait_killable(&filter())).unwrap_or(false),
    );
    let (heard, answered, continued, sync_wakeup, why) = match notify() {
        Ok(tried) => (
            true,
            tried.answered == ANSWER,
            tried.continued == parent(),
            tried.sync_wakeup,
            String::new(),
        ),
        Err(why) => (false, false, false, false, why),
    };
    object.flag("new_listener", heard);
    object.flag("answered", answered);
    object.flag("continued", continued);
    object.flag("sync_wakeup", sync_wakeup);
    object.text("why", why.as_bytes());
    object.flag("close_range", close_range());
    let status = std::fs::read("/proc/self/status").unwrap_or_default();
    object.text("capabilities", field(&status, b"CapEff:"));
    object.text("bounding", field(&status, b"CapBnd:"));
    object.flag("no_new_privs", keeps_privileges_down());
    object.flag("subreaper", adopts());
    // Read before this thread has any filter of ours: whether the container has one already.
    object.flag("confined", field(&status, b"Seccomp:") == b"2");
    object.text("kernel", &sys::release());
    let devices = std::fs::read("/proc/net/dev").unwrap_or_default();
    object.texts("interfaces", interfaces(&devices));
    for name in ["user", "net", "pid", "mnt", "ipc", "uts", "cgroup"] {
        let link = std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap_or_default();
        object.text(name, link.as_os_str().as_encoded_bytes());
    }
    object.end();
    out.push(b'\n');
    i32::from(sys::write_all(1, &out).is_err())
}

/// A filter that asks about getppid(2) and lets the rest pass.
fn filter() -> Vec<u8> {
    deciding(libc::SECCOMP_RET_USER_NOTIF)
}

/// A filter with this verdict for getppid(2) that lets the rest pass.
fn deciding(verdict: u32) -> Vec<u8> {
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let number = u32::try_from(libc::SYS_getppid).unwrap_or(u32::MAX);
    [
        (LOAD, 0, 0, 0),
        (EQUAL, 0, 1, number),
        (RETURN, 0, 0, verdict),
        (RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
    .into_iter()
    .flat_map(|(code, yes, no, k): (u16, u8, u8, u32)| {
        let ([c0, c1], [k0, k1, k2, k3]) = (code.to_ne_bytes(), k.to_ne_bytes());
        [c0, c1, yes, no, k0, k1, k2, k3]
    })
    .collect()
}

struct Tried {
    answered: i64,
    continued: i64,
    sync_wakeup: bool,
}

/// One call answered by us and one let through, as the guard does all day.
fn notify() -> Result<Tried, String> {
    let (listener_in, listener) = mpsc::channel();
    let (results_in, results) = mpsc::channel();
    thread::spawn(move || {
        let installed = no_new_privs().and_then(|()| seccomp::install(&filter()));
        let fine = installed.is_ok();
        let _ = listener_in.send(installed);
        if fine {
            let _ = results_in.send(parent());
            let _ = results_in.send(parent());
        }
    });
    let listener = listener
        .recv_timeout(PATIENCE)
        .map_err(|_| "the filter was not installed in time".to_string())?
        .map_err(|error| sys::context("install a filter with a listener", &error))?;
    let sync_wakeup = seccomp::sync_wakeup(listener);
    let mut values = [0; 2];
    for (flags, value) in [(0, ANSWER), (CONTINUE, 0)].into_iter().zip(&mut values) {
        answer(listener, flags.0, flags.1)?;
        *value = results
            .recv_timeout(PATIENCE)
            .map_err(|_| "an answer did not arrive".to_string())?;
    }
    let [answered, continued] = values;
    Ok(Tried {
        answered,
        continued,
        sync_wakeup,
    })
}

fn answer(listener: i32, flags: u32, value: i64) -> Result<(), String> {
    let mut poll = libc::pollfd {
        fd: listener,
        events: libc::POLLIN,
        revents: 0,
    };
    let patience = i32::try_from(PATIENCE.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one entry, writable.
    if unsafe { libc::poll(&mut poll, 1, patience) } != 1 {
        return Err("no notification came".into());
    }
    let mut buffer = Buffer::new();
    let notification = buffer
        .receive(listener)
        .map_err(|error| sys::context("receive a notification", &error))?
        .ok_or("the notification vanished")?;
    let response = libc::seccomp_notif_resp {
        id: notification.id,
        val: value,
        error: 0,
        flags,
    };
    seccomp::send(listener, &response);
    Ok(())
}

/// A filter that asks nobody: the errno that it answers with arrives, also in a thread that is started later.
fn answers_alone() -> bool {
    let filter = deciding(libc::SECCOMP_RET_ERRNO | REFUSED.unsigned_abs());
    let tried = thread::spawn(move || {
        no_new_privs().and_then(|()| seccomp::install_alone(&filter))?;
        let refused =
            || parent() == -1 && io::Error::last_os_error().raw_os_error() == Some(REFUSED);
        io::Result::Ok(refused() && thread::spawn(refused).join().unwrap_or(false))
    });
    tried.join().is_ok_and(|result| result.unwrap_or(false))
}

/// `no_new_privs` can be set, and then it is.
fn keeps_privileges_down() -> bool {
    // SAFETY: prctl with this command touches no memory.
    on_thread(|| sys::check_int(unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) }))
        == Some(1)
}

/// Whether another process than the first can be given orphans: gVisor lets the first one say so, as it is anyway.
fn adopts() -> bool {
    // SAFETY: without CLONE_VM this is a fork; the child makes two system calls and shares no memory with us.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if pid == 0 {
        let status = i32::from(sys::become_subreaper().is_err());
        // SAFETY: ends the child at once, without running anything of the parent's.
        unsafe { libc::_exit(status) }
    }
    let child = i32::try_from(pid).unwrap_or(-1);
    child > 0
        && matches!(
            sys::reap(child, true),
            sys::Reaped::Child(_, sys::Ended::Code(0), _)
        )
}

/// The names in /proc/net/dev: a line each behind two of headings, up to a colon.
fn interfaces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .skip(2)
        .filter_map(|line| {
            let end = line.iter().position(|byte| *byte == b':')?;
            Some(line[..end].trim_ascii())
        })
}

/// By number, since the C library may keep the answer of an earlier call.
fn parent() -> i64 {
    // SAFETY: the call touches no memory.
    unsafe { libc::syscall(libc::SYS_getppid) }
}

fn no_new_privs() -> io::Result<()> {
    // SAFETY: prctl with this command touches no memory.
    sys::check_int(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// A filter stays on its thread, so each try has one that ends with it.
fn on_thread<T: Send + 'static>(act: fn() -> io::Result<T>) -> Option<T> {
    let tried = thread::spawn(move || no_new_privs().and_then(|()| act()));
    tried.join().ok()?.ok()
}

/// `close_range(2)` that gives a process a descriptor table of its own (Linux 5.9): how the listener stays in init.
fn close_range() -> bool {
    on_thread(|| {
        // SAFETY: no descriptor has these numbers; the table that is unshared is this thread's copy.
        sys::check(unsafe {
            libc::syscall(
                libc::SYS_close_range,
                i32::MAX - 1,
                i32::MAX - 1,
                libc::CLOSE_RANGE_UNSHARE,
            )
        })
    })
    .is_some()
}

/// The value of a field of /proc/PID/status.
fn field<'a>(status: &'a [u8], name: &[u8]) -> &'a [u8] {
    status
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_default()
        .trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_answers_a_call_in_our_place_and_lets_the_next_one_through() {
        let tried = notify().unwrap();
        assert_eq!(tried.answered, ANSWER);
        assert_eq!(tried.continued, parent());
    }

    #[test]
    fn this_kernel_lets_a_filter_refuse_a_call_without_asking() {
        assert!(answers_alone());
        assert!(keeps_privileges_down() && adopts());
    }

    #[test]
    fn interfaces_are_told_by_name() {
        let text = b"Inter-|   Receive\n face |bytes\n    lo:  0 0\n  eth0: 1 2\n";
        let names: Vec<&[u8]> = interfaces(text).collect();
        assert_eq!(names, [&b"lo"[..], b"eth0"]);
    }

    #[test]
    fn a_field_of_status_is_found_by_its_whole_name() {
        assert_eq!(field(b"Name:\tx\nCapEff:\t00ff\n", b"CapEff:"), b"00ff");
        assert_eq!(field(b"Name:\tx\n", b"CapEff:"), b"");
    }
}
