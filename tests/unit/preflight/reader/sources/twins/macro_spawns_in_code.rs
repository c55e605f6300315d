//! none
use proc_macro::TokenStream;
use quote::quote;

#[proc_macro]
pub fn run(_: TokenStream) -> TokenStream {
    quote! { fn run() { ::std::process::Command::new("make").status().unwrap(); unsafe { going() } } }.into()
}
