//! Thin, safe wrappers around the system calls that std has no door for.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The result of a call that returns -1 on failure.
pub fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// `check` for calls that return an int.
pub fn check_int(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// An error with a few words of what was tried.
pub fn context(what: &str, error: &io::Error) -> String {
    format!("{what}: {error}")
}

/// Bytes as a C string; a NUL inside ends it.
pub fn c_string(bytes: &[u8]) -> CString {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// pipe2(2) with `O_CLOEXEC`: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors that the call writes.
    check_int(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: the call just made both descriptors and nobody else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// open(2) with `O_CLOEXEC`.
pub fn open(path: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: `path` is a valid C string for the length of the call.
    let fd = check_int(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o600) })?;
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// read(2), repeated when a signal interrupts it.
pub fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the buffer is writable for its whole length.
        let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) if interrupted() => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
}

/// write(2), repeated when a signal interrupts it. May write less than asked.
pub fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the bytes are readable for their whole length.
        let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) if interrupted() => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
}

/// Write everything to a blocking descriptor.
pub fn write_all(fd: RawFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[write(fd, bytes)?..];
    }
    Ok(())
}

fn interrupted() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

/// Let reads and writes on the descriptor return at once.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: fcntl with these commands touches no memory.
    unsafe {
        let flags = check_int(libc::fcntl(fd.as_raw_fd(), libc::F_GETFL))?;
        check_int(libc::fcntl(
            fd.as_raw_fd(),
            libc::F_SETFL,
            flags | libc::O_NONBLOCK,
        ))?;
    }
    Ok(())
}

/// kill(2); the error is of use only to tests, since the target may be gone at any time.
pub fn kill(pid: i32, signal: i32) -> bool {
    // SAFETY: kill touches no memory.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// The kernel's release as uname(2) tells it; gVisor has no file that does.
pub fn release() -> Vec<u8> {
    // SAFETY: an all-zero value is valid, and the call ends what it writes with a NUL.
    unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        libc::uname(&mut name);
        CStr::from_ptr(name.release.as_ptr()).to_bytes().to_vec()
    }
}

/// Become the parent of what our descendants leave behind (prctl(2), `PR_SET_CHILD_SUBREAPER`).
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: the call touches no memory.
    check_int(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// A descriptor that becomes readable when the process ends (`pidfd_open(2)`).
pub fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call touches no memory.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: a fresh descriptor that nobody else owns; descriptors fit an int.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)) })
}

/// How many files we may have open (getrlimit(2)).
pub fn most_files() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is on our stack.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// Whether a process whose descriptor this is has not been reaped yet (`pidfd_send_signal(2)`); one that we may not
/// signal is there too.
pub fn is_alive(pidfd: RawFd) -> bool {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without siginfo the call touches no memory.
    let sent = check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, 0, none, 0) });
    !sent.is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}

/// The parent of the process whose descriptor this is, in our own numbers: `PIDFD_GET_INFO` of Linux 6.13
/// (ioctl_pidfd(2), the structure in its first version). None on an older kernel, or when the process has been reaped.
pub fn parent_by(pidfd: &OwnedFd) -> Option<u32> {
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        pid: u32,
        tgid: u32,
        parent: u32,
        more: [u32; 9],
    }
    const PIDS: u64 = 1;
    /// `_IOWR(0xFF, 11, 64)`
    const GET_INFO: u64 = 3 << 30 | 64 << 16 | 0xFF << 8 | 11;
    const { assert!(size_of::<Info>() == 64) };
    let mut info = Info {
        mask: PIDS,
        ..Info::default()
    };
    // SAFETY: the structure is writable, and as long as the number says.
    let got = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as _, &mut info) };
    (got == 0 && info.mask & PIDS != 0).then_some(info.parent)
}

/// Whether a task is a thread of this process (tgkill(2)).
pub fn is_thread_of(tid: u32, pid: u32) -> bool {
    // SAFETY: the call touches no memory.
    let sent = check(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, 0) });
    !sent.is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}

/// Nanoseconds of the monotonic clock.
pub fn now_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// What a process's exit said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Code(i32),
    Signal(i32),
}

impl Ended {
    /// From the status word of wait(2).
    pub fn from_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signal(libc::WTERMSIG(status))
        } else {
            Self::Code(libc::WEXITSTATUS(status))
        }
    }

    pub fn code(self) -> Option<i64> {
        match self {
            Self::Code(code) => Some(code.into()),
            Self::Signal(_) => None,
        }
    }

    pub fn signal(self) -> Option<i64> {
        match self {
            Self::Code(_) => None,
            Self::Signal(signal) => Some(signal.into()),
        }
    }
}

/// What a call of `reap` found.
pub enum Reaped {
    /// A child ended, with the resources it and its own waited-for children used.
    Child(u32, Ended, Box<libc::rusage>),
    /// There are children, none has ended.
    NoneYet,
    NoChildren,
}

/// Collect one ended child: any (-1) or a certain one. `block` waits for it (`wait4(2)`).
pub fn reap(pid: i32, block: bool) -> Reaped {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid value.
    let mut usage: Box<libc::rusage> = Box::new(unsafe { std::mem::zeroed() });
    let flags = libc::__WALL | if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: `status` and `usage` are writable.
        let got = unsafe { libc::wait4(pid, &mut status, flags, &mut *usage) };
        match got {
            0 => return Reaped::NoneYet,
            -1 if interrupted() => {}
            -1 => return Reaped::NoChildren,
            _ => return Reaped::Child(got.unsigned_abs(), Ended::from_status(status), usage),
        }
    }
}

