//! Where a unit may write: one list, put into force with Landlock by the roles and used by init to predict the outcome.

use crate::paths;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Devices that every unit may write.
pub const DEVICES: [&[u8]; 4] = [b"/dev/null", b"/dev/zero", b"/dev/full", b"/dev/tty"];

/// A named permission from the plan: the package's units may write below the path. The package may be `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    pub package: Vec<u8>,
    pub path: Vec<u8>,
}

impl Allowance {
    /// Parse "package\tpath".
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (package, path) = crate::pairs::two(value)?;
        path.starts_with(b"/").then(|| Self {
            package: package.to_vec(),
            path: paths::normal(b"/", path),
        })
    }

    pub fn is_for(&self, package: &[u8]) -> bool {
        self.package == b"*" || self.package == package
    }
}

/// Which package a crate's root source belongs to, from cargo's metadata.
///
/// The environment of a rustc can't tell that for sure: `cargo:rustc-env=CARGO_PKG_NAME=…` of a package's own build
/// script changes it. The source path on the command line comes from cargo alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub path: Vec<u8>,
    pub package: Vec<u8>,
    pub version: Vec<u8>,
    pub manifest_dir: Vec<u8>,
}

impl Source {
    /// Parse "path\tpackage\tversion\tmanifest_dir".
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = value.split(|byte| *byte == b'\t').map(<[u8]>::to_vec);
        let path = fields.next().filter(|path| path.starts_with(b"/"))?;
        let found = Self {
            // A manifest may say `path = "a/../lib.rs"`.
            path: paths::normal(b"/", &path),
            package: fields.next()?,
            version: fields.next()?,
            manifest_dir: fields.next()?,
        };
        fields.next().is_none().then_some(found)
    }

    /// The entry for the root source `path`, which is absolute and normal: by its letters, else by its real place,
    /// since cargo may have been told of it through a symbolic link.
    pub fn find<'a>(all: &'a [Self], path: &[u8]) -> Option<&'a Self> {
        if path.is_empty() || all.is_empty() {
            return None;
        }
        let by_letters = |path: &[u8]| all.iter().find(|source| source.path == path);
        let real = |path: &[u8]| fs::canonicalize(OsStr::from_bytes(path)).ok();
        by_letters(path).or_else(|| {
            let wanted = real(path)?;
            by_letters(wanted.as_os_str().as_bytes()).or_else(|| {
                all.iter()
                    .find(|source| real(&source.path).as_ref() == Some(&wanted))
            })
        })
    }
}

/// The folders that a unit may write below, absolute and normal.
#[derive(Debug, Default, Clone)]
pub struct WriteRules {
    pub folders: Vec<Vec<u8>>,
    /// Beginning of the path of the unit's own scratch folder; see `scratch_prefix`.
    pub scratch: Vec<u8>,
}

impl WriteRules {
    /// `own` are the unit's own folders (empty ones are left out), `tmp` the scratch space it shares with all units,
    /// `scratch` how its own scratch folder begins.
    pub fn new(
        own: &[&[u8]],
        tmp: &[Vec<u8>],
        scratch: Vec<u8>,
        allowances: &[Allowance],
        package: &[u8],
        cwd: &[u8],
    ) -> Self {
        let mut folders: Vec<Vec<u8>> = own
            .iter()
            .filter(|path| !path.is_empty())
            .map(|path| paths::normal(cwd, path))
            .collect();
        folders.extend(tmp.iter().cloned());
        folders.extend(
            allowances
                .iter()
                .filter(|one| one.is_for(package))
                .map(|one| one.path.clone()),
        );
        Self { folders, scratch }
    }

    /// Whether the rules cover a write to `path` by the process `pid`.
    pub fn allow(&self, path: &[u8], pid: u32) -> bool {
        DEVICES.contains(&path)
            || is_own_proc(path, pid)
            || self.is_scratch(path)
            || self.folders.iter().any(|top| paths::is_within(path, top))
    }

    /// Whether `path` is in the unit's own scratch folder.
    pub fn is_scratch(&self, path: &[u8]) -> bool {
        !self.scratch.is_empty() && path.starts_with(&self.scratch)
    }
}

/// The scratch folders that all units share, and where their own are made, once all settings are read: without a word
/// about them it is /tmp; an empty shared one says that there is none.
pub fn complete_scratch(shared: &mut Vec<Vec<u8>>, own: &mut Vec<u8>) {
    if shared.is_empty() {
        shared.push(b"/tmp".to_vec());
    }
    shared.retain(|top| !top.is_empty());
    if own.is_empty() {
        *own = shared.first().cloned().unwrap_or_else(|| b"/tmp".to_vec());
    }
}

/// How the name of a unit's scratch folder begins; the pid is that of its first process.
pub fn scratch_prefix(top: &[u8], pid: u32) -> Vec<u8> {
    [top, format!("/cs-{pid}-").as_bytes()].concat()
}

