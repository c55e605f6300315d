use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use almanac_proto::v1;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a document's text is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// As it is.
    Plain,
    /// zlib, through flate2.
    Zlib,
    /// bzip2.
    Bzip2,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// All codecs, simplest first.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Zlib, Self::Bzip2, Self::Zstd];

    /// The name that the command line and the database use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Zlib => "zlib",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses `plain`.
    ///
    /// # Errors
    /// [`Error::Codec`] if the codec's library fails.
    pub fn pack(self, plain: &[u8]) -> Result<Vec<u8>> {
        self.try_pack(plain).map_err(|source| self.error(source))
    }

    /// Expands what [`pack`](Self::pack) made.
    ///
    /// # Errors
    /// [`Error::Codec`] if `packed` is damaged.
    pub fn unpack(self, packed: &[u8]) -> Result<Vec<u8>> {
        self.try_unpack(packed).map_err(|source| self.error(source))
    }

    fn try_pack(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(plain.to_vec()),
            Self::Zlib => {
                let mut encoder =
                    flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Bzip2 => {
                let mut encoder =
                    bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Zstd => zstd::encode_all(plain, zstd::DEFAULT_COMPRESSION_LEVEL),
        }
    }

    fn try_unpack(self, packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        match self {
            Self::Plain => plain.extend_from_slice(packed),
            Self::Zlib => {
                flate2::read::ZlibDecoder::new(packed).read_to_end(&mut plain)?;
            }
            Self::Bzip2 => {
                bzip2::read::BzDecoder::new(packed).read_to_end(&mut plain)?;
            }
            Self::Zstd => plain = zstd::decode_all(packed)?,
        }
        Ok(plain)
    }

    fn error(self, source: io::Error) -> Error {
        Error::Codec {
            codec: self,
            source,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| Error::UnknownCodec(name.to_owned()))
    }
}

impl ToSql for Codec {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for Codec {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

impl From<Codec> for v1::Codec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Plain => Self::Plain,
            Codec::Zlib => Self::Zlib,
            Codec::Bzip2 => Self::Bzip2,
            Codec::Zstd => Self::Zstd,
        }
    }
}

impl TryFrom<v1::Codec> for Codec {
    type Error = Error;

    fn try_from(codec: v1::Codec) -> Result<Self> {
        match codec {
            v1::Codec::Unspecified => Err(Error::ArchiveValue("a document has no codec")),
            v1::Codec::Plain => Ok(Self::Plain),
            v1::Codec::Zlib => Ok(Self::Zlib),
            v1::Codec::Bzip2 => Ok(Self::Bzip2),
            v1::Codec::Zstd => Ok(Self::Zstd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Codec;

    #[test]
    fn every_codec_gives_back_what_it_took() {
        let plain = b"the quick brown fox jumps over the lazy dog. ".repeat(200);
        for codec in Codec::ALL {
            let packed = codec.pack(&plain).unwrap();
            assert_eq!(codec.unpack(&packed).unwrap(), plain, "{codec}");
            if codec != Codec::Plain {
                assert!(packed.len() < plain.len() / 10, "{codec}: {}", packed.len());
            }
        }
    }

    #[test]
    fn every_name_is_understood_again() {
        for codec in Codec::ALL {
            assert_eq!(codec.name().parse::<Codec>().unwrap(), codec);
        }
        assert!("lzma".parse::<Codec>().is_err());
    }

    #[test]
    fn garbage_is_an_error_that_names_the_codec() {
        let error = Codec::Zstd.unpack(b"not zstd at all").unwrap_err();
        assert_eq!(error.to_string(), "zstd failed");
    }
}
