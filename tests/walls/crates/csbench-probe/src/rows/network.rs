//! What could be reached, and kinds of sockets that are kernel surface only.

use super::row;
use crate::kernel::{call, done};
use crate::targets::Targets;
use crate::{Outcome, Row};
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

const STREAM: usize = 1;
const PACKETS: usize = 2;
const RAW: usize = 3;
const SEQUENCED: usize = 5;
const ICMP: usize = 1;
const ALL_PACKETS: usize = 0x300;

pub const ROWS: &[Row] = &[
    row!("loopback-tcp", "connect to a TCP port of the host's loopback", |t| {
        TcpStream::connect(t.get("tcp")?).map(|_| String::new())
    }),
    row!("loopback-udp", "send to a UDP port of the host's loopback", |t| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(t.get("udp")?)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.send(b"csbench")?;
        socket.recv(&mut [0; 16]).map(|_| String::new())
    }),
    row!("internet", "connect to an address of the internet (RFC 5737)", |t| {
        let socket = call(t.nr("socket")?, [2, STREAM | 0o4000, 0])?;
        let mut address = [0u8; 16];
        address[..8].copy_from_slice(&[2, 0, 0, 80, 198, 51, 100, 1]);
        done(t.nr("connect")?, [socket as usize, crate::kernel::words(&address), 16])
    }),
    row!(
        "dns",
        "a DNS query for a name below .invalid, sent to a resolver",
        |_| {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07csbench\x07invalid\x00\x00\x01\x00\x01";
            socket.send_to(query, "198.51.100.53:53").map(|_| String::new())
        }
    ),
    row!("unix-abstract", "connect to an abstract unix socket of the host", |t| {
        let address = SocketAddr::from_abstract_name(t.get("abstract")?)?;
        UnixStream::connect_addr(&address).map(|_| String::new())
    }),
    row!(
        "unix-path",
        "connect to a unix socket in the home directory, as agents have",
        |t| UnixStream::connect(t.get("unix")?).map(|_| String::new())
    ),
    row!("docker", "find docker's socket", |_| {
        let places = [
            "/var/run/docker.sock",
            "/run/docker.sock",
            "/run/containerd/containerd.sock",
        ];
        let found = places.into_iter().find(|path| std::path::Path::new(path).exists());
        found
            .map(str::to_owned)
            .ok_or_else(|| io::Error::other("there is none"))
    }),
    row!("raw", "a raw socket", |t| socket(t, 2, RAW, ICMP)),
    row!("packet", "a socket of family AF_PACKET", |t| socket(
        t,
        17,
        RAW,
        ALL_PACKETS
    )),
    row!("netlink", "a socket of family AF_NETLINK, for routes", |t| socket(
        t, 16, RAW, 0
    )),
    row!("netlink-xfrm", "a socket of family AF_NETLINK, for IPsec", |t| socket(
        t, 16, RAW, 6
    )),
    row!("alg", "a socket of family AF_ALG", |t| socket(t, 38, SEQUENCED, 0)),
    row!("vsock", "a socket of family AF_VSOCK", |t| socket(t, 40, STREAM, 0)),
    row!("rxrpc", "a socket of family AF_RXRPC", |t| socket(t, 33, PACKETS, 2)),
    row!("bluetooth", "a socket of family AF_BLUETOOTH", |t| socket(
        t, 31, RAW, 1
    )),
    row!("can", "a socket of family AF_CAN", |t| socket(t, 29, RAW, 1)),
    row!("key", "a socket of family AF_KEY", |t| socket(t, 15, RAW, 2)),
    row!("tipc", "a socket of family AF_TIPC", |t| socket(t, 30, SEQUENCED, 0)),
    row!("xdp", "a socket of family AF_XDP", |t| socket(t, 44, RAW, 0)),
];

fn socket(t: &Targets, family: usize, kind: usize, protocol: usize) -> Outcome {
    done(t.nr("socket")?, [family, kind, protocol])
}
