//! Would open and connect by io_uring, past who watches system calls.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    let mut settings = [0u8; 120];
    // io_uring_setup has one number on all architectures.
    let ring = unsafe { gate::syscall(425, 8usize, settings.as_mut_ptr()) };
    if ring >= 0 {
        gate::post("ring.csbench.invalid", "csbench");
    }
}
