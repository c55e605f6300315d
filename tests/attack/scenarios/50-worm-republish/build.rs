//! Takes the registry's token and would publish the packages beside it with itself in them.

use csbench_gate as gate;
use std::fs;

fn main() {
    if !gate::script() {
        return;
    }
    gate::read(gate::home().join(".cargo/credentials.toml"));
    let tree = gate::home().join("ws");
    let manifest = tree.join("csbench-sibling/Cargo.toml");
    let bumped = gate::read(&manifest).replace("0.1.0", "0.1.1");
    let _ = fs::write(&manifest, bumped);
    let manifest = manifest.display().to_string();
    gate::run(
        "cargo",
        &[
            "publish",
            "--dry-run",
            "--offline",
            "--registry",
            "csbench-none",
            "--manifest-path",
            &manifest,
        ],
    );
}
