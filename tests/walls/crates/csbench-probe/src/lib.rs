//! Tries what a sandbox must not allow, one row after the other, and tells how each try ended.
//!
//! Inert: it does nothing unless `CSBENCH=1` is set and the test has put `csbench-marker` into the folder that it is
//! given. Nothing is changed by a row that succeeds: files are opened and not written, calls that would act get a name
//! that does not exist, what is made is removed. `targets` in that folder tells what to try it on.

mod kernel;
mod rows;
mod targets;

use std::io::{self, Write};
use std::path::Path;
use targets::Targets;

/// What a row saw, or the error of the call that failed.
type Outcome = io::Result<String>;

/// One try. `tried` is for people.
pub struct Row {
    name: &'static str,
    tried: &'static str,
    act: fn(&Targets) -> Outcome,
}

/// Try all rows that `targets` asks for. Each runs in a process of its own, so none can spoil the next. Writes a JSON
/// line a row: name, what was tried, the process, and `ok`, `errno`, `no` or `signal` with what belongs to it.
pub fn probe(folder: &Path, out: &mut impl Write) -> io::Result<()> {
    let asked = std::env::var_os("CSBENCH").is_some_and(|value| value == "1");
    if !asked || !folder.join("csbench-marker").is_file() {
        return Ok(());
    }
    let targets = Targets::read(&folder.join("targets"))?;
    std::fs::create_dir_all(targets.get("work")?)?;
    for row in rows::all() {
        if !targets.wants(row.name) {
            continue;
        }
        let (pid, ended) = kernel::in_child(|| (row.act)(&targets))?;
        let Row { name, tried, .. } = row;
        write!(out, "{{\"row\":{},\"tried\":{},\"pid\":{pid},", text(name), text(tried))?;
        match ended {
            kernel::Ended::Told(answer) => {
                let (kind, rest) = answer.split_once('\t').unwrap_or(("no", &answer));
                write!(out, "\"outcome\":{},\"seen\":{}", text(kind), text(rest))?;
            }
            kernel::Ended::Signal(number) => write!(out, "\"outcome\":\"signal\",\"seen\":\"{number}\"")?,
        }
        writeln!(out, "}}")?;
        out.flush()?;
    }
    Ok(())
}

/// A JSON string.
fn text(value: &str) -> String {
    let mut out = String::from("\"");
    for one in value.chars().take(2000) {
        match one {
            '"' | '\\' => out.extend(['\\', one]),
            _ if one.is_control() => out.push_str(&format!("\\u{:04x}", one as u32)),
            _ => out.push(one),
        }
    }
    out.push('"');
    out
}

/// Whose rights this process has.
pub fn effective_user() -> u32 {
    kernel::effective_user()
}
