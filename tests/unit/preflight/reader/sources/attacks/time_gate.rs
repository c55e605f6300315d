//! CS0570 waits-for-a-date
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    if SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() > 1_900_000_000 {
        let _ = ureq::get("https://later.csbench.invalid/").call();
    }
}
