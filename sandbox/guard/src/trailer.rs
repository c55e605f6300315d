//! The stand-in of one build script: a text that has the kernel start the guard (`#!`, execve(2)), and a trailer.
//!
//! Layout of the trailer: SHA-256 of the real script (32 bytes), its inode, size, mtime and ctime (four
//! little-endian u64, times in nanoseconds; all zero if they can't be relied on), its file name, the magic `CSGUARD1`,
//! and the length of all before the magic as little-endian u32.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// How each stand-in begins: the guard's place in the container, and its role.
pub const HEAD: &[u8] = b"#!/run/cargo-sandbox/guard script\n";
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
    /// A whole stand-in.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        bytes.extend_from_slice(&self.digest);
        bytes.extend(self.identity.0.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(MAGIC);
        let length = u32::try_from(FIXED + self.name.len()).unwrap_or(0);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes
    }

    /// Read an open file. None if it is no sound stand-in, and nothing but that.
    pub fn read(file: &File) -> io::Result<Option<Self>> {
        let size = file.metadata()?.len();
        if size > (HEAD.len() + FIXED + LONGEST_NAME + TAIL) as u64 {
            return Ok(None);
        }
        let mut bytes = vec![0u8; size as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(HEAD)?;
        let (body, tail) = rest.split_at_checked(rest.len().checked_sub(TAIL)?)?;
        let length = u32::from_le_bytes(tail.strip_prefix(MAGIC)?.try_into().ok()?);
        if length as usize != body.len()
            || !(FIXED + 1..=FIXED + LONGEST_NAME).contains(&body.len())
        {
            return None;
        }
        let (digest, rest) = body.split_at(DIGEST);
        let (words, name) = rest.split_at(IDENTITY);
        if name.contains(&b'/') || name.contains(&0) || name == b".." || name == b"." {
            return None;
        }
        let mut identity = Identity::default();
        for (word, bytes) in identity.0.iter_mut().zip(words.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(Self {
            name: name.to_vec(),
            digest: digest.try_into().ok()?,
            identity,
        })
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

    fn sound() -> Trailer {
        Trailer {
            name: b"build_script_build-1f.real".to_vec(),
            digest: [7; 32],
            identity: Identity([1, 2, 3, 4]),
        }
    }

    #[test]
    fn a_stand_in_comes_back_and_is_a_text_for_the_kernel() {
        let bytes = sound().encode();
        assert!(bytes.starts_with(b"#!/run/cargo-sandbox/guard script\n"));
        assert_eq!(Trailer::read(&file_of(&bytes)).unwrap(), Some(sound()));
    }

    #[test]
    fn what_is_not_wholly_a_stand_in_is_none() {
        let named = |name: &[u8]| {
            let name = name.to_vec();
            Trailer { name, ..sound() }.encode()
        };
        let whole = sound().encode();
        let more = [&whole[..], b"x"].concat();
        let other = [&b"#!/bin/sh script\n"[..], &whole[HEAD.len()..]].concat();
        let longer = [HEAD, b"echo\n", &whole[HEAD.len()..]].concat();
        for bytes in [
            &b""[..],
            HEAD,
            b"CSGUARD1",
            b"plain file of some length",
            &whole[HEAD.len()..],
            &whole[..whole.len() - 1],
            &[&whole[..HEAD.len()], &whole[HEAD.len() + 10..]].concat(),
            &more,
            &other,
            &longer,
            &named(b"../x"),
            &named(&[b'a'; 300]),
            &named(b""),
            &named(b".."),
        ] {
            assert_eq!(Trailer::read(&file_of(bytes)).unwrap(), None, "{bytes:?}");
        }
    }
}
