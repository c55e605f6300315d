use almanac_derive::Row as DeriveRow;
use chrono::{DateTime, Utc};
use rusqlite::types::ToSql;
use serde::Serialize;

use crate::{Codec, Digest, Error, Result};

/// A struct that is one row of a table; made by `#[derive(Row)]`.
pub trait Row: Sized {
    /// The columns, in the order of the fields.
    const COLUMNS: &'static [&'static str];
    /// Selects all columns of all rows; a `WHERE` may be appended.
    const SELECT: &'static str;
    /// Inserts one row; takes [`values`](Self::values).
    const INSERT: &'static str;

    /// Reads one row of [`SELECT`](Self::SELECT).
    ///
    /// # Errors
    /// A column is missing or has the wrong type.
    fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self>;

    /// The fields' values, in order.
    fn values(&self) -> Vec<&dyn ToSql>;
}

/// A document as it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// What the user calls it; usually a path.
    pub name: String,
    /// Its bytes; need not be UTF-8.
    pub text: Vec<u8>,
}

impl Plain {
    /// A document of this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, DeriveRow, Serialize)]
#[row(table = "documents")]
pub struct Document {
    /// The digest of its plain text.
    pub digest: Digest,
    /// What the user calls it.
    pub name: String,
    /// When it was stored.
    pub added: DateTime<Utc>,
    /// Bytes of plain text.
    pub plain_size: i64,
    /// How `body` is compressed.
    pub codec: Codec,
    /// The compressed text.
    #[serde(skip)]
    pub body: Vec<u8>,
}

impl Document {
    /// Compresses `plain`.
    ///
    /// # Errors
    /// [`Error::Codec`] if compression fails.
    pub fn pack(plain: &Plain, codec: Codec, added: DateTime<Utc>) -> Result<Self> {
        Ok(Self {
            digest: Digest::of(&plain.text),
            name: plain.name.clone(),
            added,
            plain_size: i64::try_from(plain.text.len()).unwrap_or(i64::MAX),
            codec,
            body: codec.pack(&plain.text)?,
        })
    }

    /// The plain text, checked against the digest.
    ///
    /// # Errors
    /// [`Error::Codec`] or [`Error::Damaged`] if the body is not what was stored.
    pub fn unpack(&self) -> Result<Vec<u8>> {
        let text = self.codec.unpack(&self.body)?;
        if Digest::of(&text) == self.digest {
            Ok(text)
        } else {
            Err(Error::Damaged {
                name: self.name.clone(),
            })
        }
    }
}
