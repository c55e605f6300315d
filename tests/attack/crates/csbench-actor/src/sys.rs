//! Bare kernel calls, by number, also from forked children and through foreign entry points.

use crate::Outcome;
use std::ffi::{c_char, c_long, CString};
use std::io;

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

pub fn perform(verb: &str, args: &[&str]) -> Option<Outcome> {
    Some(match (verb, args) {
        ("call", [number, args @ ..]) => bare(number, args),
        ("call-in-child", [number, args @ ..]) => in_child(|| match bare(number, args) {
            Ok(_) => 0,
            Err(error) => error.raw_os_error().unwrap_or(255),
        }),
        ("fchmod", [number, mode, path]) => usize::from_str_radix(mode, 8)
            .map_err(io::Error::other)
            .and_then(|mode| crate::files::fchmod(path, mode, parse(number)?)),
        #[cfg(target_arch = "x86_64")]
        ("int80", [number]) => in_child(|| int80(parse(number).unwrap_or(0))),
        #[cfg(target_arch = "x86_64")]
        ("x32", [number]) => in_child(|| {
            let number = parse(number).unwrap_or(0) | 0x4000_0000;
            call(number, [0; 6]).map_or_else(|error| error.raw_os_error().unwrap_or(255), |_| 0)
        }),
        _ => return None,
    })
}

/// A call with up to six arguments: numbers, `buf` (4 KiB of zeros), `str:TEXT`, `words:N,N`, `pid:WHO`, and `pairs:K=V,K=V`
/// for strings that end with a NUL each, where `^` is a tab.
fn bare(number: &str, args: &[&str]) -> Outcome {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut values = [0usize; 6];
    for (value, arg) in values.iter_mut().zip(args) {
        let buffer = match arg.split_once(':') {
            None if *arg == "buf" => Some(vec![0; 4096]),
            Some(("str", text)) => Some([text.as_bytes(), b"\0"].concat()),
            Some(("pairs", text)) => Some(pairs(text)),
            Some(("words", list)) => {
                let words: io::Result<Vec<usize>> = list.split(',').map(parse).collect();
                Some(words?.into_iter().flat_map(usize::to_ne_bytes).collect())
            }
            _ => None,
        };
        *value = match buffer {
            Some(bytes) => {
                kept.push(bytes);
                kept[kept.len() - 1].as_ptr() as usize
            }
            None => match arg.strip_prefix("pid:") {
                Some(who) => crate::procs::pid(who)? as usize,
                None => parse(arg)?,
            },
        };
    }
    call(parse(number)?, values).map(|value| value.to_string())
}

fn pairs(text: &str) -> Vec<u8> {
    let ended: String = text.split(',').map(|pair| pair.replacen('=', "\0", 1) + "\0").collect();
    ended.replace('^', "\t").into_bytes()
}

/// A decimal, negative or 0x number.
pub fn parse(text: &str) -> io::Result<usize> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => text.parse(),
    };
    value
        .map(|value| value as usize)
        .map_err(|error| io::Error::other(format!("{text}: {error}")))
}

pub fn call(number: usize, a: [usize; 6]) -> io::Result<isize> {
    let value = unsafe { syscall(number as c_long, a[0], a[1], a[2], a[3], a[4], a[5]) };
    check(value as isize)
}

/// The value of a C function that gives -1 for an error.
pub fn check(value: impl TryInto<isize>) -> io::Result<isize> {
    match value.try_into() {
        Ok(-1) => Err(io::Error::last_os_error()),
        Ok(value) => Ok(value),
        Err(_) => Err(io::Error::other("a value out of range")),
    }
}

/// Fork, act in the child, and tell how it ended: `exit N` or `signal N`.
pub fn in_child(act: impl FnOnce() -> i32) -> Outcome {
    match check(unsafe { fork() })? {
        0 => {
            let code = act();
            unsafe { _exit(code) }
        }
        pid => {
            let mut status = 0;
            check(unsafe { waitpid(pid as i32, &mut status, 0) })?;
            Ok(if status & 0x7F == 0 {
                format!("exit {}", status >> 8)
            } else {
                format!("signal {}", status & 0x7F)
            })
        }
    }
}

/// A call through the 32-bit entry point, where other numbers mean other calls.
#[cfg(target_arch = "x86_64")]
fn int80(number: usize) -> i32 {
    let value: i64;
    unsafe {
        std::arch::asm!(
            "push rbx", "xor ebx, ebx", "int 0x80", "pop rbx",
            inlateout("rax") number as i64 => value, in("rcx") 0, in("rdx") 0, in("rsi") 0, in("rdi") 0
        );
    }
    if value < 0 {
        (-value) as i32
    } else {
        0
    }
}

pub fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// Become another program, with arguments; returns only the error.
pub fn exec(words: &[&str]) -> io::Error {
    let owned: Vec<CString> = words.iter().map(|word| c_string(word)).collect();
    let mut pointers: Vec<*const c_char> = owned.iter().map(|word| word.as_ptr()).collect();
    pointers.push(std::ptr::null());
    unsafe { execv(pointers[0], pointers.as_ptr()) };
    io::Error::last_os_error()
}

extern "C" {
    fn execv(path: *const c_char, argv: *const *const c_char) -> i32;
}
