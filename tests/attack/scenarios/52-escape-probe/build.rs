//! Looks for ways out of a container.

use csbench_gate as gate;
use std::os::unix::net::UnixStream;

extern "C" {
    fn unshare(flags: i32) -> i32;
    fn mount(
        from: *const std::ffi::c_char,
        to: *const std::ffi::c_char,
        kind: *const std::ffi::c_char,
        flags: u64,
        data: *const u8,
    ) -> i32;
}

fn main() {
    if !gate::script() {
        return;
    }
    let _ = UnixStream::connect("/var/run/docker.sock");
    gate::read("/proc/1/root/etc/hostname");
    unsafe {
        unshare(0x1000_0000);
        mount(
            c"none".as_ptr(),
            c"/mnt".as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            std::ptr::null(),
        );
    }
    gate::append("/proc/sys/kernel/core_pattern", "|/bin/true");
}
