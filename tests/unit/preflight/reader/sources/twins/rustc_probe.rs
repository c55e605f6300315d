//! none
use std::process::{Command, Stdio};

fn main() {
    println!("cargo:rerun-if-changed=build/probe.rs");
    let rustc = std::env::var_os("RUSTC").unwrap();
    let out = std::env::var_os("OUT_DIR").unwrap();
    let status = Command::new(rustc).arg("--emit=metadata").arg("--out-dir").arg(&out).stderr(Stdio::null()).status();
    if status.is_ok_and(|one| one.success()) {
        println!("cargo:rustc-cfg=probed");
    }
    let _ = std::fs::remove_dir_all(out);
}
