use std::path::PathBuf;

use almanac_store::Codec;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::version::VERSION;

/// Keeps text files compressed in one SQLite file and searches them.
///
/// Without a command it shows what it can do, on a few texts of its own, and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(name = "almanac", version = VERSION.as_str())]
pub struct Args {
    /// The file that holds the documents.
    #[arg(long, global = true, value_name = "FILE", default_value = "almanac.db")]
    pub store: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what almanac can do (the default).
    Tour,
    /// Store files, and the files of folders.
    Ingest {
        /// How to compress them.
        #[arg(long, default_value = "zstd", value_parser = codecs())]
        codec: Codec,
        /// Files and folders.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// List the stored documents.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Print the lines that match a regular expression.
    Search {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// The regular expression.
        pattern: String,
    },
    /// Print a document.
    Show {
        /// Its digest: 64 hexadecimal digits.
        digest: String,
    },
    /// Write all documents to a protobuf file.
    Export {
        /// The file to write.
        file: PathBuf,
    },
    /// Add the documents of a protobuf file.
    Import {
        /// The file to read.
        file: PathBuf,
    },
}

fn codecs() -> impl TypedValueParser<Value = Codec> {
    PossibleValuesParser::new(Codec::ALL.map(Codec::name)).try_map(|name| name.parse::<Codec>())
}

#[cfg(test)]
mod tests {
    use super::{Args, Command};
    use almanac_store::Codec;
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_arguments_are_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_codec_is_read_by_name() {
        let args = Args::parse_from(["almanac", "ingest", "--codec", "bzip2", "x"]);
        assert!(matches!(
            args.command,
            Some(Command::Ingest {
                codec: Codec::Bzip2,
                ..
            })
        ));
        assert!(Args::try_parse_from(["almanac", "ingest", "--codec", "lzma", "x"]).is_err());
    }
}
