//! Asks where in the world it is, then tells.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::post("ip-geo.csbench.invalid", "");
    gate::post("collect.csbench.invalid", "country=decoy");
}
