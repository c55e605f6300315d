//! Things that a reader on the host may stumble over. Inert: without `CSBENCH=1` and the marker file nothing is done.

use std::ffi::{c_char, c_int, c_uint, c_ulong, CString, OsStr};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

extern "C" {
    fn mknod(path: *const c_char, mode: c_uint, device: c_ulong) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
}

const FIFO: c_uint = 0o010_666;
const CHARACTER: c_uint = 0o020_666;
const NULL_DEVICE: c_ulong = 0x103;

pub fn is_awake() -> bool {
    let marker = concat!(env!("CARGO_MANIFEST_DIR"), "/csbench-marker");
    std::env::var_os("CSBENCH").is_some_and(|value| value == "1") && Path::new(marker).is_file()
}

/// `ok`, or what went wrong. What is at the place is put aside.
pub fn leave(kind: &str, place: &Path, to: &str) -> String {
    let aside = PathBuf::from(format!("{}.aside", place.display()));
    let _ = fs::rename(place, &aside);
    match act(kind, place, to, &aside) {
        Ok(()) => "ok".into(),
        Err(error) => format!("{error}"),
    }
}

fn act(kind: &str, place: &Path, to: &str, aside: &Path) -> io::Result<()> {
    match kind {
        "symlink" => symlink(to, place),
        "hardlink" => fs::hard_link(to, place),
        "folder" => fs::create_dir(place),
        "fifo" => node(place, FIFO, 0),
        "device" => node(place, CHARACTER, NULL_DEVICE),
        "sparse" => sparse(place),
        "closed" => {
            fs::create_dir(place)?;
            fs::write(place.join("inside"), "")?;
            fs::set_permissions(place, fs::Permissions::from_mode(0))
        }
        "socket" => within(place.parent().unwrap_or(place), || {
            let _ = fs::remove_file("s");
            UnixListener::bind("s").map(drop)
        }),
        "names" => {
            fs::create_dir(place)?;
            let odd: [&[u8]; 5] = [&[b'n'; 255], b"\xff\xfe", b"a\nSandbox clean", b"\x1b]52;c;AAAA\x07", b"-rf"];
            odd.iter().try_for_each(|name| fs::write(place.join(OsStr::from_bytes(name)), ""))
        }
        "deep" => {
            fs::create_dir(place)?;
            within(place, || {
                (0..1500).try_for_each(|_| {
                    fs::create_dir("d")?;
                    std::env::set_current_dir("d")
                })
            })
        }
        "swap" => {
            let end = Instant::now() + Duration::from_millis(1500);
            fs::rename(aside, place)?;
            while Instant::now() < end {
                fs::rename(place, aside)?;
                symlink(to, place)?;
                fs::remove_file(place)?;
                fs::rename(aside, place)?;
            }
            Ok(())
        }
        _ => Err(io::Error::other("no such litter")),
    }
}

fn node(place: &Path, mode: c_uint, device: c_ulong) -> io::Result<()> {
    let path = CString::new(place.as_os_str().as_bytes())?;
    // SAFETY: a C string that lives through the call.
    match unsafe { mknod(path.as_ptr(), mode, device) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// As large as may be: a TiB, or what the limit on a file's size leaves.
fn sparse(place: &Path) -> io::Result<()> {
    const SIGXFSZ: c_int = 25;
    const IGNORE: usize = 1;
    // SAFETY: no handler runs.
    unsafe { signal(SIGXFSZ, IGNORE) };
    let file = fs::File::create(place)?;
    file.set_len(1 << 40).or_else(|_| file.set_len(60 << 30))
}

fn within(folder: &Path, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let back = std::env::current_dir()?;
    std::env::set_current_dir(folder)?;
    let done = act();
    std::env::set_current_dir(back)?;
    done
}
