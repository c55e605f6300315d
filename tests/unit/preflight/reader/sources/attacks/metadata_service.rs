//! CS0570 metadata-address
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

fn main() {
    let _ = TcpStream::connect(SocketAddr::from((Ipv4Addr::new(169, 254, 169, 254), 80)));
}
