//! A test that makes a project of its own and has cargo build it, as trybuild does.

use csbench_gate as gate;
use std::{env, fs};

#[test]
fn ui() {
    if !gate::awake() {
        return;
    }
    let here = env!("CARGO_MANIFEST_DIR");
    let scratch = format!("{}/csbench-scratch", env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(format!("{scratch}/src")).unwrap();
    fs::write(format!("{scratch}/src/lib.rs"), "").unwrap();
    let needs = format!("[dependencies]\ncsbench-nested-dep = {{ path = \"{here}/../evil\" }}\n");
    let manifest = format!("[package]\nname = \"csbench-scratch\"\nversion = \"0.0.0\"\n\n[workspace]\n\n{needs}");
    fs::write(format!("{scratch}/Cargo.toml"), manifest).unwrap();
    let cargo = env::var("CARGO").unwrap_or("cargo".into());
    let target = format!("{scratch}/target");
    let told = gate::run(
        &cargo,
        &[
            "build",
            "--offline",
            "--manifest-path",
            &format!("{scratch}/Cargo.toml"),
            "--target-dir",
            &target,
        ],
    );
    println!("{told}");
}
