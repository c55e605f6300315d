//! Compressed documents in one SQLite file: add, list, search by regex, export and import as protobuf.
//!
//! ```
//! use almanac_store::{Codec, Plain, Store};
//!
//! let mut store = Store::in_memory()?;
//! store.add(vec![Plain::new("greeting.txt", "hello\nworld\n")], Codec::Zstd)?;
//! let hits = store.search("^w")?;
//! assert_eq!((hits[0].line, hits[0].text.as_str()), (2, "world"));
//! # Ok::<(), almanac_store::Error>(())
//! ```

extern crate self as almanac_store;

mod archive;
mod codec;
mod digest;
mod document;
mod error;
mod search;
mod store;

pub use codec::Codec;
pub use digest::Digest;
pub use document::{Document, Plain, Row};
pub use error::{Error, Result};
pub use search::Hit;
pub use store::{Added, Store};
