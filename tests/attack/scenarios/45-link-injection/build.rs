//! Has an object with a constructor linked into the program; it hides in a test's data, and no compiler made it here.

use csbench_gate as gate;
use std::fs;

fn main() {
    if !gate::script() {
        return;
    }
    let hidden = fs::read("tests/sample.bin").unwrap_or_default();
    let object: Vec<u8> = hidden.iter().map(|byte| byte ^ 0x55).collect();
    let out = gate::out().display().to_string();
    if std::env::var("TARGET").is_ok_and(|target| target == "x86_64-unknown-linux-gnu") {
        let _ = fs::write(format!("{out}/extra.o"), object);
        println!("cargo:rustc-link-arg={out}/extra.o");
    }
}
