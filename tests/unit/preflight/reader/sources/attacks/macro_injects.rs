//! CS0571 emits-network
use proc_macro::TokenStream;
use quote::quote;

#[proc_macro]
pub fn answer(_: TokenStream) -> TokenStream {
    quote! { fn answer() -> u32 { let _ = ::std::net::TcpStream::connect("csbench.invalid:443"); 7 } }.into()
}
