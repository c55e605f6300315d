use std::path::{Path, PathBuf};

use almanac_store::Plain;
use anyhow::Context;
use async_trait::async_trait;
use include_dir::{Dir, include_dir};
use tokio::fs;
use tokio::task::JoinSet;

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

/// A place where documents come from.
#[async_trait]
pub trait Source: Send + Sync {
    /// All documents, by name.
    async fn documents(&self) -> anyhow::Result<Vec<Plain>>;
}

/// The texts inside the program.
pub struct Samples;

#[async_trait]
impl Source for Samples {
    async fn documents(&self) -> anyhow::Result<Vec<Plain>> {
        let files = SAMPLES.files();
        Ok(files
            .map(|file| Plain::new(file.path().to_string_lossy(), file.contents()))
            .collect())
    }
}

/// Files and the files of folders.
pub struct Paths(pub Vec<PathBuf>);

#[async_trait]
impl Source for Paths {
    async fn documents(&self) -> anyhow::Result<Vec<Plain>> {
        let mut folders = Vec::new();
        let mut reads = JoinSet::new();
        for path in &self.0 {
            let kind = fs::metadata(path)
                .await
                .with_context(|| path.display().to_string())?;
            if kind.is_dir() {
                folders.push(path.clone());
            } else {
                reads.spawn(read(path.clone()));
            }
        }
        while let Some(folder) = folders.pop() {
            let mut entries = fs::read_dir(&folder)
                .await
                .with_context(|| folder.display().to_string())?;
            while let Some(entry) = entries.next_entry().await? {
                let kind = entry.file_type().await?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    reads.spawn(read(entry.path()));
                }
            }
        }
        let mut documents = Vec::new();
        while let Some(document) = reads.join_next().await {
            documents.push(document??);
        }
        documents.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(documents)
    }
}

async fn read(path: PathBuf) -> anyhow::Result<Plain> {
    let text = fs::read(&path)
        .await
        .with_context(|| path.display().to_string())?;
    Ok(Plain::new(name(&path), text))
}

fn name(path: &Path) -> String {
    path.strip_prefix("./")
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Paths, Samples, Source};

    #[tokio::test]
    async fn the_samples_are_inside_the_program() {
        let samples = Samples.documents().await.unwrap();
        assert_eq!(samples.len(), 4);
        assert!(samples.iter().all(|sample| sample.name.ends_with(".txt")));
    }

    #[tokio::test]
    async fn a_folder_gives_the_files_below_it() {
        let here = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let found = Paths(vec![here.join("samples"), here.join("build.rs")])
            .documents()
            .await
            .unwrap();
        assert_eq!(found.len(), 5);
        assert!(found.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let error = Paths(vec!["no-such-file".into()])
            .documents()
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "no-such-file");
    }
}
