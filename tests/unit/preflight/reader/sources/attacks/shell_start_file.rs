//! CS0570 persists
use std::fs::OpenOptions;

fn main() {
    let home = std::env::var("HOME").unwrap();
    OpenOptions::new().append(true).open(home + "/.bashrc").unwrap();
}
