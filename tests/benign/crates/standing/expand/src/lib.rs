//! Each macro is expanded here, for loading one is not yet running it.

use askama::Template;

#[derive(Template)]
#[template(path = "day.txt")]
pub struct Day<'a> {
    pub name: &'a str,
}

#[derive(pest_derive::Parser)]
#[grammar = "number.pest"]
pub struct Numbers;

#[derive(serde::Serialize, serde::Deserialize, derive_more::From, derive_more::Display)]
pub struct Count(u32);

#[derive(Debug, thiserror::Error)]
#[error("it is too late: {0}")]
pub struct Late(u32);

#[async_trait::async_trait]
pub trait Waits {
    async fn wait(&self) -> u32;
}
