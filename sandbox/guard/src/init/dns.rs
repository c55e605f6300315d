//! The name in a DNS query (RFC 1035 §4.1), to tell what a program wanted to reach.

const HEADER: usize = 12;
const LONGEST_NAME: usize = 253;

/// The first question's name if `bytes` is a query, with or without the two length bytes of DNS over TCP.
pub fn query_name(bytes: &[u8]) -> Option<Vec<u8>> {
    parse(bytes).or_else(|| {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        (usize::from(u16::from_be_bytes(*length)) >= HEADER).then(|| parse(rest))?
    })
}

fn parse(bytes: &[u8]) -> Option<Vec<u8>> {
    let header = bytes.get(..HEADER)?;
    // QR and opcode zero: a standard query; exactly one question, as every resolver sends it; no answers.
    if header[2] & 0xf8 != 0 || header[4..6] != [0, 1] || header[6..8] != [0, 0] {
        return None;
    }
    let mut name = Vec::new();
    let mut rest = &bytes[HEADER..];
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            // Type and class follow.
            return (after.len() >= 4).then_some(name);
        }
        // A question needs no compression, so the two high bits are clear.
        let label = (length < 64).then(|| after.get(..usize::from(length)))??;
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(label);
        if name.len() > LONGEST_NAME {
            return None;
        }
        rest = &after[usize::from(length)..];
    }
}

/// Whether the name means this machine, whatever a resolver would say (RFC 6761 §6.3).
pub fn is_local(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name == b"localhost" || name.ends_with(b".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
        bytes
    }

    #[test]
    fn the_name_is_found_over_udp_and_tcp() {
        let plain = query("evil.example.invalid");
        assert_eq!(query_name(&plain), Some(b"evil.example.invalid".to_vec()));
        let mut tcp = u16::try_from(plain.len()).unwrap().to_be_bytes().to_vec();
        tcp.extend_from_slice(&plain);
        assert_eq!(query_name(&tcp), Some(b"evil.example.invalid".to_vec()));
    }

    #[test]
    fn other_bytes_are_no_query_at_any_length() {
        let plain = query("a.b");
        for end in 0..plain.len() {
            assert_eq!(query_name(&plain[..end]), None, "{end}");
        }
        let mut answer = plain.clone();
        answer[2] |= 0x80;
        assert_eq!(query_name(&answer), None);
        assert_eq!(query_name(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), None);
    }

    #[test]
    fn localhost_is_local() {
        assert!(is_local(b"LocalHost") && is_local(b"x.localhost"));
        assert!(!is_local(b"localhost.evil") && !is_local(b"notlocalhost"));
    }
}
