//! All rows, by what they are aimed at.

mod files;
mod machine;
mod modes;
mod network;
mod processes;
mod secrets;
mod tree;

use crate::Row;

pub fn all() -> impl Iterator<Item = &'static Row> {
    [
        tree::ROWS,
        processes::ROWS,
        machine::ROWS,
        network::ROWS,
        modes::ROWS,
        files::ROWS,
        secrets::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// A row whose act is an expression.
macro_rules! row {
    ($name:literal, $tried:literal, |$targets:pat_param| $act:expr) => {
        crate::Row {
            name: $name,
            tried: $tried,
            act: |$targets| $act,
        }
    };
}
use row;
