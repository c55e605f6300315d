//! A build script that opens files without end. For `scripts/bench flood`, which knows this arithmetic too.
//!
//! Of five opens one is for writing, one reads what the script itself has written (the guard only counts that), and
//! three read files that belong to nobody (listed).

use std::fs::{create_dir, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

const OPENS: usize = include!("opens.in");
const FILES: usize = include!("files.in");

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let own = Path::new(&std::env::var_os("OUT_DIR").unwrap()).join("flood");
    let others = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("shared");
    create_dir(&own).unwrap();
    // Not File::create: some file systems send a file that is emptied and written again to the disk at once.
    let mut writing = OpenOptions::new();
    writing.write(true).create(true);
    let mut buffer = [0; 16];
    for number in 0..FILES + OPENS {
        let name = format!("f{}", number % FILES);
        match number % 5 {
            kind if kind == 0 || number < FILES => writing.open(own.join(name)).unwrap().write_all(b"flood").unwrap(),
            1 => drop(File::open(own.join(name)).unwrap().read(&mut buffer).unwrap()),
            _ => drop(File::open(others.join(name)).unwrap().read(&mut buffer).unwrap()),
        }
    }
}
