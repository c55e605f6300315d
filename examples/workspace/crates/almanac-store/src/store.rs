use std::path::Path;

use chrono::Utc;
use rayon::prelude::*;
use regex::bytes::Regex;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde::Serialize;

use crate::document::Row;
use crate::{Codec, Digest, Document, Hit, Plain, Result, search};

const SCHEMA: &str = include_str!("schema.sql");

/// What [`Store::add`] did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Documents that are new.
    pub new: usize,
    /// Documents that were there already, by their text.
    pub known: usize,
    /// Bytes of the new documents' plain text.
    pub plain_size: usize,
    /// Bytes that they take in the store.
    pub stored_size: usize,
}

/// Documents in an SQLite database.
#[derive(Debug)]
pub struct Store {
    db: Connection,
}

impl Store {
    /// Opens the store in the file `path`, and creates it if need be.
    ///
    /// # Errors
    /// The file is not a database, or can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(Connection::open(path)?)
    }

    /// A store that lives as long as the value.
    ///
    /// # Errors
    /// SQLite has no memory.
    pub fn in_memory() -> Result<Self> {
        Self::new(Connection::open_in_memory()?)
    }

    fn new(db: Connection) -> Result<Self> {
        db.execute_batch(SCHEMA)?;
        Ok(Self { db })
    }

    /// Compresses the documents, on all cores, and stores those whose text is new.
    ///
    /// # Errors
    /// Compression fails or SQLite refuses; then nothing is stored.
    pub fn add(&mut self, plain: Vec<Plain>, codec: Codec) -> Result<Added> {
        let now = Utc::now();
        let packed: Vec<Document> = plain
            .into_par_iter()
            .map(|plain| Document::pack(&plain, codec, now))
            .collect::<Result<_>>()?;
        self.insert(&packed)
    }

    pub(crate) fn insert(&mut self, documents: &[Document]) -> Result<Added> {
        let mut added = Added::default();
        let transaction = self.db.transaction()?;
        {
            let sql = format!("{} ON CONFLICT (digest) DO NOTHING", Document::INSERT);
            let mut statement = transaction.prepare(&sql)?;
            for document in documents {
                if statement.execute(params_from_iter(document.values()))? == 0 {
                    added.known += 1;
                } else {
                    added.new += 1;
                    added.plain_size += usize::try_from(document.plain_size).unwrap_or(0);
                    added.stored_size += document.body.len();
                }
            }
        }
        transaction.commit()?;
        Ok(added)
    }

    /// All documents, by name.
    ///
    /// # Errors
    /// SQLite refuses, or a row is damaged.
    pub fn documents(&self) -> Result<Vec<Document>> {
        let mut statement = self
            .db
            .prepare(&format!("{} ORDER BY name, digest", Document::SELECT))?;
        let rows = statement.query_map([], Document::from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The document with this text.
    ///
    /// # Errors
    /// SQLite refuses, or the row is damaged.
    pub fn document(&self, digest: Digest) -> Result<Option<Document>> {
        let mut statement = self
            .db
            .prepare(&format!("{} WHERE digest = ?", Document::SELECT))?;
        Ok(statement
            .query_row([digest], Document::from_row)
            .optional()?)
    }

    /// All lines of all documents that match the regular expression.
    ///
    /// # Errors
    /// The pattern is no regular expression, or a document is damaged.
    pub fn search(&self, pattern: &str) -> Result<Vec<Hit>> {
        let pattern = Regex::new(pattern)?;
        search::search(&self.documents()?, &pattern)
    }
}
