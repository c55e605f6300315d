//! Key and value pairs as NUL-ended strings: the form of the config frame, of the roles file and of a unit's report.

use std::fmt;

/// The bytes are not pairs: a key without a value, or a last string without its NUL.
#[derive(Debug, PartialEq, Eq)]
pub struct PairError;

impl fmt::Display for PairError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a list of NUL-ended keys and values")
    }
}

/// A key and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// All pairs of `bytes`, in order. Keys may repeat.
pub fn parse(bytes: &[u8]) -> Result<Vec<Pair<'_>>, PairError> {
    let mut pairs = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (key, after) = cut(rest)?;
        let (value, after) = cut(after)?;
        pairs.push((key, value));
        rest = after;
    }
    Ok(pairs)
}

/// Append one pair. A NUL inside the value would end it early, so it is left out.
pub fn push(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.extend_from_slice(key.as_bytes());
    out.push(0);
    out.extend(value.iter().filter(|byte| **byte != 0));
    out.push(0);
}

/// Splits "a\tb" at its first tab.
pub fn two(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|byte| *byte == b'\t')?;
    Some((&value[..at], &value[at + 1..]))
}

fn cut(bytes: &[u8]) -> Result<(&[u8], &[u8]), PairError> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(PairError)?;
    Ok((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_back_in_order_and_may_repeat() {
        let mut bytes = Vec::new();
        push(&mut bytes, "arg", b"cargo");
        push(&mut bytes, "arg", b"");
        assert_eq!(
            parse(&bytes).unwrap(),
            [(&b"arg"[..], &b"cargo"[..]), (b"arg", b"")]
        );
    }

    #[test]
    fn a_key_without_a_value_or_without_its_end_is_refused() {
        assert_eq!(parse(b"arg\0"), Err(PairError));
        assert_eq!(parse(b"arg\0cargo"), Err(PairError));
        assert_eq!(parse(b""), Ok(vec![]));
    }

    #[test]
    fn a_nul_inside_a_value_cannot_start_a_new_pair() {
        let mut bytes = Vec::new();
        push(&mut bytes, "a", b"x\0status\x001");
        assert_eq!(parse(&bytes).unwrap(), [(&b"a"[..], &b"xstatus1"[..])]);
    }
}
