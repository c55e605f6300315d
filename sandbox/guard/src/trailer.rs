//! The trailer that turns a copy of the guard into the stand-in of one build script.
//!
//! Layout at the end of the file: SHA-256 of the real script (32 bytes), its inode, size, mtime and ctime (four
//! little-endian u64, times in nanoseconds; all zero if they can't be relied on), its file name, the magic `CSGUARD1`,
//! and the length of all before the magic as little-endian u32.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

const MAGIC: &[u8; 8] = b"CSGUARD1";
const TAIL: usize = MAGIC.len() + 4;
const DIGEST: usize = 32;
const IDENTITY: usize = 32;
const FIXED: usize = DIGEST + IDENTITY;
/// NAME_MAX of Linux file systems.
const LONGEST_NAME: usize = 255;

/// What the trailer says.
#[derive(Debug, PartialEq, Eq)]
pub struct Trailer {
    /// File name of the real script, in the same directory.
    pub name: Vec<u8>,
    /// SHA-256 of the real script.
    pub digest: [u8; DIGEST],
    /// What the real script's status was; nobody can set a ctime, so while it holds there is no need to hash again.
    pub identity: Identity,
}

/// Inode, size, mtime and ctime of a file.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Identity([u64; 4]);

impl Identity {
    pub fn of(status: &Metadata) -> Self {
        let (mtime, ctime) = crate::sys::times_ns(status);
        Self([status.ino(), status.size(), mtime as u64, ctime as u64])
    }

    /// Whether it says anything.
    pub fn is_known(self) -> bool {
        self != Self::default()
    }
}

impl Trailer {
    /// The bytes to put at the end of the copy.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + self.name.len() + TAIL);
        bytes.extend_from_slice(&self.digest);
        bytes.extend(self.identity.0.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(MAGIC);
        let length = u32::try_from(FIXED + self.name.len()).unwrap_or(0);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes
    }

    /// Read the trailer of an open file and tell how many bytes lie before it. None if the file has no sound trailer.
    pub fn read(file: &File) -> io::Result<Option<(Self, u64)>> {
        let size = file.metadata()?.len();
        let mut tail = [0u8; TAIL];
        let Some(at) = size.checked_sub(TAIL as u64) else {
            return Ok(None);
        };
        file.read_exact_at(&mut tail, at)?;
        if &tail[..MAGIC.len()] != MAGIC {
            return Ok(None);
        }
        let length = u32::from_le_bytes([tail[8], tail[9], tail[10], tail[11]]) as usize;
        let Some(start) = at.checked_sub(length as u64) else {
            return Ok(None);
        };
        if !(FIXED + 1..=FIXED + LONGEST_NAME).contains(&length) {
            return Ok(None);
        }
        let mut body = vec![0u8; length];
        file.read_exact_at(&mut body, start)?;
        let mut digest = [0u8; DIGEST];
        digest.copy_from_slice(&body[..DIGEST]);
        let mut identity = Identity::default();
        for (word, bytes) in identity
            .0
            .iter_mut()
            .zip(body[DIGEST..FIXED].chunks_exact(8))
        {
            *word = bytes.try_into().map_or(0, u64::from_le_bytes);
        }
        let name = body.split_off(FIXED);
        if name.contains(&b'/') || name.contains(&0) || name == b".." || name == b"." {
            return Ok(None);
        }
        Ok(Some((
            Self {
                name,
                digest,
                identity,
            },
            start,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let name = format!(
            "/tmp/guard-trailer-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&name)
            .unwrap();
        std::fs::remove_file(&name).unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn a_trailer_comes_back_with_the_length_of_what_stands_before_it() {
        let trailer = Trailer {
            name: b"build_script_build-1f.real".to_vec(),
            digest: [7; 32],
            identity: Identity([1, 2, 3, 4]),
        };
        let mut bytes = b"ELF".to_vec();
        bytes.extend(trailer.encode());
        assert_eq!(Trailer::read(&file_of(&bytes)).unwrap(), Some((trailer, 3)));
    }

    #[test]
    fn files_without_a_sound_trailer_have_none() {
        let slash = Trailer {
            name: b"../x".to_vec(),
            digest: [0; 32],
            identity: Identity::default(),
        }
        .encode();
        let long = Trailer {
            name: vec![b'a'; 300],
            digest: [0; 32],
            identity: Identity::default(),
        }
        .encode();
        let empty = Trailer {
            name: vec![],
            digest: [0; 32],
            identity: Identity::default(),
        }
        .encode();
        let cut = Trailer {
            name: b"real".to_vec(),
            digest: [0; 32],
            identity: Identity::default(),
        }
        .encode()[10..]
            .to_vec();
        for bytes in [
            &b""[..],
            b"CSGUARD1",
            b"plain file of some length",
            &slash,
            &long,
            &empty,
            &cut,
        ] {
            assert_eq!(Trailer::read(&file_of(bytes)).unwrap(), None, "{bytes:?}");
        }
    }
}
