//! Secrets that the test planted: each is a canary, and a row succeeds only when it has seen it.

use super::row;
use crate::targets::Targets;
use crate::{Outcome, Row};
use std::fs;
use std::io;

pub const ROWS: &[Row] = &[
    row!("home", "read a file of the user's home directory", |t| canary_in(
        t,
        "home-file"
    )),
    row!(
        "credentials",
        "read the user's cloud credentials, in whose place a decoy stands",
        |t| canary_in(t, "credentials")
    ),
    row!("dotenv", "read the workspace's .env", |t| canary_in(t, "dotenv")),
    row!("environment", "find a secret in the environment", |t| {
        let canary = t.get("canary")?;
        let found = std::env::vars().find(|(_, value)| value == canary);
        found.map(|(name, _)| name).ok_or_else(nothing)
    }),
];

fn canary_in(t: &Targets, key: &str) -> Outcome {
    let content = fs::read(t.get(key)?)?;
    let canary = t.get("canary")?;
    if String::from_utf8_lossy(&content).contains(canary) {
        return Ok(String::new());
    }
    Err(nothing())
}

fn nothing() -> io::Error {
    io::Error::other("the canary is not there")
}
