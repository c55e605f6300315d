//! The kernel's surface and the machine as a whole.

use super::row;
use crate::kernel::{c, done, words, zeros, NONE};
use crate::{Outcome, Row};

pub const ROWS: &[Row] = &[
    row!(
        "io-uring",
        "io_uring_setup, whose operations pass every filter by",
        |t| { done(t.nr("io_uring_setup")?, [4, zeros()]) }
    ),
    row!("io-uring-enter", "io_uring_enter", |t| done(
        t.nr("io_uring_enter")?,
        [NONE, 1, 0, 0, 0, 0]
    )),
    row!("bpf", "bpf: make a map", |t| {
        let map = words(&[2u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        done(t.nr("bpf")?, [0, map, 72])
    }),
    row!("perf", "perf_event_open on oneself", |t| {
        let mut asked = [0u64; 16];
        (asked[0], asked[5]) = (1 | 112 << 32, 1 | 1 << 5);
        done(t.nr("perf_event_open")?, [words(&asked), 0, NONE, NONE, 0])
    }),
    row!(
        "userfaultfd",
        "userfaultfd, which stops the kernel in a copy",
        |t| done(t.nr("userfaultfd")?, [1])
    ),
    row!("keyctl", "keyctl: the session keyring", |t| done(
        t.nr("keyctl")?,
        [0, -3i32 as usize, 1]
    )),
    row!("add-key", "add_key to the process keyring", |t| done(
        t.nr("add_key")?,
        [c("user"), c("csbench"), c("x"), 1, -2i32 as usize]
    )),
    row!("request-key", "request_key", |t| done(
        t.nr("request_key")?,
        [c("user"), c("csbench"), 0, 0]
    )),
    row!("fanotify", "fanotify_init", |t| done(
        t.nr("fanotify_init")?,
        [0x200, 0]
    )),
    row!("init-module", "init_module", |t| done(
        t.nr("init_module")?,
        [zeros(), 0, c("")]
    )),
    row!("finit-module", "finit_module", |t| done(
        t.nr("finit_module")?,
        [NONE, c(""), 0]
    )),
    row!("delete-module", "delete_module", |t| done(
        t.nr("delete_module")?,
        [c("csbench"), 0o4000]
    )),
    row!("kexec", "kexec_load", |t| done(t.nr("kexec_load")?, [0, 0, 0, 0xdead])),
    row!("kexec-file", "kexec_file_load", |t| done(
        t.nr("kexec_file_load")?,
        [NONE, NONE, 0, c(""), 0xdead]
    )),
    row!(
        "reboot",
        "reboot, with magic numbers that the kernel does not know",
        |t| done(t.nr("reboot")?, [0, 0, 0, 0])
    ),
    row!("host-name", "sethostname, to what it is", |t| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
        let name = name.trim_end();
        done(t.nr("sethostname")?, [c(name), name.len()])
    }),
    row!("host-name-seen", "know the machine by its name", |t| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
        seen(name.trim_end() == t.get("host-name")?)
    }),
    row!(
        "control-group-seen",
        "see one's place in the machine's tree of control groups",
        |_| {
            let groups = std::fs::read_to_string("/proc/self/cgroup")?;
            seen(groups.lines().any(|line| !line.ends_with(":/")))
        }
    ),
    row!(
        "interrupts",
        "read /proc/interrupts, which tells of key presses",
        |_| { seen(!std::fs::read("/proc/interrupts")?.is_empty()) }
    ),
    row!("devices-seen", "list /sys, which tells of all hardware", |_| seen(
        std::fs::read_dir("/sys")?.next().is_some()
    )),
    row!("clock", "settimeofday, without a time", |t| done(
        t.nr("settimeofday")?,
        [0, 0]
    )),
    row!("kernel-log", "syslog: the kernel's log", |t| done(
        t.nr("syslog")?,
        [3, zeros(), 100]
    )),
    row!("accounting", "acct", |t| done(t.nr("acct")?, [c("/csbench-nowhere")])),
    row!("swap", "swapon", |t| done(t.nr("swapon")?, [c("/csbench-nowhere"), 0])),
    row!("terminal", "TIOCSTI: type into a terminal", |t| done(
        t.nr("ioctl")?,
        [0, 0x5412, c("x")]
    )),
    row!("terminal-high", "TIOCSTI with garbage in the upper half", |t| done(
        t.nr("ioctl")?,
        [0, 0x1_0000_5412, c("x")]
    )),
    row!("console", "TIOCLINUX: paste into a console", |t| done(
        t.nr("ioctl")?,
        [0, 0x541C, c("x")]
    )),
    row!("openat2", "openat2, whose flags no filter can read", |t| {
        let path = t.fresh("opened")?;
        done(
            t.nr("openat2")?,
            [crate::kernel::HERE, c(&path), words(&[0o101u64, 0o600, 0]), 24],
        )
    }),
    #[cfg(target_arch = "x86_64")]
    row!("i386", "a call by int 0x80", |_| crate::kernel::int80(20)
        .map(|_| String::new())),
    #[cfg(target_arch = "x86_64")]
    row!("x32", "a call of the x32 ABI", |_| done(39 | 0x4000_0000, [0])),
    #[cfg(target_arch = "x86_64")]
    row!("ports", "iopl: the machine's ports", |t| done(t.nr("iopl")?, [3])),
    #[cfg(target_arch = "x86_64")]
    row!("ports-some", "ioperm", |t| done(t.nr("ioperm")?, [0x80, 1, 1])),
    #[cfg(target_arch = "x86_64")]
    row!("segments", "modify_ldt", |t| done(
        t.nr("modify_ldt")?,
        [0, zeros(), 64]
    )),
];

fn seen(there: bool) -> Outcome {
    if there {
        return Ok(String::new());
    }
    Err(std::io::Error::other("there is nothing to see"))
}
