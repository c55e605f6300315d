//! Plants a git hook, and a setting that leads to others.

use csbench_gate as gate;
use std::fs;

fn main() {
    if !gate::script() {
        return;
    }
    let tree = gate::home().join("ws");
    let _ = fs::create_dir_all(tree.join(".git/hooks"));
    gate::drop_program(tree.join(".git/hooks/pre-commit"), gate::PAYLOAD);
    let tree = tree.display().to_string();
    gate::run("git", &["-C", &tree, "config", "core.hooksPath", "/tmp/csbench-hooks"]);
}
