//! Landlock: a unit may write below some folders only. Reading and executing are not handled (landlock(7)).

use crate::rules::{WriteRules, DEVICES};
use crate::sys;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const WRITE_FILE: u64 = 1 << 1;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_BLOCK: u64 = 1 << 11;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1 << 0;
const SCOPE_SIGNAL: u64 = 1 << 1;

const CREATE_RULESET_VERSION: u32 = 1;
const RULE_PATH_BENEATH: libc::c_int = 1;

#[repr(C)]
struct RulesetAttr {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneathAttr {
    allowed_access: u64,
    parent_fd: i32,
}

/// The kernel's Landlock version, 0 when it has none or it is switched off.
pub fn abi() -> i32 {
    // SAFETY: with the version flag the call takes no memory.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<RulesetAttr>(),
            0,
            CREATE_RULESET_VERSION,
        )
    };
    i32::try_from(version).unwrap_or(0).max(0)
}

/// Everything that changes a file system and that this version knows.
fn handled(abi: i32) -> u64 {
    let mut access = WRITE_FILE
        | REMOVE_DIR
        | REMOVE_FILE
        | MAKE_CHAR
        | MAKE_DIR
        | MAKE_REG
        | MAKE_SOCK
        | MAKE_FIFO
        | MAKE_BLOCK
        | MAKE_SYM;
    if abi >= 2 {
        access |= REFER;
    }
    if abi >= 3 {
        access |= TRUNCATE;
    }
    if abi >= 5 {
        access |= IOCTL_DEV;
    }
    access
}

/// Rights that may stand on a file; the others are for folders only.
const ON_FILES: u64 = WRITE_FILE | TRUNCATE | IOCTL_DEV;

/// A domain that is ready to be entered.
pub struct Ruleset {
    fd: OwnedFd,
    handled: u64,
}

impl Ruleset {
    /// Build the domain for `rules`. Folders that don't exist are left out: what is not there can't be written.
    ///
    /// With `scope`, signals and abstract sockets can't leave the domain (ABI 6).
    pub fn new(rules: &WriteRules, scope: bool) -> Result<Self, String> {
        let abi = abi();
        if abi < 1 {
            return Err("the kernel has no Landlock".into());
        }
        let handled = handled(abi);
        let scoped = if scope && abi >= 6 {
            SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL
        } else {
            0
        };
        let attr = RulesetAttr {
            handled_access_fs: handled,
            handled_access_net: 0,
            scoped,
        };
        // Older kernels take a longer structure as long as its unknown tail is zero.
        // SAFETY: `attr` is readable for the size told.
        let fd = sys::check(unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &attr,
                size_of::<RulesetAttr>(),
                0,
            )
        })
        .map_err(|error| sys::context("landlock_create_ruleset", &error))?;
        // SAFETY: a fresh descriptor that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)) };
        let ruleset = Self { fd, handled };
        for folder in &rules.folders {
            ruleset.allow(folder, handled)?;
        }
        for device in DEVICES {
            ruleset.allow(device, handled & ON_FILES)?;
        }
        Ok(ruleset)
    }

    fn allow(&self, path: &[u8], access: u64) -> Result<(), String> {
        let shown = || String::from_utf8_lossy(path).into_owned();
        let fd = match sys::open(&sys::c_string(path), libc::O_PATH) {
            Ok(fd) => fd,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(sys::context(&format!("open {}", shown()), &error)),
        };
        let access = if is_folder(&fd) {
            access
        } else {
            access & ON_FILES
        };
        add_rule(self.fd.as_raw_fd(), fd.as_raw_fd(), access)
            .map_err(|error| sys::context(&format!("landlock_add_rule {}", shown()), &error))
    }

    /// Enter the domain: the calling thread and everything it starts. Called between fork and exec.
    ///
    /// The new process may also write its own part of /proc, which exists only now. With `privileges_kept` it may gain
    /// rights by exec, and the kernel refuses to let it enter unless it has `CAP_SYS_ADMIN`.
    pub fn enter(&self, privileges_kept: bool) -> io::Result<()> {
        if let Ok(own) = sys::open(c"/proc/self", libc::O_PATH) {
            add_rule(
                self.fd.as_raw_fd(),
                own.as_raw_fd(),
                self.handled & ON_FILES,
            )?;
        }
        // SAFETY: neither call touches memory.
        unsafe {
            if !privileges_kept {
                sys::check_int(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            }
            sys::check(libc::syscall(
                libc::SYS_landlock_restrict_self,
                self.fd.as_raw_fd(),
                0,
            ))?;
        }
        Ok(())
    }
}

fn is_folder(fd: &OwnedFd) -> bool {
    // SAFETY: an all-zero stat is a valid value, and fstat writes it only.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        libc::fstat(fd.as_raw_fd(), &mut status) == 0
            && status.st_mode & libc::S_IFMT == libc::S_IFDIR
    }
}

fn add_rule(ruleset: RawFd, parent: RawFd, access: u64) -> io::Result<()> {
    let attr = PathBeneathAttr {
        allowed_access: access,
        parent_fd: parent,
    };
    // SAFETY: `attr` is readable and has the layout that the rule type asks for.
    sys::check(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset,
            RULE_PATH_BENEATH,
            &attr,
            0,
        )
    })?;
    Ok(())
}
