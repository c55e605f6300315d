//! Units: what cargo started, what they may write, what they reported.

use super::process::UnitIndex;
use crate::json::{self, Object};
use crate::pairs;
use crate::rules::WriteRules;
use crate::sys;
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes of JSON that outputs and directives may take, so that the end record fits a frame.
const OUTPUTS_ROOM: usize = 640 << 10;
const DIRECTIVES_ROOM: usize = 288 << 10;
const SURVIVORS_ROOM: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Cargo,
    Rustc,
    Script,
    Rustdoc,
    Program,
    /// A rustc that cargo asks for its version or its targets.
    Probe,
    /// Whoever's descent is lost.
    Unknown,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Rustc => "rustc",
            Self::Script => "script",
            Self::Rustdoc => "rustdoc",
            Self::Program => "program",
            Self::Probe => "probe",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the guard's role process puts the unit into a Landlock domain.
    pub fn has_domain(self) -> bool {
        matches!(
            self,
            Self::Rustc | Self::Script | Self::Rustdoc | Self::Probe
        )
    }
}

/// What cargo's command line and environment say about a unit.
#[derive(Default)]
pub struct Identity {
    pub package: Vec<u8>,
    pub version: Vec<u8>,
    pub crate_name: Vec<u8>,
    pub manifest_dir: Vec<u8>,
    pub crate_types: Vec<Vec<u8>>,
    pub out_dir: Vec<u8>,
    pub extra: Vec<u8>,
    pub incremental: Vec<u8>,
    pub primary: bool,
    pub macros: Vec<Vec<u8>>,
    pub exe: Vec<u8>,
    /// Root source of a compile.
    pub input: Vec<u8>,
}

/// One unit.
pub struct Unit {
    pub id: String,
    pub role: Role,
    pub identity: Identity,
    /// Its first process.
    pub pid: u32,
    pub rules: WriteRules,
    /// Prefixes below which its reads are counted.
    pub quiet: Arc<[Vec<u8>]>,
    pub counted: u64,
    /// Writes listed so far; a script that makes too many is counted from then on.
    pub writes: u64,
    /// Names directly in the output folder that this unit made itself.
    pub made: HashSet<Box<[u8]>>,
    pub report: Report,
    pub ended: bool,
    /// Processes that outlived it, as its role process reported.
    pub survivors: u64,
}

impl Unit {
    pub fn new(
        index: UnitIndex,
        role: Role,
        identity: Identity,
        pid: u32,
        rules: WriteRules,
    ) -> Self {
        let id = match role {
            Role::Unknown => "u?".to_string(),
            Role::Cargo => "u0".to_string(),
            // Index 1 is the unknown one, so the first real unit has index 2.
            _ => format!("u{}", index - 1),
        };
        Self {
            id,
            role,
            identity,
            pid,
            rules,
            quiet: Arc::new([]),
            counted: 0,
            writes: 0,
            made: HashSet::new(),
            report: Report::default(),
            ended: false,
            survivors: 0,
        }
    }

    /// The start record.
    pub fn start_json(&self, t_ns: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.text("event", b"start");
        object.text("unit", self.id.as_bytes());
        object.text("role", self.role.name().as_bytes());
        let this = &self.identity;
        for (key, value) in [
            ("package", &this.package),
            ("version", &this.version),
            ("crate", &this.crate_name),
            ("src", &this.input),
            ("manifest_dir", &this.manifest_dir),
        ] {
            if !value.is_empty() {
                object.text(key, value);
            }
        }
        if !this.crate_types.is_empty() {
            object.texts("crate_types", this.crate_types.iter().map(Vec::as_slice));
        }
        for (key, value) in [
            ("out_dir", &this.out_dir),
            ("extra", &this.extra),
            ("incremental", &this.incremental),
        ] {
            if !value.is_empty() {
                object.text(key, value);
            }
        }
        object.flag("primary", this.primary);
        if !this.macros.is_empty() {
            object.texts("macros", this.macros.iter().map(Vec::as_slice));
        }
        object.text("exe", &this.exe);
        object.number("pid", self.pid.into());
        object.number("t_ns", t_ns);
        object.end();
        out
    }

    /// The end record, which takes the report away.
    pub fn end_json(&mut self, t_ns: u64) -> Vec<u8> {
        let report = std::mem::take(&mut self.report);
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.text("event", b"end");
        object.text("unit", self.id.as_bytes());
        object.maybe("status", report.status);
        object.maybe("signal", report.signal);
        object.number("t_ns", t_ns);
        object.number("quiet", self.counted);
        object.number("maxrss_kb", report.maxrss_kb);
        object.number("cpu_ms", report.cpu_ms);
        report.outputs.write(&mut object, "outputs");
        object.flag("outputs_cut", report.outputs_cut || report.outputs.cut);
        report.directives.write(&mut object, "directives");
        object.flag(
            "directives_cut",
            report.directives_cut || report.directives.cut,
        );
        report.survivors.write(&mut object, "survivors");
        object.end();
        self.made = HashSet::new();
        self.survivors = report.survivor_count;
        out
    }
}

/// A JSON list under construction that stops growing at its room.
#[derive(Default)]
struct List {
    json: Vec<u8>,
    cut: bool,
}

impl List {
    fn push(&mut self, room: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.json.len();
        if self.cut {
            return;
        }
        if before > 0 {
            self.json.push(b',');
        }
        write(&mut self.json);
        if self.json.len() > room {
            self.json.truncate(before);
            self.cut = true;
        }
    }

