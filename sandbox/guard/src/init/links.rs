//! Which source folders hold no symbolic link, so that each path in them leads where its letters say.

use crate::paths;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A folder with more entries counts as one with links: looking must not hold up the build.
const MOST_ENTRIES: usize = 20_000;

/// Questions about a folder until it is looked through: that takes as long as to look where so many paths lead, and of
/// most packages fewer files are read.
const WORTH_A_LOOK: u32 = 64;

enum Known {
    Asked(u32),
    Looked(bool),
}

/// Source folders that were looked at. A build sees them read-only, so what was found stays true to its end.
#[derive(Default)]
pub struct Linkless(HashMap<Vec<u8>, Known>);

impl Linkless {
    /// Whether it is known that no link is below `top`, nor on the way to it, but for what is below one of `apart`.
    pub fn holds(&mut self, top: &[u8], apart: [&[u8]; 2]) -> bool {
        match self.0.get_mut(top) {
            Some(Known::Looked(found)) => *found,
            Some(Known::Asked(times)) if *times < WORTH_A_LOOK => {
                *times += 1;
                false
            }
            Some(known) => {
                let found = look(top, apart);
                *known = Known::Looked(found);
                found
            }
            None => {
                self.0.insert(top.to_vec(), Known::Asked(1));
                false
            }
        }
    }
}

fn look(top: &[u8], apart: [&[u8]; 2]) -> bool {
    let begin = PathBuf::from(OsStr::from_bytes(top));
    if fs::canonicalize(&begin).ok().as_ref() != Some(&begin) {
        return false;
    }
    let (mut folders, mut seen) = (vec![begin], 0);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            return false;
        };
        for entry in entries {
            seen += 1;
            let Ok((path, kind)) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))
            else {
                return false;
            };
            if seen > MOST_ENTRIES || kind.is_symlink() {
                return false;
            }
            let name = path.as_os_str().as_bytes();
            if kind.is_dir() && !apart.iter().any(|other| paths::is_within(name, other)) {
                folders.push(path);
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_is_linkless_until_there_is_a_link_anywhere_but_in_what_builds_make() {
        let top = format!("/tmp/guard-links-{}", std::process::id());
        fs::create_dir_all(format!("{top}/crate/src/deep")).unwrap();
        fs::create_dir_all(format!("{top}/crate/target/debug")).unwrap();
        fs::write(format!("{top}/crate/src/deep/a.h"), "").unwrap();
        symlink("..", format!("{top}/crate/target/debug/up")).unwrap();
        symlink("crate", format!("{top}/alias")).unwrap();
        let folder = |name: &str| format!("{top}/{name}").into_bytes();
        let (target, none) = (folder("crate/target"), Vec::new());
        assert!(look(&folder("crate"), [&target, &none]));
        assert!(!look(&folder("crate"), [&none, &none]));
        assert!(!look(&folder("alias"), [&target, &none]));
        assert!(!look(&folder("missing"), [&target, &none]));
        let mut linkless = Linkless::default();
        let mut holds = || linkless.holds(&folder("crate/src"), [&target, &none]);
        let asked: Vec<bool> = (0..=WORTH_A_LOOK).map(|_| holds()).collect();
        assert!(asked[..asked.len() - 1].iter().all(|known| !known) && asked[asked.len() - 1]);
        symlink("/etc", format!("{top}/crate/src/deep/etc")).unwrap();
        assert!(!look(&folder("crate/src"), [&target, &none]));
        assert!(holds(), "a build sees its sources read-only");
        fs::remove_dir_all(top).unwrap();
    }
}
