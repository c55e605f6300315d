//! Leaves one of everything in its OUT_DIR.

#[path = "src/litter.rs"]
mod litter;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=script-acts");
    if !litter::is_awake() || !std::path::Path::new("script-acts").is_file() {
        return;
    }
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap());
    std::fs::write(out.join("whole"), "whole").unwrap();
    for kind in ["symlink", "fifo", "socket", "sparse", "deep", "names", "closed", "device"] {
        let told = litter::leave(kind, &out.join(kind), "/etc/hostname");
        println!("cargo:csbench-{kind}={told}");
    }
    let told = litter::leave("hardlink", &out.join("hardlink"), out.join("whole").to_str().unwrap());
    println!("cargo:csbench-hardlink={told}");
}
