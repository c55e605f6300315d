//! Makes the same system call many times and tells how long that took. For `scripts/bench guard`.
//!
//!     opens all SPEC...   a child process for each SPEC
//!     opens one SPEC      prints "SPEC NANOSECONDS"
//!
//! SPEC is MODE:THREADS:COUNT:PATH. MODE is `read` or `write` (open the file and close it) or `exec` (start the program
//! and wait for it); COUNT is shared by the threads. One open is one notified call; close is none.

use std::fs::OpenOptions;
use std::process::{exit, Command};
use std::time::Instant;

const WARM_UP: u64 = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("all") => {
            for spec in &arguments[2..] {
                let status = Command::new(&arguments[0]).args(["one", spec]).status();
                if !status.is_ok_and(|status| status.success()) {
                    exit(1);
                }
            }
        }
        Some("one") if arguments.len() == 3 => one(&arguments[2]),
        _ => exit(2),
    }
}

fn one(spec: &str) {
    let mut fields = spec.splitn(4, ':');
    let mut field = || fields.next().unwrap_or_else(|| exit(2));
    let (mode, threads, count, path) = (field(), field(), field(), field());
    let threads: u64 = threads.parse().unwrap_or_else(|_| exit(2));
    let each = count.parse::<u64>().unwrap_or_else(|_| exit(2)) / threads;
    act(mode, path, if mode == "exec" { 2 } else { WARM_UP });
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| act(mode, path, each));
        }
        act(mode, path, each);
    });
    println!("{spec} {}", begin.elapsed().as_nanos());
}

fn act(mode: &str, path: &str, count: u64) {
    let mut options = OpenOptions::new();
    match mode {
        "write" => options.write(true).create(true),
        _ => options.read(true),
    };
    for _ in 0..count {
        let done = match mode {
            "exec" => Command::new(path).status().map(drop),
            _ => options.open(path).map(drop),
        };
        if let Err(error) = done {
            eprintln!("{mode} {path}: {error}");
            exit(1);
        }
    }
}
