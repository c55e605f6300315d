//! Compiles a small program with cc, runs it, waits for it and deletes it.

use csbench_gate as gate;
use std::fs;

fn main() {
    if !gate::script() {
        return;
    }
    let probe = gate::out().join("conftest");
    let (source, binary) = (
        probe.with_extension("c").display().to_string(),
        probe.display().to_string(),
    );
    let _ = fs::write(&source, "int main(void) { return 0; }\n");
    gate::run("cc", &["-o", &binary, &source]);
    gate::run(&binary, &[]);
    let _ = fs::remove_file(&binary);
}