    fn write(&self, object: &mut Object<'_>, key: &str) {
        let out = object.key(key);
        out.push(b'[');
        out.extend_from_slice(&self.json);
        out.push(b']');
    }
}

/// What the role process reported so far.
#[derive(Default)]
pub struct Report {
    pub status: Option<i64>,
    pub signal: Option<i64>,
    maxrss_kb: u64,
    cpu_ms: u64,
    outputs: List,
    outputs_cut: bool,
    directives: List,
    directives_cut: bool,
    survivors: List,
    pub survivor_count: u64,
    pub flood: bool,
}

impl Report {
    /// Take one part of the report. What can't be read is passed over; false then.
    pub fn take(&mut self, part: &[u8]) -> bool {
        let Ok(pairs) = pairs::parse(part) else {
            return false;
        };
        pairs
            .into_iter()
            .all(|(key, value)| self.take_one(key, value).is_some())
    }

    fn take_one(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"status" => self.status = Some(signed(value)?),
            b"signal" => self.signal = Some(signed(value)?),
            b"maxrss_kb" => self.maxrss_kb = sys::number(value)?,
            b"cpu_ms" => self.cpu_ms = sys::number(value)?,
            b"outputs_cut" => self.outputs_cut = true,
            b"directives_cut" => self.directives_cut = true,
            b"flood" => self.flood = true,
            b"directive" => self
                .directives
                .push(DIRECTIVES_ROOM, |out| json::string(out, value)),
            b"survivor" => {
                let (pid, argv) = pairs::two(value)?;
                let pid = sys::number(pid)?;
                self.survivor_count += 1;
                self.survivors.push(SURVIVORS_ROOM, |out| {
                    let mut object = Object::new(out);
                    object.number("pid", pid);
                    object.texts("argv", argv.split(|byte| *byte == crate::report::ARG_END));
                    object.end();
                });
            }
            b"output" => {
                let mut fields = value.splitn(6, |byte| *byte == b'\t');
                let (ino, size) = (sys::number(fields.next()?)?, sys::number(fields.next()?)?);
                let (mtime, ctime) = (signed(fields.next()?)?, signed(fields.next()?)?);
                let (digest, path) = (fields.next()?, fields.next()?);
                self.outputs.push(OUTPUTS_ROOM, |out| {
                    let mut object = Object::new(out);
                    object.text("path", path);
                    object.number("ino", ino);
                    object.number("size", size);
                    object.signed("mtime_ns", mtime);
                    object.signed("ctime_ns", ctime);
                    if digest == b"-" {
                        object.maybe("sha256", None);
                    } else {
                        object.text("sha256", digest);
                    }
                    object.end();
                });
            }
            _ => return None,
        }
        Some(())
    }
}

fn signed(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Unit {
        Unit::new(
            4,
            Role::Script,
            Identity::default(),
            77,
            WriteRules::default(),
        )
    }

    #[test]
    fn a_report_becomes_the_end_record() {
        let mut unit = unit();
        let mut part = Vec::new();
        pairs::push(&mut part, "status", b"0");
        pairs::push(&mut part, "directive", b"cargo:rustc-cfg=\"x\"");
        pairs::push(&mut part, "survivor", b"9\tsleep\x1f60");
        pairs::push(&mut part, "output", b"1\t2\t3\t4\t-\t/o/a\tb");
        assert!(unit.report.take(&part));
        let line = String::from_utf8(unit.end_json(5)).unwrap();
        assert_eq!(
            line,
            concat!(
                r#"{"event":"end","unit":"u3","status":0,"signal":null,"t_ns":5,"quiet":0,"maxrss_kb":0,"cpu_ms":0,"#,
                r#""outputs":[{"path":"/o/a\tb","ino":1,"size":2,"mtime_ns":3,"ctime_ns":4,"sha256":null}],"#,
                r#""outputs_cut":false,"directives":["cargo:rustc-cfg=\"x\""],"directives_cut":false,"#,
                r#""survivors":[{"pid":9,"argv":["sleep","60"]}]}"#
            )
        );
    }

    #[test]
    fn no_survivor_is_left_out_for_the_length_of_its_command_line() {
        let mut unit = unit();
        let survivor = crate::roles::Survivor {
            pid: 9,
            argv: vec![vec![1; 16 << 10]],
        };
        let mut part = Vec::new();
        pairs::push(&mut part, "survivor", &survivor.encode());
        assert!(unit.report.take(&part));
        let line = unit.end_json(1);
        assert!(crate::paths::contains(&line, br#""survivors":[{"pid":9,"#));
    }

    #[test]
    fn an_end_record_always_fits_a_frame() {
        let mut unit = unit();
        let mut part = Vec::new();
        for index in 0..20_000 {
            let output = format!(
                "1\t2\t3\t4\t{}\t/a/long/path/to/some/output/{index}",
                "f".repeat(64)
            );
            pairs::push(&mut part, "output", output.as_bytes());
            pairs::push(&mut part, "directive", &[1; 100]);
            pairs::push(&mut part, "survivor", b"9\tsleep");
        }
        assert!(unit.report.take(&part));
        let line = unit.end_json(1);
        assert!(line.len() < crate::frame::MAX_PAYLOAD, "{}", line.len());
        assert!(crate::paths::contains(&line, b"\"outputs_cut\":true"));
        assert!(crate::paths::contains(&line, b"\"directives_cut\":true"));
    }

    #[test]
    fn a_report_that_cannot_be_read_is_refused() {
        for part in [
            &b"status\0x\0"[..],
            b"colour\0red\0",
            b"status",
            b"output\x001\t2\0",
        ] {
            assert!(!Report::default().take(part), "{part:?}");
        }
    }
}
