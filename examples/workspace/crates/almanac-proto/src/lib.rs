//! The messages of an almanac export, generated from `proto/archive.proto`.

/// Version 1 of the export format.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/almanac.v1.rs"));
}

pub use prost::{DecodeError, Message};
pub use prost_types::Timestamp;

#[cfg(test)]
mod tests {
    use super::{Message, v1};

    #[test]
    fn an_archive_survives_encoding() {
        let archive = v1::Archive {
            written_by: "test".into(),
            documents: vec![v1::Document {
                name: "a.txt".into(),
                codec: v1::Codec::Zstd.into(),
                body: vec![1, 2, 3],
                ..Default::default()
            }],
            ..Default::default()
        };
        let bytes = archive.encode_to_vec();
        assert_eq!(v1::Archive::decode(bytes.as_slice()).unwrap(), archive);
    }

    #[test]
    fn garbage_is_refused() {
        assert!(v1::Archive::decode(&[0xff; 8][..]).is_err());
    }
}
