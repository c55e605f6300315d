//! Is there really no network? An engine may have been asked for none and have given one all the same: a daemon that
//! does not know the word, or a patched one. Nobody but a process inside can always tell.

use super::settings::Settings;
use crate::sys;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const NAMES: &str = "/proc/self/net/dev";

/// What a container that was to have none has of network, in words; None when it has none, or was to have one.
pub fn too_much(settings: &Settings) -> Option<String> {
    if settings.broken("network") {
        return None;
    }
    match interfaces_up() {
        Ok(found) if found.is_empty() => None,
        Ok(found) => Some(format!(
            "the container has a network ({}) and was to have none",
            found.join(", ")
        )),
        Err(why) => Some(format!(
            "whether the container has a network can't be told: {why}"
        )),
    }
}

/// Interfaces that are up, but for loopback. A new namespace may hold others, of tunnels, that are down: to change that
/// takes a capability.
fn interfaces_up() -> Result<Vec<String>, String> {
    let text = std::fs::read(NAMES).map_err(|error| sys::context(NAMES, &error))?;
    let others = names(&text).filter(|name| *name != b"lo");
    let others: Vec<&[u8]> = others.collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let socket = socket().map_err(|error| sys::context("a socket", &error))?;
    let mut found = Vec::new();
    for name in others {
        let shown = String::from_utf8_lossy(name).into_owned();
        match is_up(&socket, name) {
            Ok(true) => found.push(shown),
            Ok(false) => {}
            Err(error) => return Err(sys::context(&shown, &error)),
        }
    }
    Ok(found)
}

/// The interfaces' names (proc_pid_net(5)): two lines of heading, then one line each, which begins with `NAME:`.
fn names(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n').skip(2);
    lines.filter_map(|line| {
        let end = line.iter().position(|byte| *byte == b':')?;
        Some(line[..end].trim_ascii())
    })
}

fn socket() -> io::Result<OwnedFd> {
    // SAFETY: the call touches no memory.
    let fd = sys::check_int(unsafe {
        libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
    })?;
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// netdevice(7), `SIOCGIFFLAGS`.
fn is_up(socket: &OwnedFd, name: &[u8]) -> io::Result<bool> {
    // SAFETY: plain numbers and characters, for which all zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    // SAFETY: the kernel writes no more than the request, which is ours.
    sys::check_int(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &mut request)
    })?;
    // SAFETY: the call has written the flags.
    let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
    Ok(flags & libc::IFF_UP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_read_from_the_kernels_table() {
        let text = b"Inter-|   Receive |  Transmit\n face |bytes |bytes\n    lo:   0  0\n  eth0: 12 1\nip6tnl0:0 0\n";
        let found: Vec<&[u8]> = names(text).collect();
        assert_eq!(found, [&b"lo"[..], b"eth0", b"ip6tnl0"]);
    }

    #[test]
    fn loopback_is_up_and_what_is_not_there_is_an_error() {
        let socket = socket().unwrap();
        assert!(is_up(&socket, b"lo").unwrap());
        assert!(is_up(&socket, b"csbench-none").is_err());
        assert!(is_up(&socket, b"a-name-that-is-far-too-long").is_err());
    }
}
