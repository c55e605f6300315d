//! Turns `proto/archive.proto` into Rust with the `protoc` that a dependency brings along.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/archive.proto");
    prost_build::Config::new()
        .protoc_executable(protoc_bin_vendored::protoc_bin_path()?)
        .compile_protos(
            &["proto/archive.proto"],
            &[Path::new("proto"), &protoc_bin_vendored::include_path()?],
        )?;
    Ok(())
}
