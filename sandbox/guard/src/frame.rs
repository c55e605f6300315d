//! The frames between host and guard: one type byte, the payload's length as little-endian u32, the payload.

/// Largest payload in bytes, in both directions.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Size of type and length.
pub const HEADER: usize = 5;

/// Append a whole frame.
pub fn push(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    debug_assert!(payload.len() <= MAX_PAYLOAD);
    out.push(kind);
    out.extend_from_slice(
        &u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    out.extend_from_slice(payload);
}

/// The stream announced a payload over the limit.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong(pub usize);

/// Cuts a byte stream into frames, whatever pieces it comes in.
#[derive(Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Add bytes as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, or None until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<(u8, &[u8])>, TooLong> {
        let rest = &self.buffer[self.start..];
        let Some((&kind, rest)) = rest.split_first() else {
            return Ok(None);
        };
        let Some((length, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_PAYLOAD {
            return Err(TooLong(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let begin = self.start + HEADER;
        self.start = begin + length;
        Ok(Some((kind, &self.buffer[begin..begin + length])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_whole_whatever_the_pieces() {
        let mut bytes = Vec::new();
        push(&mut bytes, b'I', b"hello");
        push(&mut bytes, b'Z', b"");
        for size in 1..bytes.len() {
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.feed(piece);
                while let Some((kind, payload)) = decoder.next_frame().unwrap() {
                    got.push((kind, payload.to_vec()));
                }
            }
            assert_eq!(got, [(b'I', b"hello".to_vec()), (b'Z', vec![])]);
        }
    }

    #[test]
    fn a_length_over_the_limit_is_an_error() {
        let mut decoder = Decoder::default();
        decoder.feed(&[b'C', 1, 0, 16, 0]);
        assert_eq!(decoder.next_frame(), Err(TooLong(MAX_PAYLOAD + 1)));
    }
}
