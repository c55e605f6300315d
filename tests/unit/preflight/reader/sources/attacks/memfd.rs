//! CS0570 memory-exec
fn main() {
    unsafe {
        let fd = libc::memfd_create(c"csbench".as_ptr(), 0);
        libc::fexecve(fd, std::ptr::null(), std::ptr::null());
    }
}
