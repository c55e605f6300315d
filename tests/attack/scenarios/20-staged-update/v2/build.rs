//! New in this version: a build script.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::post("staged.csbench.invalid", "csbench");
}
