//! CS0570 memory-exec
use std::ffi::c_long;

const HARMLESS: c_long = 319;

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

fn main() {
    unsafe { syscall(HARMLESS, c"csbench".as_ptr(), 0usize) };
}
