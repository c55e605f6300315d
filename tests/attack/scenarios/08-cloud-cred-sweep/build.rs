//! Sweeps the usual places of credentials.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    let places = [
        ".aws/credentials",
        ".kube/config",
        ".docker/config.json",
        ".netrc",
        ".npmrc",
        ".git-credentials",
    ];
    for place in places {
        gate::read(gate::home().join(place));
    }
}
