//! One event as a JSON line. The order of the keys is fixed; what does not apply is absent.

use super::process::Caller;
use crate::json::{self, Object};

/// How a file was opened, one bit for each word.
pub mod flag {
    pub const CREATE: u8 = 1;
    pub const TRUNCATE: u8 = 2;
    pub const APPEND: u8 = 4;
    pub const DIRECTORY: u8 = 8;
    pub const EXCL: u8 = 16;
    pub const NOFOLLOW: u8 = 32;
    pub const TMPFILE: u8 = 64;
    pub const WORDS: [&str; 7] = [
        "create",
        "truncate",
        "append",
        "directory",
        "excl",
        "nofollow",
        "tmpfile",
    ];
}

/// Who denied an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The notifier refused it.
    Guard,
    /// It was let go, and the unit's Landlock domain does not cover the path.
    Landlock,
    /// It was let go, and the mount is read-only.
    Readonly,
}

/// The fields of an event besides those of the caller.
#[derive(Default)]
pub struct Event<'a> {
    pub kind: &'a str,
    pub access: Option<&'a str>,
    pub flags: u8,
    pub path: Option<&'a [u8]>,
    pub path2: Option<&'a [u8]>,
    pub argv: Option<&'a [Vec<u8>]>,
    pub argv_cut: bool,
    pub mode: Option<u32>,
    pub addr: Option<&'a str>,
    pub port: Option<u16>,
    pub family: Option<&'a str>,
    pub dns: Option<&'a [u8]>,
    pub target: Option<i64>,
    pub call: Option<&'a str>,
    pub args: &'a [u64],
    pub denied: Option<By>,
    pub errno: Option<&'a str>,
    pub note: Option<&'a str>,
}

impl Event<'_> {
    /// Append the line. `unit` is the unit's id.
    pub fn write(&self, out: &mut Vec<u8>, seq: u64, t_ns: u64, unit: &str, caller: &Caller) {
        let mut object = Object::new(out);
        object.number("seq", seq);
        object.number("t_ns", t_ns);
        object.text("unit", unit.as_bytes());
        object.number("pid", caller.pid.into());
        object.number("start", caller.start);
        object.number("parent", caller.parent.into());
        object.text("kind", self.kind.as_bytes());
        let text = |object: &mut Object<'_>, key: &str, value: Option<&str>| {
            if let Some(value) = value {
                object.text(key, value.as_bytes());
            }
        };
        text(&mut object, "access", self.access);
        if self.flags != 0 {
            let set = flag::WORDS
                .iter()
                .enumerate()
                .filter(|(bit, _)| self.flags & 1 << bit != 0);
            object.texts("flags", set.map(|(_, word)| word.as_bytes()));
        }
        if let Some(path) = self.path {
            object.text("path", path);
        }
        if let Some(path) = self.path2 {
            object.text("path2", path);
        }
        if let Some(argv) = self.argv {
            object.texts("argv", argv.iter().map(Vec::as_slice));
        }
        if self.argv_cut {
            object.flag("argv_cut", true);
        }
        if let Some(mode) = self.mode {
            object.number("mode", mode.into());
        }
        text(&mut object, "addr", self.addr);
        if let Some(port) = self.port {
            object.number("port", port.into());
        }
        text(&mut object, "family", self.family);
        if let Some(name) = self.dns {
            object.text(
                "dns",
                &String::from_utf8_lossy(name).into_owned().into_bytes(),
            );
        }
        if let Some(target) = self.target {
            object.signed("target", target);
        }
        text(&mut object, "call", self.call);
        if !self.args.is_empty() {
            let out = object.key("args");
            for (index, value) in self.args.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                json::number(out, *value);
            }
            out.push(b']');
        }
        object.text(
            "outcome",
            if self.denied.is_some() {
                b"denied"
            } else {
                b"allowed"
            },
        );
        text(
            &mut object,
            "by",
            self.denied.map(|by| match by {
                By::Guard => "guard",
                By::Landlock => "landlock",
                By::Readonly => "readonly",
            }),
        );
        text(&mut object, "errno", self.errno);
        text(&mut object, "note", self.note);
        object.end();
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_keys_in_order_and_leaves_out_what_does_not_apply() {
        let caller = Caller {
            tid: 78,
            pid: 77,
            start: 5512,
            parent: 76,
            unit: 3,
            guarding: false,
        };
        let argv = [b"cc".to_vec(), b"-c".to_vec()];
        let event = Event {
            kind: "open",
            access: Some("write"),
            flags: flag::CREATE | flag::TMPFILE,
            path: Some(b"/a"),
            argv: Some(&argv),
            args: &[1, u64::MAX],
            denied: Some(By::Landlock),
            ..Event::default()
        };
        let mut out = Vec::new();
        event.write(&mut out, 1, 123, "u3", &caller);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"seq":1,"t_ns":123,"unit":"u3","pid":77,"start":5512,"parent":76,"kind":"open","access":"write","#,
                r#""flags":["create","tmpfile"],"path":"/a","argv":["cc","-c"],"args":[1,18446744073709551615],"#,
                r#""outcome":"denied","by":"landlock"}"#,
                "\n"
            )
        );
    }
}
