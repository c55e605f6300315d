use std::fmt::Write as _;

use almanac_store::{Codec, Plain, Store};
use tokio::task::spawn_blocking;

use crate::commands::{lines, list};
use crate::source::{Samples, Source};

const PATTERN: &str = r"(?i)\b(north|south)\b";

/// Stores the program's own texts in memory, with each codec, and searches them.
pub async fn tour() -> anyhow::Result<Vec<u8>> {
    let samples = Samples.documents().await?;
    spawn_blocking(move || show(&samples)).await?
}

fn show(samples: &[Plain]) -> anyhow::Result<Vec<u8>> {
    let mut text = String::new();

    writeln!(text, "{} texts, one codec after the other:", samples.len())?;
    for codec in Codec::ALL {
        let added = Store::in_memory()?.add(samples.to_vec(), codec)?;
        writeln!(
            text,
            "  {codec:<5}  {:>6} bytes -> {:>6}",
            added.plain_size, added.stored_size
        )?;
    }

    let mut store = Store::in_memory()?;
    store.add(samples.to_vec(), Codec::Zstd)?;
    writeln!(text, "\nThe store:\n{}", list(&store.documents()?))?;
    writeln!(
        text,
        "Search for {PATTERN}:\n{}",
        lines(&store.search(PATTERN)?)
    )?;

    let archive = store.export("almanac tour")?;
    let copied = Store::in_memory()?.import(&archive)?;
    writeln!(
        text,
        "Exported {} bytes of protobuf; a fresh store took {} texts from it.",
        archive.len(),
        copied.new
    )?;
    Ok(text.into_bytes())
}
