//! Network acts. Loopback and local sockets pass; everything else is refused and told with address and name.

use super::address::{self, Address};
use super::dns;
use super::event::{By, Event};
use super::guard::{Answer, Call, Guard};
use super::memory;
use super::resolve::NoPath;
use super::unit::Role;
use super::writes::Verdict;
use crate::paths;

/// Longest address the kernel takes: `struct sockaddr_storage`.
const LONGEST_ADDRESS: usize = 128;
/// Bytes of a message that are looked at for a DNS query: a name and the header fit.
const QUERY: usize = 512;
/// Messages of one sendmmsg that the kernel takes (`UIO_MAXIOV`): all are looked at, since the last may be the one.
const MOST_MESSAGES: u64 = 1024;
/// Descriptors remembered as connected to a resolver; a build has a handful.
const MOST_RESOLVERS: usize = 4096;
const DOMAIN: u16 = 53;

/// One message of a send: where its bytes lie, and its address (pointer and length; null if it has none).
#[derive(Debug, Clone, Copy)]
pub struct Message {
    pub data: Option<(u64, u64)>,
    pub address: (u64, u64),
}

impl Guard {
    /// connect and bind: descriptor, address, length.
    pub fn address(&mut self, call: &Call<'_>, kind: &'static str) -> Answer {
        let key = (call.caller.pid, call.int(0));
        self.resolvers.remove(&key);
        match read_address(call, call.args[1], call.args[2], address::parse) {
            Err(error) => self.without_path(call, error, kind),
            Ok(Some(address)) => {
                let resolver = kind == "connect"
                    && matches!(
                        address,
                        Address::Inet {
                            port: DOMAIN,
                            local: true,
                            ..
                        }
                    );
                if resolver {
                    if self.resolvers.len() >= MOST_RESOLVERS {
                        self.resolvers.clear();
                    }
                    self.resolvers.insert(key);
                }
                self.judge_address(call, kind, &address)
            }
            // The kernel refuses an address that is too short.
            Ok(None) => self.count(call.caller),
        }
    }

    fn judge_address(&mut self, call: &Call<'_>, kind: &'static str, address: &Address) -> Answer {
        match address {
            Address::Inet {
                text,
                port,
                local,
                six,
            } => {
                let family = Some(if *six { "inet6" } else { "inet" });
                let event = Event {
                    kind,
                    addr: Some(text),
                    port: Some(*port),
                    family,
                    ..Event::default()
                };
                if !*local {
                    return self.deny(call.caller, libc::ENETUNREACH, &event);
                }
                if kind == "send" {
                    return self.count(call.caller);
                }
                self.allow(call.caller, &event)
            }
            Address::Unix(name) => self.unix(call, kind, name),
            Address::None | Address::Netlink => self.count(call.caller),
            Address::Other(family) => {
                let family = address::family_name(i32::from(*family));
                let event = Event {
                    kind,
                    family: Some(&family),
                    ..Event::default()
                };
                self.deny(call.caller, libc::ENETUNREACH, &event)
            }
        }
    }

    fn unix(&mut self, call: &Call<'_>, kind: &'static str, name: &[u8]) -> Answer {
        let listens = self.unit(call.caller).role != Role::Cargo;
        // The C library asks the name service cache before every look-up of a user.
        let routine =
            name.is_empty() || name == b"/var/run/nscd/socket" || name == b"/run/nscd/socket";
        if call.caller.guarding || !listens || routine {
            return self.count(call.caller);
        }
        let mut path = name.to_vec();
        let mut verdict = Verdict::List(None);
        if !name.starts_with(b"@") {
            let mut cwd = Vec::new();
            if !name.starts_with(b"/")
                && super::resolve::link(call.caller.tid, libc::AT_FDCWD, &mut cwd)
            {
                path = paths::normal(&cwd, name);
            }
            if kind == "bind" {
                verdict = self.judge_write(call.caller, &path, true, None);
            }
        }
        let denied = if let Verdict::Denied(by) = verdict {
            Some(by)
        } else {
            None
        };
        let event = Event {
            kind,
            path: Some(&path),
            family: Some("unix"),
            denied,
            ..Event::default()
        };
        if denied == Some(By::Landlock) && self.landlock < 1 {
            return self.deny(call.caller, libc::EACCES, &event);
        }
        self.allow(call.caller, &event)
    }

