//! The probe outside of any container: `csbench-probe FOLDER`, or `csbench-probe --who` for the set-id row.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("--who") => {
            println!("{}", csbench_probe::effective_user());
            Ok(())
        }
        Some(folder) => csbench_probe::probe(Path::new(folder), &mut io::stdout().lock()),
        None => Err(io::Error::other("usage: csbench-probe FOLDER")),
    }
}
