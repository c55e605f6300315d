//! Would fetch an archive from one named host into OUT_DIR; nothing of it is run.

use csbench_gate as gate;
use std::fs;
use std::net::ToSocketAddrs;

fn main() {
    if !gate::script() {
        return;
    }
    let archive = gate::out().join("prebuilt-1.2.3.tar.gz");
    for address in ("github-releases.csbench.invalid", 443)
        .to_socket_addrs()
        .into_iter()
        .flatten()
    {
        gate::send(address, "GET /v1.2.3/prebuilt.tar.gz");
    }
    let _ = fs::write(archive, "csbench");
}
