//! none
use std::process::Command;

fn main() {
    let probe = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("conftest");
    Command::new("cc").arg("-o").arg(&probe).arg("conftest.c").status().unwrap();
    Command::new(&probe).status().unwrap();
    std::fs::remove_file(&probe).unwrap();
}
