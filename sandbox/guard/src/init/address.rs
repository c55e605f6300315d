//! Socket addresses as the kernel takes them (ip(7), ipv6(7), unix(7)).

use std::net::{Ipv4Addr, Ipv6Addr};

/// What an address says.
#[derive(Debug, PartialEq, Eq)]
pub enum Address {
    Inet {
        text: String,
        port: u16,
        local: bool,
        six: bool,
    },
    /// A path, or `@name` for an abstract one; empty for an unnamed one.
    Unix(Vec<u8>),
    Netlink,
    /// `AF_UNSPEC`: undo a connect.
    None,
    Other(u16),
}

/// Parse a `struct sockaddr`. None when it is too short to say anything.
pub fn parse(bytes: &[u8]) -> Option<Address> {
    let family = u16::from_ne_bytes(*bytes.first_chunk::<2>()?);
    Some(match i32::from(family) {
        libc::AF_UNSPEC => Address::None,
        libc::AF_UNIX => Address::Unix(unix(&bytes[2..])),
        libc::AF_NETLINK => Address::Netlink,
        libc::AF_INET => {
            let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
            let ip = Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?);
            Address::Inet {
                text: ip.to_string(),
                port,
                local: is_local(ip),
                six: false,
            }
        }
        libc::AF_INET6 => {
            let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
            let ip = Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?);
            let local = match ip.to_ipv4_mapped() {
                Some(four) => is_local(four),
                None => ip.is_loopback() || ip.is_unspecified(),
            };
            Address::Inet {
                text: ip.to_string(),
                port,
                local,
                six: true,
            }
        }
        _ => Address::Other(family),
    })
}

/// `parse` for the peer of a send: an IPv4 socket takes one without a family too (`udp_sendmsg` of Linux).
pub fn parse_sent(bytes: &[u8]) -> Option<Address> {
    const WHOLE: usize = size_of::<libc::sockaddr_in>();
    let bare = bytes.first_chunk::<2>() == Some(&[0, 0]);
    match bytes.first_chunk::<WHOLE>().filter(|_| bare) {
        Some(bytes) => {
            let mut bytes = *bytes;
            bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            parse(&bytes)
        }
        None => parse(bytes),
    }
}

/// To connect to 0.0.0.0 is to connect to this machine.
fn is_local(ip: Ipv4Addr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

fn unix(path: &[u8]) -> Vec<u8> {
    if let Some(name) = path.strip_prefix(b"\0") {
        return [b"@", name].concat();
    }
    path.split(|byte| *byte == 0).next().unwrap_or(b"").to_vec()
}

/// Name of an address family for the record.
pub fn family_name(family: i32) -> String {
    let name = match family {
        libc::AF_UNIX => "unix",
        libc::AF_INET => "inet",
        libc::AF_INET6 => "inet6",
        libc::AF_NETLINK => "netlink",
        libc::AF_PACKET => "packet",
        libc::AF_VSOCK => "vsock",
        libc::AF_ALG => "alg",
        libc::AF_BLUETOOTH => "bluetooth",
        libc::AF_CAN => "can",
        libc::AF_TIPC => "tipc",
        libc::AF_XDP => "xdp",
        libc::AF_KEY => "key",
        _ => return format!("family {family}"),
    };
    name.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(ip: [u8; 4], port: u16) -> Vec<u8> {
        [
            &(libc::AF_INET as u16).to_ne_bytes()[..],
            &port.to_be_bytes(),
            &ip,
            &[0; 8],
        ]
        .concat()
    }

    fn inet6(ip: &str, port: u16) -> Vec<u8> {
        let ip: Ipv6Addr = ip.parse().unwrap();
        [
            &(libc::AF_INET6 as u16).to_ne_bytes()[..],
            &port.to_be_bytes(),
            &[0; 4],
            &ip.octets(),
            &[0; 4],
        ]
        .concat()
    }

    fn is_local(bytes: &[u8]) -> bool {
        matches!(parse(bytes), Some(Address::Inet { local: true, .. }))
    }

    #[test]
    fn only_this_machine_is_local() {
        assert!(is_local(&inet([127, 9, 9, 9], 1)) && is_local(&inet([0, 0, 0, 0], 1)));
        assert!(!is_local(&inet([192, 0, 2, 1], 443)) && !is_local(&inet([128, 0, 0, 1], 1)));
        for local in ["::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"] {
            assert!(is_local(&inet6(local, 1)), "{local}");
        }
        for far in ["2001:db8::1", "::ffff:192.0.2.1", "fe80::1", "::2"] {
            assert!(!is_local(&inet6(far, 1)), "{far}");
        }
        let wanted = Address::Inet {
            text: "192.0.2.1".into(),
            port: 443,
            local: false,
            six: false,
        };
        assert_eq!(parse(&inet([192, 0, 2, 1], 443)), Some(wanted));
    }

    #[test]
    fn a_send_without_a_family_is_a_send_to_the_address() {
        let mut bytes = inet([192, 0, 2, 1], 443);
        let whole = parse(&bytes);
        bytes[..2].fill(0);
        assert_eq!(
            (parse(&bytes), parse_sent(&bytes)),
            (Some(Address::None), whole)
        );
        assert_eq!(parse_sent(&bytes[..15]), Some(Address::None));
        assert_eq!(parse_sent(&inet6("::1", 9)), parse(&inet6("::1", 9)));
    }

    #[test]
    fn unix_names_are_read_with_and_without_a_nul() {
        let unix = |path: &[u8]| parse(&[&(libc::AF_UNIX as u16).to_ne_bytes()[..], path].concat());
        assert_eq!(
            unix(b"/run/x\0rest"),
            Some(Address::Unix(b"/run/x".to_vec()))
        );
        assert_eq!(unix(b"/run/x"), Some(Address::Unix(b"/run/x".to_vec())));
        assert_eq!(unix(b"\0bus"), Some(Address::Unix(b"@bus".to_vec())));
        assert_eq!(unix(b""), Some(Address::Unix(vec![])));
    }

    #[test]
    fn a_short_address_says_nothing() {
        let whole = inet6("::1", 80);
        for end in 0..24 {
            let parsed = parse(&whole[..end]);
            assert!(parsed.is_none(), "{end}");
        }
    }
}
