use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Serialize, Serializer};

use crate::{Error, Result};

/// The SHA-256 of a document's plain text; it is also the document's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut out = [0; 32];
        out.copy_from_slice(digest.as_ref());
        Self(out)
    }

    /// The digest's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hexadecimal digits: enough to tell a person's documents apart.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| Error::NoDigest)?;
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(pairs(digits)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(digest))
    }
}

fn nibble(digit: u8) -> Result<u8> {
    let value = char::from(digit).to_digit(16).ok_or(Error::NoDigest)?;
    u8::try_from(value).map_err(|_| Error::NoDigest)
}

#[rustversion::since(1.88)]
#[clippy::msrv = "1.88"]
fn pairs(digits: &[u8; 64]) -> impl Iterator<Item = &[u8; 2]> {
    digits.as_chunks().0.iter()
}

#[rustversion::before(1.88)]
fn pairs(digits: &[u8; 64]) -> impl Iterator<Item = &[u8]> {
    digits.chunks_exact(2)
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToSql for Digest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_slice().into())
    }
}

impl FromSql for Digest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn the_empty_text_has_the_known_digest() {
        let digest = Digest::of(b"");
        assert_eq!(digest.short(), "e3b0c442");
        assert!(digest.to_string().ends_with("7852b855"));
    }

    #[test]
    fn a_digest_can_be_read_back_from_its_text() {
        let digest = Digest::of(b"almanac");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("e3b0c442".parse::<Digest>().is_err());
        assert!("zz".repeat(32).parse::<Digest>().is_err());
    }
}
