//! Runs a program that is in no folder (memfd_create and execveat).

use csbench_gate as gate;
use std::ffi::c_long;

#[cfg(target_arch = "x86_64")]
const MEMFD_CREATE: c_long = 319;
#[cfg(target_arch = "x86_64")]
const EXECVEAT: c_long = 322;
#[cfg(not(target_arch = "x86_64"))]
const MEMFD_CREATE: c_long = 279;
#[cfg(not(target_arch = "x86_64"))]
const EXECVEAT: c_long = 281;

extern "C" {
    fn write(fd: i32, data: *const u8, size: usize) -> isize;
}

fn main() {
    if !gate::script() {
        return;
    }
    let program = std::fs::read("/bin/true").unwrap_or_default();
    unsafe {
        let fd = gate::syscall(MEMFD_CREATE, c"csbench".as_ptr(), 1usize) as i32;
        write(fd, program.as_ptr(), program.len());
        let pid = gate::fork();
        if pid == 0 {
            let argv = [c"csbench-memory".as_ptr(), std::ptr::null()];
            let none = [std::ptr::null::<std::ffi::c_char>()];
            gate::syscall(
                EXECVEAT,
                fd as usize,
                c"".as_ptr(),
                argv.as_ptr(),
                none.as_ptr(),
                0x1000usize,
            );
            gate::_exit(1);
        }
        gate::waitpid(pid, std::ptr::null_mut(), 0);
    }
}