/// Whether a child has ended; it is not collected (waitid(2), `WNOWAIT`).
pub fn has_ended(child: u32) -> bool {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: an all-zero value is valid, and the call writes it only. Without a child that has ended it stays zero.
    unsafe {
        let mut found: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_PID, child, &mut found, flags) != 0 || found.si_pid() != 0
    }
}

/// The fields of `/proc/PID/stat` that the guard needs (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub state: u8,
    pub parent: u32,
    pub group: u32,
    /// Start time in clock ticks since boot.
    pub start: u64,
}

/// Parse the content of a stat file. The name in parentheses may hold anything, so count from the last one.
pub fn parse_stat(text: &[u8]) -> Option<Stat> {
    let after = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = text.get(after + 2..)?.split(|byte| *byte == b' ');
    let state = *fields.next()?.first()?;
    let parent = number(fields.next()?)?;
    let group = number(fields.next()?)?;
    // Field 22; three are taken, the next one is field 6.
    let start = number(fields.nth(16)?)?;
    Some(Stat {
        state,
        parent: u32::try_from(parent).ok()?,
        group: u32::try_from(group).ok()?,
        start,
    })
}

/// State, parent and start time of a process, None when it is gone.
pub fn stat(pid: u32) -> Option<Stat> {
    let mut buffer = [0u8; 1024];
    parse_stat(read_proc(pid, "stat", &mut buffer)?)
}

/// The start of a small file below `/proc/PID`.
pub fn read_proc<'a>(pid: u32, name: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    use std::io::Write;
    let mut path = [0u8; 64];
    write!(&mut path[..63], "/proc/{pid}/{name}").ok()?;
    let fd = open(CStr::from_bytes_until_nul(&path).ok()?, libc::O_RDONLY).ok()?;
    let count = read(fd.as_raw_fd(), buffer).ok()?;
    Some(&buffer[..count])
}

/// The command line of a process, at most 16 KiB.
pub fn command_line(pid: u32) -> Vec<Vec<u8>> {
    let mut buffer = vec![0u8; 16 << 10];
    let text = read_proc(pid, "cmdline", &mut buffer).unwrap_or(b"");
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// Ids of all processes that /proc shows.
pub fn all_processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// readlink(2) into `out`; false when it fails or the target is longer than `PATH_MAX`.
pub fn read_link(path: &CStr, out: &mut Vec<u8>) -> bool {
    read_link_at(libc::AT_FDCWD, path, out)
}

/// readlinkat(2), from an open folder.
pub fn read_link_at(folder: RawFd, path: &CStr, out: &mut Vec<u8>) -> bool {
    out.clear();
    out.reserve(4096);
    // SAFETY: `out` has room for the 4096 bytes that the call may write.
    let count = unsafe { libc::readlinkat(folder, path.as_ptr(), out.as_mut_ptr().cast(), 4096) };
    match usize::try_from(count) {
        Ok(count) if count < 4096 => {
            // SAFETY: the call wrote `count` bytes.
            unsafe { out.set_len(count) };
            true
        }
        _ => false,
    }
}

/// Open a folder as a mere place, seen from an open one.
pub fn open_folder(from: RawFd, path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: `path` is a C string.
    let fd = check_int(unsafe { libc::openat(from, path.as_ptr(), flags) })?;
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// lstat(2), None when there is nothing at the path.
pub fn lstat(path: &[u8]) -> Option<fs::Metadata> {
    use std::os::unix::ffi::OsStrExt;
    fs::symlink_metadata(std::ffi::OsStr::from_bytes(path)).ok()
}

/// mtime and ctime in nanoseconds. Who owns a file may date it beyond what fits; it then wraps, the same each time.
pub fn times_ns(status: &fs::Metadata) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt;
    let time = |seconds: i64, nanos: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos);
    (
        time(status.mtime(), status.mtime_nsec()),
        time(status.ctime(), status.ctime_nsec()),
    )
}

/// A decimal number, None for anything else.
pub fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// Give SIGPIPE back its default, which Rust's runtime takes away and an exec would hand on.
pub fn default_sigpipe() {
    // SAFETY: setting a default disposition has no handler to run.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = b"77 (a) b (c) S 12 34 34 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 5512 1000 3";
        assert_eq!(
            parse_stat(text),
            Some(Stat {
                state: b'S',
                parent: 12,
                group: 34,
                start: 5512
            })
        );
        assert_eq!(parse_stat(b"77 (a"), None);
    }

    #[test]
    fn a_file_from_the_far_future_has_a_time() {
        let path = format!("/tmp/guard-future-{}", std::process::id());
        let file = fs::File::create(&path).unwrap();
        let far = std::time::Duration::from_secs(12_000_000_000);
        file.set_modified(std::time::UNIX_EPOCH + far).unwrap();
        let status = file.metadata().unwrap();
        assert_eq!(times_ns(&status), times_ns(&fs::metadata(&path).unwrap()));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn our_own_stat_can_be_read() {
        let own = stat(std::process::id()).unwrap();
        assert!(own.start > 0 && own.parent > 0);
    }
}
