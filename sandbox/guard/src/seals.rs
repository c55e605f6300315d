//! `guard seals < list`: on the host, which outputs of earlier units are no longer what they were.
//!
//! A line is "ino\tsize\tmtime_ns\tctime_ns\tsha256-or-dash\tpath"; newline, tab and backslash in a path are written
//! as \xHH. The answer has a line "changed\tpath" or "missing\tpath", path as it came, for each that does not hold, and
//! "moved mtime_ns ctime_ns\tpath" for each that holds by its digest alone: with the new times, the next check need not
//! read it. Without a digest that is "linked …": whether it was cargo that made a link of it is for the asker to know.

use crate::hash;
use crate::sys;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicUsize, Ordering};

const MOST_THREADS: usize = 8;

/// Check the list on stdin. Exit code 0 whatever the answer, 2 for a line that can't be read.
pub fn main() -> i32 {
    let mut text = Vec::new();
    if io::stdin().lock().read_to_end(&mut text).is_err() {
        return 1;
    }
    let mut seals = Vec::new();
    for line in text
        .strip_suffix(b"\n")
        .unwrap_or(&text)
        .split(|byte| *byte == b'\n')
    {
        match Seal::parse(line) {
            Some(seal) => seals.push(seal),
            None if text.is_empty() => {}
            None => {
                eprintln!(
                    "guard seals: not a seal: {}",
                    String::from_utf8_lossy(line).escape_debug()
                );
                return 2;
            }
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (index, held) in check_all(&seals) {
        let word = match held {
            Held::Yes => continue,
            Held::Moved(mtime, ctime) => format!("moved {mtime} {ctime}"),
            Held::Linked(mtime, ctime) => format!("linked {mtime} {ctime}"),
            Held::Changed => "changed".to_string(),
            Held::Missing => "missing".to_string(),
        };
        let line = [word.as_bytes(), b"\t", seals[index].written, b"\n"].concat();
        if out.write_all(&line).is_err() {
            return 1;
        }
    }
    i32::from(out.flush().is_err())
}

/// Check them on all cores, since at a build's end the user waits for this and nothing else runs.
fn check_all(seals: &[Seal<'_>]) -> Vec<(usize, Held)> {
    let next = AtomicUsize::new(0);
    // The largest first, or one core would read the last one while the others have nothing left to do.
    let mut order: Vec<usize> = (0..seals.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(seals[*index].size));
    let work = || {
        let mut found = Vec::new();
        loop {
            match order.get(next.fetch_add(1, Ordering::Relaxed)) {
                Some(index) => found.push((*index, seals[*index].check())),
                None => return found,
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(MOST_THREADS))
            .map(|_| scope.spawn(work))
            .collect();
        let mut all = work();
        for other in others {
            // A panic ends the whole program (panic = "abort"), so nothing is left out here.
            all.extend(other.join().unwrap_or_default());
        }
        all
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all
}

struct Seal<'a> {
    ino: u64,
    size: u64,
    mtime: i64,
    ctime: i64,
    digest: Option<&'a [u8]>,
    written: &'a [u8],
    path: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum Held {
    Yes,
    /// The content is the same, mtime and ctime are now these.
    Moved(i64, i64),
    /// All but the times is as it was, and there is no digest to tell more.
    Linked(i64, i64),
    Changed,
    Missing,
}

impl<'a> Seal<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.splitn(6, |byte| *byte == b'\t');
        let mut signed = || {
            std::str::from_utf8(fields.next()?)
                .ok()?
                .parse::<i64>()
                .ok()
        };
        let (ino, size, mtime, ctime) = (signed()?, signed()?, signed()?, signed()?);
        let digest = fields.next()?;
        let written = fields.next()?;
        Some(Self {
            ino: ino.try_into().ok()?,
            size: size.try_into().ok()?,
            mtime,
            ctime,
            digest: (digest.len() == 64).then_some(digest),
            written,
            path: unescape(written)?,
        })
    }

    fn check(&self) -> Held {
        let Some(status) = sys::lstat(&self.path) else {
            return Held::Missing;
        };
        let (mtime, ctime) = sys::times_ns(&status);
        if (status.ino(), status.size()) != (self.ino, self.size) {
            return Held::Changed;
        }
        // Cargo makes hard links of some outputs and dates others back; the content then has to speak for itself.
        if (mtime, ctime) == (self.mtime, self.ctime) {
            return Held::Yes;
        }
        match self.digest {
            None => Held::Linked(mtime, ctime),
            Some(digest) if self.content_is(digest) => Held::Moved(mtime, ctime),
            Some(_) => Held::Changed,
        }
    }

    fn content_is(&self, digest: &[u8]) -> bool {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let Ok(file) = File::options()
            .read(true)
            .custom_flags(flags)
            .open(OsStr::from_bytes(&self.path))
        else {
            return false;
        };
        let same = file
            .metadata()
            .is_ok_and(|status| status.is_file() && status.ino() == self.ino);
        same && hash::of(&file).is_ok_and(|found| hash::hex(&found).as_bytes() == digest)
    }
}

/// Undo the \xHH of a path; None when a backslash stands for itself.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            path.push(*byte);
            continue;
        }
        let (digits, after) = rest.strip_prefix(b"x")?.split_at_checked(2)?;
        path.extend(hash::unhex(digits)?);
        rest = after;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sealed(path: &str, digest: &str) -> String {
        let status = fs::symlink_metadata(path).unwrap();
        let (mtime, ctime) = sys::times_ns(&status);
        format!(
            "{}\t{}\t{mtime}\t{ctime}\t{digest}\t{path}",
            status.ino(),
            status.size()
        )
    }

    fn check(line: &str) -> Held {
        Seal::parse(line.as_bytes()).unwrap().check()
    }

    #[test]
    fn a_seal_holds_until_the_file_changes() {
        let folder = format!("/tmp/guard-seals-{}", std::process::id());
        fs::create_dir_all(&folder).unwrap();
        let (path, linked) = (format!("{folder}/a"), format!("{folder}/b"));
        fs::write(&path, "one").unwrap();
        let digest = hash::hex(&hash::of(&File::open(&path).unwrap()).unwrap());
        let (plain, hashed) = (sealed(&path, "-"), sealed(&path, &digest));
        assert_eq!((check(&plain), check(&hashed)), (Held::Yes, Held::Yes));

        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::hard_link(&path, linked).unwrap();
        assert!(matches!(check(&plain), Held::Linked(..)));
        assert!(matches!(check(&hashed), Held::Moved(..)));

        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "two").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        assert_eq!(check(&hashed), Held::Changed);
        fs::remove_file(&path).unwrap();
        assert_eq!(check(&hashed), Held::Missing);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_escaped_path_comes_back_and_a_bare_backslash_is_refused() {
        assert_eq!(unescape(br"/a\x0ab\x5cc"), Some(b"/a\nb\\c".to_vec()));
        assert_eq!(unescape(br"/a\b"), None);
        assert_eq!(unescape(br"/a\x0"), None);
    }
}
