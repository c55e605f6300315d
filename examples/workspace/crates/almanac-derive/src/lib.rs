//! `#[derive(Row)]`: implements `almanac_store::Row` for a struct whose fields are the columns of a table.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, parse_macro_input};

/// Maps a struct with named fields to an SQLite table, one column a field, in order.
///
/// The table's name is given as `#[row(table = "…")]`. Every field's type must implement
/// `rusqlite::types::FromSql` and `rusqlite::types::ToSql`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let table = table(input)?;
    let fields = columns(input)?;
    let columns: Vec<String> = fields.iter().map(ToString::to_string).collect();
    let list = columns.join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let select = format!("SELECT {list} FROM {table}");
    let insert = format!("INSERT INTO {table} ({list}) VALUES ({marks})");

    Ok(quote! {
        impl ::almanac_store::Row for #name {
            const COLUMNS: &'static [&'static str] = &[#(#columns),*];
            const SELECT: &'static str = #select;
            const INSERT: &'static str = #insert;

            fn from_row(row: &::rusqlite::Row<'_>) -> ::rusqlite::Result<Self> {
                Ok(Self { #(#fields: row.get(#columns)?),* })
            }

            fn values(&self) -> ::std::vec::Vec<&dyn ::rusqlite::types::ToSql> {
                ::std::vec![#(&self.#fields),*]
            }
        }
    })
}

fn table(input: &DeriveInput) -> syn::Result<String> {
    let mut table = None;
    for attr in input
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("row"))
    {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("table") {
                return Err(meta.error("expected `table = \"…\"`"));
            }
            table = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    table.ok_or_else(|| Error::new_spanned(&input.ident, "`#[row(table = \"…\")]` is missing"))
}

fn columns(input: &DeriveInput) -> syn::Result<Vec<&Ident>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields.named.iter().flat_map(|f| &f.ident).collect()),
            other => Err(Error::new_spanned(other, "Row needs named fields")),
        },
        _ => Err(Error::new_spanned(&input.ident, "Row needs a struct")),
    }
}

#[cfg(test)]
mod tests {
    use super::expand;
    use syn::parse_quote;

    #[test]
    fn columns_follow_the_fields() {
        let code = expand(&parse_quote! {
            #[row(table = "birds")]
            struct Bird { id: i64, name: String }
        });
        let code = code.unwrap().to_string();
        assert!(code.contains("SELECT id, name FROM birds"), "{code}");
        assert!(code.contains("VALUES (?, ?)"), "{code}");
    }

    #[test]
    fn a_missing_table_is_an_error() {
        let error = expand(&parse_quote! { struct Bird { id: i64 } }).unwrap_err();
        assert!(error.to_string().contains("is missing"));
    }

    #[test]
    fn an_enum_is_an_error() {
        let error = expand(&parse_quote! { #[row(table = "t")] enum E { A } }).unwrap_err();
        assert_eq!(error.to_string(), "Row needs a struct");
    }
}