    /// sendmsg: descriptor, `struct msghdr`.
    pub fn send_message(&mut self, call: &Call<'_>) -> Answer {
        match read_message(call, call.args[1]) {
            Ok(message) => self.send(call, &[message]),
            Err(error) => self.without_path(call, error, "send"),
        }
    }

    /// sendmmsg: descriptor, array of `struct mmsghdr`, its length.
    pub fn send_messages(&mut self, call: &Call<'_>) -> Answer {
        const MMSGHDR: u64 = 64;
        let count = (call.args[2] & 0xffff_ffff).min(MOST_MESSAGES);
        let messages: Result<Vec<Message>, NoPath> = (0..count)
            .map(|index| read_message(call, call.args[1].wrapping_add(index * MMSGHDR)))
            .collect();
        match messages {
            Ok(messages) => self.send(call, &messages),
            Err(error) => self.without_path(call, error, "send"),
        }
    }

    /// Any send. One refused message refuses the call.
    pub fn send(&mut self, call: &Call<'_>, messages: &[Message]) -> Answer {
        let connected = self.resolvers.contains(&(call.caller.pid, call.int(0)));
        let mut answer = None;
        for message in messages {
            let (pointer, length) = message.address;
            let address = match read_address(call, pointer, length, address::parse_sent) {
                Ok(address) => address,
                Err(error) => return self.without_path(call, error, "send"),
            };
            let asks = match &address {
                Some(Address::Inet { port, .. }) => *port == DOMAIN,
                None => connected,
                Some(_) => false,
            };
            let refused = match (asks.then(|| query(call, message)).flatten(), &address) {
                (Some(name), _) if dns::is_local(&name) => None,
                (Some(name), address) => Some(self.refuse_query(call, &name, address.as_ref())),
                (
                    None,
                    Some(address @ (Address::Inet { local: false, .. } | Address::Other(_))),
                ) => Some(self.judge_address(call, "send", address)),
                (None, _) => None,
            };
            answer = answer.or(refused);
        }
        match answer {
            Some(answer) => answer,
            None => self.count(call.caller),
        }
    }

    fn refuse_query(&mut self, call: &Call<'_>, name: &[u8], address: Option<&Address>) -> Answer {
        let mut event = Event {
            kind: "dns",
            dns: Some(name),
            ..Event::default()
        };
        if let Some(Address::Inet {
            text, port, six, ..
        }) = address
        {
            event.addr = Some(text);
            event.port = Some(*port);
            event.family = Some(if *six { "inet6" } else { "inet" });
        }
        self.deny(call.caller, libc::ECONNREFUSED, &event)
    }
}

/// The address at a pointer; None when there is none or it is too short.
fn read_address(
    call: &Call<'_>,
    pointer: u64,
    length: u64,
    parse: fn(&[u8]) -> Option<Address>,
) -> Result<Option<Address>, NoPath> {
    let length = usize::try_from(length & 0xffff_ffff)
        .unwrap_or(0)
        .min(LONGEST_ADDRESS);
    if pointer == 0 || length < 2 {
        return Ok(None);
    }
    let mut bytes = [0u8; LONGEST_ADDRESS];
    memory::read(call.caller.tid, pointer, &mut bytes[..length])?;
    if !call.is_valid() {
        return Err(NoPath::Refused(libc::EPERM));
    }
    Ok(parse(&bytes[..length]))
}

/// `struct msghdr`: name, its length, the array of `struct iovec`, its length.
fn read_message(call: &Call<'_>, pointer: u64) -> Result<Message, NoPath> {
    let [name, name_length, vectors, count] = memory::words(call.caller.tid, pointer)?;
    let data = if count == 0 {
        None
    } else {
        let [base, length] = memory::words(call.caller.tid, vectors)?;
        Some((base, length))
    };
    Ok(Message {
        data,
        address: (name, name_length),
    })
}

/// The name that a message asks a resolver for.
fn query(call: &Call<'_>, message: &Message) -> Option<Vec<u8>> {
    let (pointer, length) = message.data?;
    let length = usize::try_from(length).unwrap_or(QUERY).min(QUERY);
    let mut bytes = [0u8; QUERY];
    memory::read(call.caller.tid, pointer, &mut bytes[..length]).ok()?;
    dns::query_name(&bytes[..length])
}
