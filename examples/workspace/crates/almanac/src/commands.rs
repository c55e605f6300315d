use std::fmt::Write as _;
use std::path::Path;

use almanac_store::{Added, Document, Hit, Store};
use anyhow::Context;
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::args::Command;
use crate::source::{Paths, Source};
use crate::version::VERSION;

/// Does what was asked for and returns what to print.
pub async fn run(command: Command, store: &Path) -> anyhow::Result<Vec<u8>> {
    let path = store.to_owned();
    let open = move || Store::open(&path).with_context(|| path.display().to_string());
    match command {
        Command::Tour => unreachable!("the tour needs no store"),
        Command::Ingest { codec, paths } => {
            let documents = Paths(paths).documents().await?;
            let added =
                spawn_blocking(move || anyhow::Ok(open()?.add(documents, codec)?)).await??;
            Ok(summary(&added))
        }
        Command::List { json } => {
            let documents = spawn_blocking(move || anyhow::Ok(open()?.documents()?)).await??;
            if json {
                json_lines(&documents)
            } else {
                Ok(list(&documents).into_bytes())
            }
        }
        Command::Search { json, pattern } => {
            let hits = spawn_blocking(move || anyhow::Ok(open()?.search(&pattern)?)).await??;
            if json {
                json_lines(&hits)
            } else {
                Ok(lines(&hits).into_bytes())
            }
        }
        Command::Show { digest } => {
            let digest = digest.parse().with_context(|| digest.clone())?;
            let found = spawn_blocking(move || anyhow::Ok(open()?.document(digest)?)).await??;
            Ok(found
                .with_context(|| format!("no document {digest}"))?
                .unpack()?)
        }
        Command::Export { file } => {
            let archive = spawn_blocking(move || {
                anyhow::Ok(open()?.export(&format!("almanac {}", *VERSION))?)
            })
            .await??;
            tokio::fs::write(&file, archive)
                .await
                .with_context(|| file.display().to_string())?;
            Ok(Vec::new())
        }
        Command::Import { file } => {
            let archive = tokio::fs::read(&file)
                .await
                .with_context(|| file.display().to_string())?;
            let added = spawn_blocking(move || anyhow::Ok(open()?.import(&archive)?)).await??;
            Ok(summary(&added))
        }
    }
}

/// One line a document: digest, codec, sizes, name.
pub fn list(documents: &[Document]) -> String {
    documents.iter().fold(String::new(), |mut text, document| {
        let _ = writeln!(
            text,
            "{}  {:<5}  {:>6} -> {:>6}  {}",
            document.digest.short(),
            document.codec,
            document.plain_size,
            document.body.len(),
            document.name,
        );
        text
    })
}

/// One line a hit, as grep prints them.
pub fn lines(hits: &[Hit]) -> String {
    hits.iter().fold(String::new(), |mut text, hit| {
        let _ = writeln!(text, "{}:{}: {}", hit.name, hit.line, hit.text);
        text
    })
}

fn summary(added: &Added) -> Vec<u8> {
    format!(
        "{} new, {} known; {} bytes stored in {}\n",
        added.new, added.known, added.plain_size, added.stored_size
    )
    .into_bytes()
}

fn json_lines<T: Serialize>(values: &[T]) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    for value in values {
        serde_json::to_writer(&mut text, value)?;
        text.push(b'\n');
    }
    Ok(text)
}
