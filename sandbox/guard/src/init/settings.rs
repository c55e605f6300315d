//! The config frame: what to run and what to watch.

use crate::hash;
use crate::pairs;
use crate::paths;
use crate::rules::{self, Allowance, Source};
use crate::sys;
use std::collections::{HashMap, HashSet};

/// What one of the build's standard streams is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stream {
    #[default]
    Null,
    Pipe,
    Tty,
}

/// One resource limit for the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub resource: libc::__rlimit_resource_t,
    pub soft: u64,
    pub hard: u64,
}

/// All of the configuration.
#[derive(Default)]
pub struct Settings {
    pub args: Vec<Vec<u8>>,
    pub env: Vec<Vec<u8>>,
    pub cwd: Vec<u8>,
    pub filter: Vec<u8>,
    /// Calls that are recorded and refused with this error, whatever their arguments.
    pub refused: HashMap<i64, i32>,
    pub limits: Vec<Limit>,
    pub streams: [Stream; 3],
    /// Rows and columns.
    pub window: Option<(u16, u16)>,
    /// Role (or `*`) and prefix whose reads are counted.
    pub quiet: Vec<(Vec<u8>, Vec<u8>)>,
    /// Files whose reads are always listed, wherever they lie: decoys and what is masked.
    pub loud: HashSet<Vec<u8>>,
    pub allowances: Vec<Allowance>,
    pub sources: Vec<Source>,
    pub programs: bool,
    pub build_dir: Vec<u8>,
    pub target_dir: Vec<u8>,
    pub tmp: Vec<Vec<u8>>,
    /// Where the units' own scratch folders are made.
    pub scratch: Vec<u8>,
    pub require_landlock: i32,
    /// The filter asks nobody, since nobody could answer here: the guard sees and records nothing of the build.
    pub alone: bool,
    /// Folders that must be the host's own: device, inode, path.
    pub same: Vec<(u64, u64, Vec<u8>)>,
    breaks: Vec<Vec<u8>>,
}

impl Settings {
    /// Parse a config frame's payload.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut found = Self::default();
        for (key, value) in pairs::parse(bytes).map_err(|error| error.to_string())? {
            found.take(key, value).ok_or_else(|| {
                format!(
                    "{}: {}",
                    String::from_utf8_lossy(key),
                    String::from_utf8_lossy(value).escape_debug()
                )
            })?;
        }
        if found.args.is_empty() {
            return Err("no arg: nothing to run".into());
        }
        if found.filter.is_empty() {
            return Err("no filter".into());
        }
        rules::complete_scratch(&mut found.tmp, &mut found.scratch);
        Ok(found)
    }

    /// Whether a test took this wall down. Never in a build without the feature `break-walls`.
    pub fn broken(&self, wall: &str) -> bool {
        cfg!(feature = "break-walls") && self.breaks.iter().any(|name| name == wall.as_bytes())
    }

    /// Whether a test took away `no_new_privs`, without which the kernel takes filters and domains only from who has
    /// capabilities (seccomp(2), `landlock_restrict_self(2)`).
    pub fn privileges_kept(&self) -> bool {
        ["no-new-privs", "capabilities", "user"]
            .iter()
            .all(|wall| self.broken(wall))
    }

    /// Whether the build lies below scratch space, which then can't be every unit's to write.
    pub fn is_below_tmp(&self) -> bool {
        let dirs = [&self.build_dir, &self.target_dir, &self.cwd];
        dirs.into_iter()
            .any(|dir| self.tmp.iter().any(|top| paths::is_within(dir, top)))
    }

    /// Whether a path is scratch space that all units share.
    pub fn is_shared_scratch(&self, path: &[u8]) -> bool {
        !self.is_below_tmp() && self.tmp.iter().any(|top| paths::is_within(path, top))
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"arg" => self.args.push(value.to_vec()),
            b"env" => self.env.push(value.to_vec()),
            b"cwd" => self.cwd = value.to_vec(),
            b"filter" => self.filter = filter(value)?,
            b"refuse" => {
                let (number, error) = split(value, b'=')?;
                let error = i32::try_from(sys::number(error)?).ok()?;
                // Zero would be a success.
                let number = i64::try_from(sys::number(number)?)
                    .ok()
                    .filter(|_| error > 0)?;
                self.refused.insert(number, error);
            }
            b"rlimit" => self.limits.push(limit(value)?),
            b"stdin" => self.streams[0] = stream(value)?,
            b"stdout" => self.streams[1] = stream(value)?,
            b"stderr" => self.streams[2] = stream(value)?,
            b"winsize" => {
                let (rows, columns) = split(value, b',')?;
                self.window = Some((
                    sys::number(rows)?.try_into().ok()?,
                    sys::number(columns)?.try_into().ok()?,
                ));
            }
            b"quiet" => {
                let (role, prefix) = pairs::two(value)?;
                self.quiet.push((role.to_vec(), prefix.to_vec()));
            }
            b"loud" => {
                self.loud.insert(value.to_vec());
            }
            b"write" => self.allowances.push(Allowance::parse(value)?),
            b"package" => self.sources.push(Source::parse(value)?),
            b"programs" => self.programs = flag(value)?,
            b"build_dir" => self.build_dir = value.to_vec(),
            b"target_dir" => self.target_dir = value.to_vec(),
            b"scratch" => self.scratch = value.to_vec(),
            b"tmp" => self.tmp.push(value.to_vec()),
            b"same" => {
                let (identity, path) = pairs::two(value)?;
                let (device, inode) = split(identity, b':')?;
                let identity = (sys::number(device)?, sys::number(inode)?);
                self.same.push((identity.0, identity.1, path.to_vec()));
            }
            b"require_landlock" => self.require_landlock = sys::number(value)?.try_into().ok()?,
            b"alone" => self.alone = flag(value)?,
            b"break" => self.breaks.push(value.to_vec()),
            _ => return None,
        }
        Some(())
    }
}

