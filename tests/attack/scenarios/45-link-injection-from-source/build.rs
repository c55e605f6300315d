//! Has an object with a constructor linked into the program.

use csbench_gate as gate;
use std::fs;

fn main() {
    if !gate::script() {
        return;
    }
    let out = gate::out().display().to_string();
    let source = "__attribute__((constructor)) static void csbench(void) {}\n";
    let _ = fs::write(format!("{out}/extra.c"), source);
    gate::run(
        "cc",
        &["-c", "-o", &format!("{out}/extra.o"), &format!("{out}/extra.c")],
    );
    println!("cargo:rustc-link-arg={out}/extra.o");
}
