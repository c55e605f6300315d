use rayon::prelude::*;
use regex::bytes::Regex;
use serde::Serialize;

use crate::{Document, Result};

/// One line that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The document's name.
    pub name: String,
    /// The line's number, from 1.
    pub line: usize,
    /// The line; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Searches all documents at once, a line at a time; hits come in the documents' order.
pub(crate) fn search(documents: &[Document], pattern: &Regex) -> Result<Vec<Hit>> {
    let per_document: Vec<Vec<Hit>> = documents
        .par_iter()
        .map(|document| Ok(lines(&document.name, &document.unpack()?, pattern)))
        .collect::<Result<_>>()?;
    Ok(per_document.into_iter().flatten().collect())
}

fn lines(name: &str, text: &[u8], pattern: &Regex) -> Vec<Hit> {
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| pattern.is_match(line))
        .map(|(index, line)| Hit {
            name: name.to_owned(),
            line: index + 1,
            text: String::from_utf8_lossy(line).into_owned(),
        })
        .collect()
}
