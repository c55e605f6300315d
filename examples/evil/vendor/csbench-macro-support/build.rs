//! A build script with an honest part, a compiler probe as many crates have one, and a part that re-enacts an attack.

#[cfg(target_os = "linux")]
#[path = "build/reenactment.rs"]
mod reenactment;

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rustc-check-cfg=cfg(csbench_probe)");
    if probe() {
        println!("cargo::rustc-cfg=csbench_probe");
    }

    #[cfg(target_os = "linux")]
    reenactment::run();
}

fn probe() -> bool {
    let (Some(rustc), Some(out_dir)) = (env::var_os("RUSTC"), env::var_os("OUT_DIR")) else {
        return false;
    };
    Command::new(rustc)
        .args([
            "--edition=2024",
            "--crate-name=csbench_probe",
            "--crate-type=lib",
            "--emit=metadata",
        ])
        .arg("--out-dir")
        .arg(out_dir)
        .arg(Path::new("build").join("probe.rs"))
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
