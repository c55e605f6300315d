//! What the rows are tried on: `key=value` lines that the test wrote, with the kernel's call numbers as `nr.NAME`.

use std::collections::HashMap;
use std::io;
use std::path::Path;

pub struct Targets(HashMap<String, String>);

impl Targets {
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(Self(
            pairs.map(|(key, value)| (key.to_owned(), expand(value))).collect(),
        ))
    }

    /// Whether a row is asked for: `rows` lists names, or is absent for all.
    pub fn wants(&self, row: &str) -> bool {
        self.0
            .get("rows")
            .is_none_or(|list| list.split(' ').any(|name| name == row))
    }

    pub fn get(&self, key: &str) -> io::Result<&str> {
        let found = self.0.get(key).map(String::as_str);
        found.ok_or_else(|| io::Error::other(format!("not told: {key}")))
    }

    pub fn number(&self, key: &str) -> io::Result<usize> {
        self.get(key)?.parse().map_err(io::Error::other)
    }

    /// The number of a kernel call, which not every machine has.
    pub fn nr(&self, name: &str) -> io::Result<usize> {
        self.number(&format!("nr.{name}"))
    }

    /// A name in the work folder where nothing is yet.
    pub fn fresh(&self, name: &str) -> io::Result<String> {
        let path = format!("{}/{name}", self.get("work")?);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(path),
        }
    }
}

/// `{out}` is the build script's own folder, `{cargo}` the process that the container's first one started.
fn expand(value: &str) -> String {
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    value.replace("{out}", &out).replace("{cargo}", &top().to_string())
}

/// The eldest of this process and its ancestors, but for process 1.
fn top() -> u32 {
    let mut pid = std::process::id();
    loop {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        match parent.and_then(|text| text.trim().parse().ok()) {
            None | Some(0 | 1) => return pid,
            Some(parent) => pid = parent,
        }
    }
}
