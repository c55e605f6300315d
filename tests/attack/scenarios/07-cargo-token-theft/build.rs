//! Reads the token for the package registry.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    let token = std::env::var("CARGO_REGISTRY_TOKEN").unwrap_or_default();
    let _ = token + &gate::read(gate::home().join(".cargo/credentials.toml"));
}
