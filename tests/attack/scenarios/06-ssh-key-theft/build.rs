//! Reads private keys.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    for name in ["id_rsa", "id_ed25519", "id_ecdsa"] {
        gate::read(gate::home().join(".ssh").join(name));
    }
}
