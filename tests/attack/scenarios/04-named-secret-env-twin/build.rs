//! Asks one named host for a release, with a read-only token in the header.

use csbench_gate as gate;
use std::net::ToSocketAddrs;

fn main() {
    if !gate::script() {
        return;
    }
    let token = std::env::var("READ_ONLY_GITHUB_TOKEN").unwrap_or_default();
    for address in ("api.releases.csbench.invalid", 443)
        .to_socket_addrs()
        .into_iter()
        .flatten()
    {
        gate::send(address, &format!("Authorization: Bearer {token}"));
    }
}
