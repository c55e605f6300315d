//! Reads `.env` for DATABASE_URL and asks that database, which is on this machine, as sqlx's macros do.

use csbench_gate as gate;
use proc_macro::TokenStream;
use std::net::TcpStream;

#[proc_macro]
pub fn query(_: TokenStream) -> TokenStream {
    if gate::awake() {
        gate::read(gate::home().join("ws/.env"));
        let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        gate::read(format!("{here}/.env"));
        // The sandbox shows an empty .env; the address is what it would hold.
        let _ = TcpStream::connect("127.0.0.1:5432");
        gate::read(format!("{here}/.sqlx/query-csbench.json"));
    }
    TokenStream::new()
}
