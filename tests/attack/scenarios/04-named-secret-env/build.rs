//! Sends one variable away whose name says that it is a key.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    let key = std::env::var("CSBENCH_RPC_KEY").unwrap_or_default();
    gate::post("rpc-check.csbench.invalid", &key);
}
