//! Acts only on a machine that looks like somebody's own.

use csbench_gate as gate;
use std::path::Path;

fn main() {
    if !gate::script() {
        return;
    }
    let uptime: f64 = gate::read("/proc/uptime")
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.0);
    let first = gate::read("/proc/1/comm");
    let contained = Path::new("/.dockerenv").exists() || gate::read("/proc/self/cgroup").contains("docker");
    if std::env::var_os("CI").is_none() && !contained && uptime > 600.0 && ["systemd", "init"].contains(&first.trim()) {
        gate::post("own-machine.csbench.invalid", "csbench");
    }
}
