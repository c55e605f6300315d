//! Asks git for the version while the compiler expands it, and embeds a file of the tree, as git-version and
//! include_dir do.

use csbench_gate as gate;
use proc_macro::TokenStream;

#[proc_macro]
pub fn version(_: TokenStream) -> TokenStream {
    if gate::awake() {
        gate::run("git", &["describe", "--always", "--dirty=-modified"]);
        gate::read(gate::home().join("ws/Cargo.toml"));
    }
    "pub const VERSION: &str = \"unknown\";".parse().unwrap()
}
