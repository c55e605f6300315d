use almanac_proto::{Message, Timestamp, v1};
use chrono::{DateTime, Utc};

use crate::{Added, Digest, Document, Error, Result, Store};

impl Store {
    /// All documents as one protobuf message (`almanac.v1.Archive`).
    ///
    /// # Errors
    /// SQLite refuses, or a row is damaged.
    pub fn export(&self, written_by: &str) -> Result<Vec<u8>> {
        let archive = v1::Archive {
            written_by: written_by.to_owned(),
            written_at: Some(timestamp(Utc::now())),
            documents: self
                .documents()?
                .into_iter()
                .map(v1::Document::from)
                .collect(),
        };
        Ok(archive.encode_to_vec())
    }

    /// Adds the documents of an [`export`](Self::export); each must have the text that its digest promises.
    ///
    /// # Errors
    /// The bytes are no archive or a document is damaged; then nothing is stored.
    pub fn import(&mut self, archive: &[u8]) -> Result<Added> {
        let archive = v1::Archive::decode(archive)?;
        let documents: Vec<Document> = archive
            .documents
            .into_iter()
            .map(Document::try_from)
            .collect::<Result<_>>()?;
        for document in &documents {
            document.unpack()?;
        }
        self.insert(&documents)
    }
}

impl From<Document> for v1::Document {
    fn from(document: Document) -> Self {
        Self {
            name: document.name,
            digest: document.digest.as_bytes().to_vec(),
            added_at: Some(timestamp(document.added)),
            plain_size: u64::try_from(document.plain_size).unwrap_or(0),
            codec: v1::Codec::from(document.codec).into(),
            body: document.body,
        }
    }
}

impl TryFrom<v1::Document> for Document {
    type Error = Error;

    fn try_from(message: v1::Document) -> Result<Self> {
        let digest: [u8; 32] = message
            .digest
            .as_slice()
            .try_into()
            .map_err(|_| Error::ArchiveValue("a digest is not 32 bytes long"))?;
        let added = message
            .added_at
            .and_then(|at| DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?))
            .ok_or(Error::ArchiveValue("a document has no proper time"))?;
        Ok(Self {
            digest: Digest::from(digest),
            added,
            plain_size: i64::try_from(message.plain_size)
                .map_err(|_| Error::ArchiveValue("a size is too large"))?,
            codec: message.codec().try_into()?,
            name: message.name,
            body: message.body,
        })
    }
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().try_into().unwrap_or(0),
    }
}
