//! Notes the commit, the compiler and the target for `almanac --version`.
//!
//! Without git or outside a repository the commit is a fixed word, and the build goes on.

use vergen_gitcl::{Emitter, GitclBuilder, RustcBuilder};

fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    Emitter::default()
        .quiet()
        .add_instructions(&GitclBuilder::default().sha(true).dirty(true).build()?)?
        .add_instructions(
            &RustcBuilder::default()
                .semver(true)
                .host_triple(true)
                .build()?,
        )?
        .emit()
}