/// Whether the path is in the process's own part of /proc, or is one of its open descriptors.
pub fn is_own_proc(path: &[u8], pid: u32) -> bool {
    if let Some(rest) = path.strip_prefix(b"/proc/") {
        let first = rest.split(|byte| *byte == b'/').next().unwrap_or(b"");
        return first == b"self"
            || first == b"thread-self"
            || std::str::from_utf8(first)
                .ok()
                .and_then(|text| text.parse().ok())
                == Some(pid);
    }
    path.strip_prefix(b"/dev/").is_some_and(|rest| {
        matches!(rest, b"stdin" | b"stdout" | b"stderr" | b"fd") || rest.starts_with(b"fd/")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_may_write_its_folders_the_scratch_and_its_allowances_only() {
        let allowances = [
            Allowance::parse(b"cxx\t/t/cxxbridge").unwrap(),
            Allowance::parse(b"*\t/shared/").unwrap(),
            Allowance::parse(b"other\t/other").unwrap(),
        ];
        let tmp = [b"/tmp".to_vec()];
        let rules = WriteRules::new(
            &[b"out", b""],
            &tmp,
            scratch_prefix(b"/s", 7),
            &allowances,
            b"cxx",
            b"/w",
        );
        for path in [
            "/w/out/x",
            "/w/out",
            "/tmp/a",
            "/t/cxxbridge/y",
            "/shared/z",
            "/dev/null",
            "/proc/self/x",
            "/proc/7/comm",
        ] {
            assert!(rules.allow(path.as_bytes(), 7), "{path}");
        }
        for path in [
            "/w/outer",
            "/other/x",
            "/proc/8/mem",
            "/proc/selfish",
            "/dev/shm/x",
            "/",
        ] {
            assert!(!rules.allow(path.as_bytes(), 7), "{path}");
        }
    }

    #[test]
    fn a_source_has_four_fields_and_an_absolute_path() {
        let found = Source::parse(b"/r/serde/src/lib.rs\tserde\t1.0.1\t/r/serde").unwrap();
        assert_eq!(
            (found.package, found.version),
            (b"serde".to_vec(), b"1.0.1".to_vec())
        );
        assert_eq!(Source::parse(b"src/lib.rs\tserde\t1.0.1\t/r/serde"), None);
        assert_eq!(Source::parse(b"/r/lib.rs\tserde\t1.0.1"), None);
        assert_eq!(Source::parse(b"/r/lib.rs\tserde\t1.0.1\t/r\tx"), None);
    }

    #[test]
    fn a_source_is_found_by_its_letters_or_by_its_real_place() {
        let top = format!("/tmp/guard-source-{}", std::process::id());
        fs::create_dir_all(format!("{top}/real")).unwrap();
        fs::write(format!("{top}/real/lib.rs"), "").unwrap();
        let _ = std::os::unix::fs::symlink("real", format!("{top}/link"));
        let entry = |path: &str| Source::parse(format!("{path}\tp\t1\t/r").as_bytes()).unwrap();
        let found = |entry: &Source, path: &str| {
            Source::find(std::slice::from_ref(entry), path.as_bytes()).is_some()
        };
        let real = entry(&format!("{top}/x/../real/lib.rs"));
        let linked = entry(&format!("{top}/link/lib.rs"));
        assert!(found(&real, &format!("{top}/real/lib.rs")));
        assert!(found(&real, &format!("{top}/link/lib.rs")));
        assert!(found(&linked, &format!("{top}/real/lib.rs")));
        assert!(!found(&real, &format!("{top}/real/main.rs")) && !found(&real, ""));
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_build_below_tmp_leaves_each_unit_its_own_part_of_it_only() {
        let scratch = scratch_prefix(b"/tmp", 77);
        let rules = WriteRules::new(&[b"/tmp/w/out"], &[], scratch, &[], b"", b"/");
        assert!(rules.allow(b"/tmp/cs-77-AbCdEf/x", 78) && rules.allow(b"/tmp/w/out/x", 78));
        assert!(!rules.allow(b"/tmp/w/other", 78) && !rules.allow(b"/tmp/cs-7-AbCdEf/x", 78));
    }

    #[test]
    fn scratch_space_that_nobody_speaks_of_is_tmp_and_may_be_shared_by_nobody() {
        let complete = |shared: &[&[u8]], own: &[u8]| {
            let mut shared: Vec<Vec<u8>> = shared.iter().map(|top| top.to_vec()).collect();
            let mut own = own.to_vec();
            complete_scratch(&mut shared, &mut own);
            (shared, own)
        };
        let tmp = b"/tmp".to_vec();
        assert_eq!(complete(&[], b""), (vec![tmp.clone()], tmp.clone()));
        assert_eq!(complete(&[b""], b""), (vec![], tmp));
        assert_eq!(
            complete(&[b"/a"], b"/s"),
            (vec![b"/a".to_vec()], b"/s".to_vec())
        );
    }

    #[test]
    fn an_allowance_needs_a_package_and_an_absolute_path() {
        assert_eq!(Allowance::parse(b"/t/x"), None);
        assert_eq!(Allowance::parse(b"p\trelative"), None);
    }
}