fn flag(value: &[u8]) -> Option<bool> {
    match value {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => None,
    }
}

fn stream(value: &[u8]) -> Option<Stream> {
    match value {
        b"null" => Some(Stream::Null),
        b"pipe" => Some(Stream::Pipe),
        b"tty" => Some(Stream::Tty),
        _ => None,
    }
}

/// A whole BPF program; the kernel takes 1 to 4096 instructions of 8 bytes (seccomp(2)).
fn filter(value: &[u8]) -> Option<Vec<u8>> {
    let bytes = hash::unhex(value)?;
    (bytes.len() % 8 == 0 && (8..=4096 * 8).contains(&bytes.len())).then_some(bytes)
}

/// "name=soft:hard"; "unlimited" is allowed for both.
fn limit(value: &[u8]) -> Option<Limit> {
    let (name, range) = split(value, b'=')?;
    let (soft, hard) = split(range, b':')?;
    let resource = match name {
        b"nofile" => libc::RLIMIT_NOFILE,
        b"fsize" => libc::RLIMIT_FSIZE,
        b"core" => libc::RLIMIT_CORE,
        b"nproc" => libc::RLIMIT_NPROC,
        b"cpu" => libc::RLIMIT_CPU,
        b"as" => libc::RLIMIT_AS,
        _ => return None,
    };
    let amount = |text: &[u8]| {
        if text == b"unlimited" {
            Some(libc::RLIM_INFINITY)
        } else {
            sys::number(text)
        }
    };
    Some(Limit {
        resource,
        soft: amount(soft)?,
        hard: amount(hard)?,
    })
}

fn split(value: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = value.iter().position(|byte| *byte == at)?;
    Some((&value[..index], &value[index + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let mut bytes = Vec::new();
        for (key, value) in [
            &[("arg", "/bin/true"), ("filter", "0600000000000000")],
            pairs,
        ]
        .concat()
        {
            crate::pairs::push(&mut bytes, key, value.as_bytes());
        }
        Settings::parse(&bytes)
    }

    #[test]
    fn every_key_is_read() {
        let found = parsed(&[
            ("rlimit", "nofile=1024:4096"),
            ("refuse", "425=38"),
            ("stdin", "tty"),
            ("winsize", "24,80"),
            ("quiet", "rustc\t/usr"),
            ("programs", "1"),
            ("require_landlock", "3"),
            ("alone", "1"),
        ])
        .unwrap();
        assert_eq!(
            found.limits,
            [Limit {
                resource: libc::RLIMIT_NOFILE,
                soft: 1024,
                hard: 4096
            }]
        );
        assert_eq!(found.streams, [Stream::Tty, Stream::Null, Stream::Null]);
        assert_eq!(
            (found.window, found.programs, found.require_landlock),
            (Some((24, 80)), true, 3)
        );
        assert!(found.alone && !parsed(&[]).unwrap().alone);
        assert_eq!(found.tmp, [b"/tmp".to_vec()]);
        assert_eq!(found.refused, HashMap::from([(425, 38)]));
        assert_eq!(found.filter.len(), 8);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_never_a_default() {
        for pair in [
            ("rlimit", "nofile=1"),
            ("rlimit", "files=1:1"),
            ("stdin", "file"),
            ("filter", "06"),
            ("refuse", "425"),
            ("refuse", "425=0"),
            ("refuse", "425=4294967296"),
            ("quiet", "/usr"),
            ("programs", "yes"),
            ("alone", "yes"),
            ("colour", "red"),
        ] {
            assert!(parsed(&[pair]).is_err(), "{pair:?}");
        }
        assert!(Settings::parse(b"").is_err());
    }
}
