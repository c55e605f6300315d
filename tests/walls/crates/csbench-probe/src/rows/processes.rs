//! Other processes: `boss` is one of the same user that is none of ours, inside a container cargo itself.

use super::row;
use crate::kernel::{call, done, words, zeros};
use crate::targets::Targets;
use crate::{Outcome, Row};
use std::fs::{self, File};
use std::io;

const SEIZE: usize = 0x4206;
const FILE_SIZE: usize = 1;
const CORE_SIZE: usize = 4;
const PROCESSES: usize = 6;

pub const ROWS: &[Row] = &[
    row!("ptrace", "PTRACE_SEIZE of another process", |t| done(
        t.nr("ptrace")?,
        [SEIZE, t.number("boss")?, 0, 0]
    )),
    row!("ptrace-me", "PTRACE_TRACEME", |t| done(t.nr("ptrace")?, [0, 0, 0, 0])),
    row!("vm-read", "process_vm_readv", |t| vm(t, "process_vm_readv")),
    row!("vm-write", "process_vm_writev", |t| vm(t, "process_vm_writev")),
    row!("proc-mem", "open /proc/PID/mem of another process", |t| open_proc(
        t, "mem"
    )),
    row!(
        "proc-environ",
        "read the environment of another process",
        |t| open_proc(t, "environ")
    ),
    row!("pidfd-getfd", "take a descriptor from another process", |t| {
        let fd = call(t.nr("pidfd_open")?, [t.number("boss")?, 0])?;
        done(t.nr("pidfd_getfd")?, [fd as usize, 0, 0])
    }),
    row!("prlimit", "change a limit of another process", |t| {
        let old = zeros();
        let boss = t.number("boss")?;
        call(t.nr("prlimit64")?, [boss, CORE_SIZE, 0, old])?;
        done(t.nr("prlimit64")?, [boss, CORE_SIZE, old, 0])
    }),
    row!("signal", "signal another process", |t| done(
        t.nr("kill")?,
        [t.number("boss")?, 0]
    )),
    row!("signal-pidfd", "signal another process by descriptor", |t| {
        let fd = call(t.nr("pidfd_open")?, [t.number("boss")?, 0])?;
        done(t.nr("pidfd_send_signal")?, [fd as usize, 0, 0, 0])
    }),
    row!("signal-first", "signal the first process", |t| done(
        t.nr("kill")?,
        [1, 0]
    )),
    row!("host-process", "see a process of the host", |t| see_process(
        t.get("host-mark")?
    )),
    row!(
        "descriptors",
        "a descriptor above 2 that nobody gave on purpose",
        |_| descriptors()
    ),
    row!("limit-file", "lift the limit of a file's size", |t| raise(t, FILE_SIZE)),
    row!("limit-processes", "lift the limit of processes", |t| raise(
        t, PROCESSES
    )),
    row!("limit-core", "allow core dumps", |t| raise(t, CORE_SIZE)),
    row!("memory-file", "run a program that was never a file", |t| {
        crate::kernel::run_from_memory(t.nr("memfd_create")?, t.nr("execveat")?)
    }),
    row!("own-filter", "a seccomp filter of one's own", |t| {
        let allow = words(&[6u64 | 0x7fff_0000 << 32]);
        let program = words(&[1usize, allow]);
        no_new_privileges(t)?;
        done(t.nr("seccomp")?, [1, 0, program])
    }),
    row!("own-filter-prctl", "the same by prctl", |t| {
        let allow = words(&[6u64 | 0x7fff_0000 << 32]);
        let program = words(&[1usize, allow]);
        no_new_privileges(t)?;
        done(t.nr("prctl")?, [22, 2, program])
    }),
    row!("hide", "hide from the recorder: PR_SET_DUMPABLE 0", |t| done(
        t.nr("prctl")?,
        [4, 0]
    )),
    row!("personality", "READ_IMPLIES_EXEC", |t| done(
        t.nr("personality")?,
        [0x40_0000]
    )),
    row!("shared-memory", "System V shared memory of the host", |t| done(
        t.nr("shmget")?,
        [t.number("shm-key")?, 0, 0]
    )),
];

fn no_new_privileges(t: &Targets) -> io::Result<()> {
    call(t.nr("prctl")?, [38, 1, 0, 0, 0]).map(drop)
}

/// Eight bytes where every program has some: at the begin of its first mapping, which is nobody's to write.
fn vm(t: &Targets, name: &str) -> Outcome {
    let boss = t.number("boss")?;
    let maps = fs::read_to_string(format!("/proc/{boss}/maps")).unwrap_or_default();
    let stack = maps.lines().find(|line| line.ends_with("[stack]")).unwrap_or_default();
    let end = stack.split([' ', '-']).nth(1).unwrap_or("1000");
    let address = usize::from_str_radix(end, 16).map_err(io::Error::other)? - 8;
    let (local, remote) = (words(&[zeros(), 8]), words(&[address, 8]));
    // The last word of a stack is zero, and stays so.
    done(t.nr(name)?, [boss, local, 1, remote, 1, 0])
}

fn open_proc(t: &Targets, name: &str) -> Outcome {
    let path = format!("/proc/{}/{name}", t.get("boss")?);
    if name == "mem" {
        File::options().write(true).open(path)?;
    } else {
        fs::read(path)?;
    }
    Ok(String::new())
}

fn see_process(mark: &str) -> Outcome {
    for entry in fs::read_dir("/proc")?.flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let own = entry.file_name().to_string_lossy() == std::process::id().to_string();
        if !own && String::from_utf8_lossy(&line).contains(mark) {
            return Ok(entry.path().display().to_string());
        }
    }
    Err(io::Error::other("none is seen"))
}

/// The jobserver's are given on purpose, and the pipe that this process answers through is our own.
fn descriptors() -> Outcome {
    let flags = std::env::var("CARGO_MAKEFLAGS").unwrap_or_default();
    let jobs = flags.split(' ').find_map(|word| word.strip_prefix("--jobserver-auth="));
    let given: Vec<&str> = jobs.map(|pair| pair.split(',').collect()).unwrap_or_default();
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let number = entry.file_name().to_string_lossy().into_owned();
        let link = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
        let own = link.starts_with("pipe:") || link.contains("/proc/") || link.contains("csbench-out");
        if !own && !given.contains(&number.as_str()) && !["0", "1", "2"].contains(&number.as_str()) {
            return Ok(format!("{number}={link}"));
        }
    }
    Err(io::Error::other("none is open"))
}

/// Take a hard limit away. Where there is none, this changes nothing.
fn raise(t: &Targets, resource: usize) -> Outcome {
    let none = words(&[u64::MAX, u64::MAX]);
    done(t.nr("prlimit64")?, [0, resource, none, 0])
}
