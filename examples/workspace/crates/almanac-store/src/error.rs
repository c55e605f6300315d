use std::io;

/// What can go wrong in a [`Store`](crate::Store).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused something.
    #[error("the database refused")]
    Database(#[from] rusqlite::Error),
    /// The search pattern is not a regular expression.
    #[error("the pattern is not a regular expression")]
    Pattern(#[from] regex::Error),
    /// A document could not be compressed or expanded.
    #[error("{codec} failed")]
    Codec {
        /// The codec in use.
        codec: crate::Codec,
        /// What its library said.
        source: io::Error,
    },
    /// A document's text does not have the digest it was stored under.
    #[error("{name}: the stored text is damaged")]
    Damaged {
        /// The document's name.
        name: String,
    },
    /// A name that is not a codec.
    #[error("unknown codec `{0}`")]
    UnknownCodec(String),
    /// A text that is not 64 hexadecimal digits.
    #[error("not a digest")]
    NoDigest,
    /// Bytes that are not an archive.
    #[error("this is not an archive")]
    Archive(#[from] almanac_proto::DecodeError),
    /// An archive with a value that makes no sense.
    #[error("archive: {0}")]
    ArchiveValue(&'static str),
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
