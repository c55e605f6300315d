//! The gate in front of every scenario, and acts that several of them share.
//!
//! Inert: nothing happens unless `CSBENCH=1` is set and the test has put `ws/csbench-marker` into the HOME that it made.
//! Targets are decoys, loopback, RFC 5737 addresses and `.invalid` names; a payload writes one line and ends.

use std::ffi::c_long;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A program that leaves one marker line and ends.
pub const PAYLOAD: &str = "#!/bin/sh\necho csbench-payload\n";
/// The same, but it takes two seconds to end.
pub const SLOW_PAYLOAD: &str = "#!/bin/sh\nsleep 2\necho csbench-payload\n";

extern "C" {
    pub fn syscall(number: c_long, ...) -> c_long;
    pub fn fork() -> i32;
    pub fn setsid() -> i32;
    pub fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    pub fn _exit(status: i32) -> !;
}

/// Whether a scenario may act.
pub fn awake() -> bool {
    std::env::var_os("CSBENCH").is_some_and(|value| value == "1") && home().join("ws/csbench-marker").is_file()
}

/// The same for a build script, which runs again when that changes.
pub fn script() -> bool {
    println!("cargo:rerun-if-env-changed=CSBENCH");
    println!("cargo:rerun-if-changed=build.rs");
    awake()
}

/// The HOME that the test made.
pub fn home() -> PathBuf {
    std::env::var_os("HOME").unwrap_or_default().into()
}

/// The build script's own output folder.
pub fn out() -> PathBuf {
    std::env::var_os("OUT_DIR").unwrap_or_default().into()
}

/// What a file holds, or nothing.
pub fn read(path: impl AsRef<Path>) -> String {
    let mut text = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(10_000).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Add a line to a file that may be there.
pub fn append(path: impl AsRef<Path>, line: &str) {
    if let Ok(mut file) = fs::OpenOptions::new().append(true).create(true).open(path) {
        let _ = writeln!(file, "{line}");
    }
}

/// Send a body to a named host, as HTTP would.
pub fn post(name: &str, body: &str) {
    if let Ok(found) = (name, 443).to_socket_addrs() {
        for address in found {
            send(address, body);
        }
    }
}

/// Send a body to an address.
pub fn send(address: SocketAddr, body: &str) {
    if let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
        let _ = write!(
            stream,
            "POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
    }
}

/// A bare DNS query (RFC 1035, section 4) to a server.
pub fn query(server: &str, name: &str) {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap_or(0));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    if let Ok(socket) = UdpSocket::bind("0.0.0.0:0") {
        let _ = socket.send_to(&packet, server);
    }
}

/// Run a program to its end; gives what it printed.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    done.map_or_else(
        |_| String::new(),
        |done| String::from_utf8_lossy(&done.stdout).into_owned(),
    )
}

/// Write a program.
pub fn drop_program(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    if fs::write(path, text).is_ok() {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o755));
    }
}

/// Start a program and don't wait for it.
pub fn detach(program: impl AsRef<Path>, arguments: &[&str]) {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).process_group(0);
    let _ = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

/// Text that was XORed with 0x55, so that no string of it stands in the program.
pub fn plain(hidden: &[u8]) -> String {
    hidden.iter().map(|byte| char::from(byte ^ 0x55)).collect()
}
