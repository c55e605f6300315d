//! Waits before it acts, and waits for a date to do more.

use csbench_gate as gate;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const YEAR_2090: u64 = 3_786_912_000;

fn main() {
    if !gate::script() {
        return;
    }
    std::thread::sleep(Duration::from_secs(2));
    gate::post("after-two-seconds.csbench.invalid", "csbench");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    if now > YEAR_2090 {
        gate::post("after-the-date.csbench.invalid", "csbench");
    }
}
