//! Bare kernel calls, and processes of their own for each try.

use crate::Outcome;
use std::ffi::{c_long, CString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn alarm(seconds: u32) -> u32;
    fn geteuid() -> u32;
    fn _exit(status: i32) -> !;
}

/// How a try ended: with its own words, or by a signal.
pub enum Ended {
    Told(String),
    Signal(i32),
}

const SECONDS: u32 = 5;

/// Act in a child, which is ended when it takes too long; gives the child's number too.
pub fn in_child(act: impl FnOnce() -> Outcome) -> io::Result<(i32, Ended)> {
    let (mut reader, mut writer) = io::pipe()?;
    let pid = check(unsafe { fork() } as isize)? as i32;
    if pid == 0 {
        unsafe { alarm(SECONDS) };
        let answer = match act() {
            Ok(seen) => format!("ok\t{seen}"),
            Err(error) => match error.raw_os_error() {
                Some(number) => format!("errno\t{number}"),
                None => format!("no\t{error}"),
            },
        };
        let written = writer.write_all(answer.as_bytes());
        unsafe { _exit(i32::from(written.is_err())) }
    }
    drop(writer);
    let mut told = String::new();
    reader.read_to_string(&mut told)?;
    let mut status = 0;
    check(unsafe { waitpid(pid, &mut status, 0) } as isize)?;
    let signal = status & 0x7F;
    Ok((
        pid,
        if signal == 0 {
            Ended::Told(told)
        } else {
            Ended::Signal(signal)
        },
    ))
}

/// A call by number.
pub fn call<const N: usize>(number: usize, args: [usize; N]) -> io::Result<isize> {
    let mut a = [0usize; 6];
    a[..N].copy_from_slice(&args);
    check(unsafe { syscall(number as c_long, a[0], a[1], a[2], a[3], a[4], a[5]) } as isize)
}

/// The same, for a row that has nothing else to say.
pub fn done<const N: usize>(number: usize, args: [usize; N]) -> Outcome {
    call(number, args).map(|value| value.to_string())
}

pub fn check(value: isize) -> io::Result<isize> {
    if value == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(value)
    }
}

/// A call that makes a process; the new one ends at once.
pub fn spawns<const N: usize>(number: usize, args: [usize; N]) -> Outcome {
    let pid = call(number, args)?;
    if pid == 0 {
        unsafe { _exit(0) }
    }
    check(unsafe { waitpid(pid as i32, std::ptr::null_mut(), 0) } as isize)?;
    Ok(String::new())
}

/// A call through the 32-bit entry point, where other numbers mean other calls. Its value is an errno when negative.
#[cfg(target_arch = "x86_64")]
pub fn int80(number: usize) -> io::Result<isize> {
    let value: i64;
    unsafe {
        std::arch::asm!(
            "push rbx", "xor ebx, ebx", "int 0x80", "pop rbx",
            inlateout("rax") number as i64 => value, in("rcx") 0, in("rdx") 0, in("rsi") 0, in("rdi") 0
        );
    }
    let value = value as i32;
    if value < 0 {
        Err(io::Error::from_raw_os_error(-value))
    } else {
        Ok(value as isize)
    }
}

pub fn effective_user() -> u32 {
    unsafe { geteuid() }
}

/// A C string's address; it lives as long as this process, which is not long.
pub fn c(text: &str) -> usize {
    CString::new(text).unwrap_or_default().into_raw() as usize
}

/// Zeros for the kernel to read or fill.
pub fn zeros() -> usize {
    vec![0u8; 4096].leak().as_mut_ptr() as usize
}

/// Words in memory.
pub fn words<T: Copy>(list: &[T]) -> usize {
    list.to_vec().leak().as_ptr() as usize
}

pub const HERE: usize = -100i32 as usize;
pub const NONE: usize = usize::MAX;

/// A copy of this program in memory, run from there.
pub fn run_from_memory(memfd_create: usize, execveat: usize) -> Outcome {
    let fd = call(memfd_create, [c("csbench"), 0])? as usize;
    let mut content = Vec::new();
    File::open("/bin/true")?.read_to_end(&mut content)?;
    unsafe { ManuallyDrop::new(File::from_raw_fd(fd as i32)) }.write_all(&content)?;
    let pid = check(unsafe { fork() } as isize)?;
    if pid == 0 {
        let argv = words(&[c("true"), 0]);
        let error = call(execveat, [fd, c(""), argv, 0, 0x1000]).err();
        unsafe { _exit(error.and_then(|error| error.raw_os_error()).unwrap_or(255)) }
    }
    let mut status = 0;
    check(unsafe { waitpid(pid as i32, &mut status, 0) } as isize)?;
    match status >> 8 {
        0 => Ok(String::new()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}
