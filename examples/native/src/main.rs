//! Says what it was linked with.

use std::ffi::{CStr, c_char};

#[allow(dead_code, non_camel_case_types, non_snake_case, non_upper_case_globals, clippy::all)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/note.bin"));

fn text(pointer: *const c_char) -> &'static str {
    // SAFETY: the libraries' functions below give constant strings.
    unsafe { CStr::from_ptr(pointer) }.to_str().expect("plain ASCII")
}

fn main() {
    let numbers = [1, 2, 3, 4];
    // SAFETY: the pointer is that of `numbers`, with its length.
    let sum = unsafe { bindings::native_sum(numbers.as_ptr(), numbers.len()) };
    // SAFETY: takes two numbers.
    let scaled = unsafe { bindings::native_scale(sum, 2) };
    println!("sum {sum}, scaled {scaled}");
    // SAFETY: these take nothing, or a number that selects the string.
    unsafe {
        println!("sqlite {}", text(bindings::sqlite3_libversion()));
        println!("zlib {}", text(bindings::zlibVersion()));
        println!("{}", text(bindings::OpenSSL_version(0)));
    }
    let known = DESCRIPTORS.windows(25).any(|window| window == b"google/protobuf/timestamp");
    println!("protoc: {}", if known { "with its own types" } else { "without its own types" });
}
