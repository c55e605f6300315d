//! Reads the memory of a process that waits for our answer (`process_vm_readv(2)`).
//!
//! What is read here may change before the kernel reads it again, so it decides nothing that a wall must decide.

use std::io;

const PAGE: u64 = 4096;
/// `PATH_MAX` of Linux: the kernel takes no longer path.
const LONGEST_PATH: usize = 4096;

/// Read exactly the whole buffer.
pub fn read(tid: u32, address: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        let count = read_some(tid, address.wrapping_add(done as u64), &mut buffer[done..])?;
        if count == 0 {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        done += count;
    }
    Ok(())
}

/// Read up to the buffer's length, but not past the end of the second page.
///
/// Two pieces, since the kernel reads each whole or not at all, and a string may end right before a page that can't be read.
fn read_some(tid: u32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let in_page = usize::try_from(PAGE - address % PAGE).unwrap_or(1);
    let first = buffer.len().min(in_page);
    let second = (buffer.len() - first).min(PAGE as usize);
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: first + second,
    };
    let remote = [
        (address, first),
        (address.wrapping_add(first as u64), second),
    ]
    .map(|(begin, length)| libc::iovec {
        iov_base: begin as *mut libc::c_void,
        iov_len: length,
    });
    let pieces = if second == 0 { 1 } else { 2 };
    let tid = i32::try_from(tid).unwrap_or(-1);
    // SAFETY: `local` describes a part of `buffer`; the remote addresses are checked by the kernel.
    let count = unsafe { libc::process_vm_readv(tid, &local, 1, remote.as_ptr(), pieces, 0) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Read an array of little values, such as a structure of the kernel's.
pub fn words<const N: usize>(tid: u32, address: u64) -> io::Result<[u64; N]> {
    let mut bytes = [[0u8; 8]; N];
    read(tid, address, bytes.as_flattened_mut())?;
    Ok(bytes.map(u64::from_ne_bytes))
}

/// Append a NUL-ended string to `out`, without the NUL. Longer than a path may be is an error, as for the kernel.
pub fn path(tid: u32, address: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let begin = out.len();
    let mut at = address;
    // Most paths are short; the kernel copies no more than asked.
    let mut piece = [0u8; 512];
    loop {
        let count = read_some(tid, at, &mut piece)?;
        if count == 0 {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        if let Some(end) = piece[..count].iter().position(|byte| *byte == 0) {
            out.extend_from_slice(&piece[..end]);
            return Ok(());
        }
        out.extend_from_slice(&piece[..count]);
        if out.len() - begin >= LONGEST_PATH {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        at = at.wrapping_add(count as u64);
    }
}

/// Strings of an argument or environment array.
pub struct Strings {
    pub all: Vec<Vec<u8>>,
    /// There was more than the limit.
    pub cut: bool,
}

/// Read an array of pointers to strings that a null pointer ends, at most `limit` bytes in all.
pub fn strings(tid: u32, array: u64, limit: usize) -> io::Result<Strings> {
    // The array and what it points to seldom share a page.
    let (mut pointers, mut texts) = (Reader::new(tid), Reader::new(tid));
    let mut strings = Strings {
        all: Vec::new(),
        cut: false,
    };
    let mut room = limit;
    if array == 0 {
        return Ok(strings);
    }
    let mut at = array;
    loop {
        let piece = pointers.pointers(at)?;
        texts.fetch(&piece);
        for pointer in &piece {
            let mut text = Vec::new();
            let whole = texts.string(*pointer, room, &mut text)?;
            // An empty argument takes room too, or endless ones would never be cut.
            room = room.saturating_sub(text.len() + 8);
            strings.all.push(text);
            if !whole || room == 0 {
                strings.cut = true;
                return Ok(strings);
            }
        }
        if piece.len() < AT_ONCE {
            return Ok(strings);
        }
        at = at.wrapping_add(AT_ONCE as u64 * 8);
    }
}

/// Strings that are looked for in one go.
const AT_ONCE: usize = 64;

/// Pages that are kept: arguments lie close together, but a program that has put them together itself has them strewn
/// over the pages of its heap, one after the other in no order.
const KEPT: usize = 16;

/// Reads little pieces, a page at a time.
struct Reader {
    tid: u32,
    pages: Vec<(u64, Box<[u8; PAGE as usize]>)>,
    /// The place that is given up next.
    oldest: usize,
    /// Pages that were read together, in order, and their bytes.
    fetched: Vec<u64>,
    bytes: Vec<u8>,
}

impl Reader {
    fn new(tid: u32) -> Self {
        Self {
            tid,
            pages: Vec::new(),
            oldest: 0,
            fetched: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Read all pages that these addresses are in by one call, which costs about as much as for one page. Those that can't
    /// be read, and all after them, are left to `rest`.
    fn fetch(&mut self, addresses: &[u64]) {
        let mut pages: Vec<u64> = addresses.iter().map(|at| at - at % PAGE).collect();
        pages.sort_unstable();
        pages.dedup();
        let remote: Vec<libc::iovec> = pages
            .iter()
            .map(|page| libc::iovec {
                iov_base: *page as *mut libc::c_void,
                iov_len: PAGE as usize,
            })
            .collect();
        self.bytes.resize(pages.len() * PAGE as usize, 0);
        let local = libc::iovec {
            iov_base: self.bytes.as_mut_ptr().cast(),
            iov_len: self.bytes.len(),
        };
        let tid = i32::try_from(self.tid).unwrap_or(-1);
        // SAFETY: `local` describes the whole of `bytes`; the remote addresses are checked by the kernel.
        let count = unsafe {
            libc::process_vm_readv(
                tid,
                &local,
                1,
                remote.as_ptr(),
                remote.len() as libc::c_ulong,
                0,
            )
        };
        pages.truncate(usize::try_from(count).unwrap_or(0) / PAGE as usize);
        self.fetched = pages;
    }

    /// Pointers from `address` on, up to a null one: `AT_ONCE` of them, or fewer where the array ends.
    fn pointers(&mut self, address: u64) -> io::Result<Vec<u64>> {
        let mut found = Vec::with_capacity(AT_ONCE);
        for index in 0..AT_ONCE as u64 {
            let mut pointer = [0u8; 8];
            self.exact(address.wrapping_add(index * 8), &mut pointer)?;
            match u64::from_ne_bytes(pointer) {
                0 => break,
                pointer => found.push(pointer),
            }
        }
        Ok(found)
    }

    /// The bytes from `address` to the end of its page.
    fn rest(&mut self, address: u64) -> io::Result<&[u8]> {
        let page = address - address % PAGE;
        let within = usize::try_from(address - page).unwrap_or(0);
        if let Ok(index) = self.fetched.binary_search(&page) {
            let begin = index * PAGE as usize;
            return Ok(&self.bytes[begin + within..begin + PAGE as usize]);
        }
        let known = self.pages.iter().position(|(at, _)| *at == page);
        let index = match known {
            Some(index) => index,
            None => self.load(page)?,
        };
        Ok(&self.pages[index].1[within..])
    }

    fn load(&mut self, page: u64) -> io::Result<usize> {
        let mut bytes = Box::new([0; PAGE as usize]);
        read(self.tid, page, &mut bytes[..])?;
        if self.pages.len() < KEPT {
            self.pages.push((page, bytes));
            return Ok(self.pages.len() - 1);
        }
        let index = self.oldest;
        self.pages[index] = (page, bytes);
        self.oldest = (index + 1) % KEPT;
        Ok(index)
    }

    fn exact(&mut self, mut address: u64, out: &mut [u8]) -> io::Result<()> {
        for byte in out {
            *byte = self.rest(address)?[0];
            address = address.wrapping_add(1);
        }
        Ok(())
    }

    /// Append a string of at most `limit` bytes; false when it goes on.
    fn string(&mut self, mut address: u64, limit: usize, out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let room = limit - out.len();
            let rest = self.rest(address)?;
            let end = rest.iter().position(|byte| *byte == 0);
            let take = end.unwrap_or(rest.len());
            if take > room {
                out.extend_from_slice(&rest[..room]);
                return Ok(false);
            }
            out.extend_from_slice(&rest[..take]);
            address = address.wrapping_add(take as u64);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> u32 {
        std::process::id()
    }

    #[test]
    fn a_path_is_read_across_pages_and_a_bad_address_is_an_error() {
        let text = vec![b'a'; 4000]
            .into_iter()
            .chain([0, b'x'])
            .collect::<Vec<u8>>();
        let mut out = Vec::new();
        path(own(), text.as_ptr() as u64, &mut out).unwrap();
        assert_eq!(out, &text[..4000]);
        assert!(path(own(), 8, &mut out).is_err());
        let long = vec![b'a'; 9000];
        assert!(path(own(), long.as_ptr() as u64, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_path_that_ends_right_before_a_page_that_nobody_may_read_is_read() {
        let size = 2 * PAGE as usize;
        // SAFETY: fresh memory of our own, whose second page nobody may read; all writes are to the first.
        let top = unsafe {
            let top = libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(top, libc::MAP_FAILED);
            libc::mprotect(top.add(PAGE as usize), PAGE as usize, libc::PROT_NONE);
            let text = top.cast::<u8>().add(PAGE as usize - 6);
            std::ptr::copy_nonoverlapping(b"/etc/x".as_ptr(), text, 6);
            top as u64
        };
        let mut out = Vec::new();
        assert!(path(own(), top + PAGE - 6, &mut out).is_err());
        // SAFETY: the last byte of the first page.
        unsafe { ((top + PAGE - 1) as *mut u8).write(0) };
        out.clear();
        path(own(), top + PAGE - 6, &mut out).unwrap();
        assert_eq!(out, b"/etc/");
    }

    #[test]
    fn strings_that_are_strewn_over_more_pages_than_are_kept_are_read_in_their_order() {
        let pages = 3 * KEPT;
        let mut heap = vec![0u8; pages * PAGE as usize];
        let (top, mut array) = (heap.as_ptr() as u64, Vec::new());
        let mut wanted = Vec::new();
        for index in 0..400 {
            // 7 and the number of pages have no common divisor: each string is on another page than the last one.
            let at = index * 7 % pages * PAGE as usize + index * 10;
            let text = format!("a{index}").into_bytes();
            heap[at..at + text.len()].copy_from_slice(&text);
            array.push(top + at as u64);
            wanted.push(text);
        }
        array.push(0);
        let found = strings(own(), array.as_ptr() as u64, 1 << 20).unwrap();
        assert_eq!(found.all, wanted);
    }

    #[test]
    fn a_string_goes_on_in_the_next_page_and_one_that_can_t_be_read_is_an_error_after_those_before()
    {
        let mut heap = vec![b'b'; 3 * PAGE as usize];
        let page = (heap.as_ptr() as u64).next_multiple_of(PAGE);
        let at = usize::try_from(page - heap.as_ptr() as u64).unwrap();
        heap[at + PAGE as usize + 3] = 0;
        heap[at..at + 2].copy_from_slice(b"a\0");
        let long = page + PAGE - 3;
        let found = strings(own(), [page, long, 0].as_ptr() as u64, 1 << 16).unwrap();
        assert_eq!(found.all, [b"a".to_vec(), b"bbbbbb".to_vec()]);
        assert!(strings(own(), [page, long, 8, 0].as_ptr() as u64, 1 << 16).is_err());
        let cut = strings(own(), [page, long, 8, 0].as_ptr() as u64, 12).unwrap();
        assert_eq!(
            (cut.all, cut.cut),
            (vec![b"a".to_vec(), b"bbb".to_vec()], true)
        );
    }

    #[test]
    fn arguments_are_read_and_cut_at_the_limit() {
        let texts = [c"cc", c"", c"-o", c"a long one"];
        let mut array: Vec<u64> = texts.iter().map(|text| text.as_ptr() as u64).collect();
        array.push(0);
        let all = strings(own(), array.as_ptr() as u64, 1 << 16).unwrap();
        assert_eq!(all.all, texts.map(|text| text.to_bytes().to_vec()));
        assert!(!all.cut);
        let some = strings(own(), array.as_ptr() as u64, 32).unwrap();
        assert_eq!((some.all.len(), some.cut), (4, true));
        assert_eq!(some.all[3], b"a lo");
    }
}
