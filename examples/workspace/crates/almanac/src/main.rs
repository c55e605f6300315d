//! `almanac`: keeps text files compressed in one SQLite file and searches them.

mod args;
mod commands;
mod source;
mod tour;
mod version;

use clap::Parser;

use crate::args::{Args, Command};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let output = match args.command {
        None | Some(Command::Tour) => tour::tour().await?,
        Some(command) => commands::run(command, &args.store).await?,
    };
    match std::io::Write::write_all(&mut std::io::stdout().lock(), &output) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
