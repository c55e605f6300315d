//! Acts on the network: one for each call that names a peer.

use crate::sys::check;
use crate::Outcome;
use std::ffi::c_void;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::time::Duration;

const WAIT: Duration = Duration::from_millis(700);
const MSG_FASTOPEN: i32 = 0x2000_0000;

pub fn perform(verb: &str, args: &[&str]) -> Option<Outcome> {
    Some(match (verb, args) {
        ("tcp", [addr]) => with(addr, |addr| TcpStream::connect_timeout(&addr, WAIT).and_then(greet)),
        ("udp", [addr]) => with(addr, |addr| {
            let socket = any_port(&addr)?;
            socket.connect(addr)?;
            socket.send(b"csbench").map(|_| String::new())
        }),
        ("sendto", [addr]) => with(addr, |addr| {
            any_port(&addr)?.send_to(b"csbench", addr).map(|_| String::new())
        }),
        ("sendto-bare", [addr]) => with(addr, bare),
        ("sendmsg", [addr]) => with(addr, |addr| message(addr, 0)),
        ("sendmmsg", [addr]) => with(addr, |addr| message(addr, 1)),
        ("sendmmsg-last", [addr]) => with(addr, |addr| message(addr, 20)),
        ("fastopen", [addr]) => with(addr, fast_open),
        ("query", [addr, name]) => with(addr, |addr| {
            any_port(&addr)?.send_to(&question(name), addr).map(|_| String::new())
        }),
        ("resolve", [name]) => (*name, 80)
            .to_socket_addrs()
            .map(|found| format!("{:?}", found.collect::<Vec<_>>())),
        ("unix", [path]) => UnixStream::connect(path).and_then(greet_unix),
        ("abstract", [name]) => UnixAddr::from_abstract_name(name)
            .and_then(|addr| UnixStream::connect_addr(&addr))
            .and_then(greet_unix),
        ("own-server", []) => own_server(),
        _ => return None,
    })
}

fn with(addr: &str, act: impl FnOnce(SocketAddr) -> Outcome) -> Outcome {
    act(addr.parse().map_err(io::Error::other)?)
}

fn any_port(peer: &SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind(if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })
}

fn greet(mut stream: TcpStream) -> Outcome {
    stream.write_all(b"csbench\n").map(|()| "connected".to_owned())
}

fn greet_unix(mut stream: UnixStream) -> Outcome {
    stream.write_all(b"csbench\n").map(|()| "connected".to_owned())
}

/// A server and a client within this process: loopback is the build's own.
fn own_server() -> Outcome {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(server.local_addr()?)?;
    client.write_all(b"hello")?;
    drop(client);
    let mut heard = String::new();
    server.accept()?.0.read_to_string(&mut heard)?;
    Ok(heard)
}

/// A DNS query for the A record of a name (RFC 1035, section 4).
fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap_or(0));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}

/// Data in the first packet of a TCP connection, by sendto alone.
fn fast_open(addr: SocketAddr) -> Outcome {
    let fd = check(unsafe { socket(family(&addr), 1, 0) })?;
    let fd = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).map_err(io::Error::other)?) };
    let peer = raw(addr);
    let sent = unsafe {
        sendto(
            fd.as_raw_fd(),
            c"csbench".as_ptr().cast(),
            7,
            MSG_FASTOPEN,
            peer.as_ptr().cast(),
            28,
        )
    };
    check(sent).map(|_| String::new())
}

/// A peer whose address has no family.
fn bare(addr: SocketAddr) -> Outcome {
    let (socket, mut peer) = (any_port(&addr)?, raw(addr));
    peer[..2].fill(0);
    let text = b"csbench";
    check(unsafe {
        sendto(
            socket.as_raw_fd(),
            text.as_ptr().cast(),
            text.len(),
            0,
            peer.as_ptr().cast(),
            16,
        )
    })
    .map(|_| String::new())
}

/// One message, or for `many` that number in one call: the last to `addr`, those before to loopback.
fn message(addr: SocketAddr, many: usize) -> Outcome {
    let socket = any_port(&addr)?;
    let (peer, near) = (raw(addr), raw(SocketAddr::from(([127, 0, 0, 1], 9))));
    let mut text = *b"csbench";
    let mut part = Part {
        base: text.as_mut_ptr().cast(),
        len: text.len(),
    };
    let header = Message {
        name: peer.as_ptr().cast(),
        name_len: if addr.is_ipv4() { 16 } else { 28 },
        parts: &mut part,
        count: 1,
        control: std::ptr::null(),
        control_len: 0,
        flags: 0,
    };
    if many > 0 {
        let before = Message {
            name: near.as_ptr().cast(),
            ..header
        };
        let mut list = vec![
            Counted {
                header: before,
                sent: 0
            };
            many - 1
        ];
        list.push(Counted { header, sent: 0 });
        let count = list.len() as u32;
        return check(unsafe { sendmmsg(socket.as_raw_fd(), list.as_mut_ptr(), count, 0) }).map(|_| String::new());
    }
    check(unsafe { sendmsg(socket.as_raw_fd(), &header, 0) }).map(|_| String::new())
}

fn family(addr: &SocketAddr) -> i32 {
    if addr.is_ipv4() {
        2
    } else {
        10
    }
}

/// struct sockaddr_in or sockaddr_in6, filled up to 28 bytes (ip(7), ipv6(7)).
fn raw(addr: SocketAddr) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[..2].copy_from_slice(&u16::try_from(family(&addr)).unwrap_or(0).to_ne_bytes());
    bytes[2..4].copy_from_slice(&addr.port().to_be_bytes());
    match addr.ip() {
        IpAddr::V4(ip) => bytes[4..8].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes[8..24].copy_from_slice(&ip.octets()),
    }
    bytes
}

#[repr(C)]
struct Part {
    base: *mut c_void,
    len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Message {
    name: *const c_void,
    name_len: u32,
    parts: *mut Part,
    count: usize,
    control: *const c_void,
    control_len: usize,
    flags: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Counted {
    header: Message,
    sent: u32,
}

extern "C" {
    fn socket(family: i32, kind: i32, protocol: i32) -> i32;
    fn sendto(fd: i32, data: *const c_void, size: usize, flags: i32, peer: *const c_void, peer_size: u32) -> isize;
    fn sendmsg(fd: i32, message: *const Message, flags: i32) -> isize;
    fn sendmmsg(fd: i32, messages: *mut Counted, count: u32, flags: i32) -> i32;
}
