//! Namespaces and the file tree that they hold.

use super::row;
use crate::kernel::{c, call, done, spawns, words, zeros, HERE, NONE};
use crate::targets::Targets;
use crate::{Outcome, Row};
use std::fs::File;
use std::os::fd::AsRawFd;

const CHILD_ENDED: usize = 17;
const NEW_USER: usize = 0x1000_0000;
const NEW_TREE: usize = 0x2_0000;
const NEW_NET: usize = 0x4000_0000;
const DETACH: usize = 2;
const BIND: usize = 0x1000;
const CLONE_TREE: usize = 1;

pub const ROWS: &[Row] = &[
    row!("unshare-user", "a user namespace of its own", |t| unshare(t, NEW_USER)),
    row!("unshare-mount", "a mount namespace of its own", |t| unshare(
        t, NEW_TREE
    )),
    row!("unshare-net", "a network namespace of its own", |t| unshare(t, NEW_NET)),
    row!("unshare-pid", "a process namespace of its own", |t| unshare(
        t,
        0x2000_0000
    )),
    row!("unshare-ipc", "an IPC namespace of its own", |t| unshare(t, 0x800_0000)),
    row!("unshare-uts", "a host name of its own", |t| unshare(t, 0x400_0000)),
    row!("unshare-cgroup", "a cgroup namespace of its own", |t| unshare(
        t, 0x200_0000
    )),
    row!("unshare-time", "a time namespace of its own", |t| unshare(t, 0x80)),
    row!("setns", "enter a network namespace by its descriptor", |t| {
        let file = File::open("/proc/self/ns/net")?;
        done(t.nr("setns")?, [file.as_raw_fd() as usize, NEW_NET])
    }),
    row!("clone-user", "clone with CLONE_NEWUSER", |t| spawns(
        t.nr("clone")?,
        [NEW_USER | CHILD_ENDED, 0, 0, 0, 0]
    )),
    row!("clone-mount", "clone with CLONE_NEWNS", |t| spawns(
        t.nr("clone")?,
        [NEW_TREE | CHILD_ENDED, 0, 0, 0, 0]
    )),
    row!(
        "clone3-user",
        "clone3, whose flags no filter can read, with CLONE_NEWUSER",
        |t| {
            let mut asked = [0u64; 11];
            (asked[0], asked[4]) = (NEW_USER as u64, CHILD_ENDED as u64);
            spawns(t.nr("clone3")?, [words(&asked), 88])
        }
    ),
    row!("mount", "mount a tmpfs", |t| {
        let place = folder(t)?;
        call(t.nr("mount")?, [c("none"), place, c("tmpfs"), 0, 0])?;
        done(t.nr("umount2")?, [place, DETACH])
    }),
    row!("bind", "bind a folder elsewhere", |t| {
        let place = folder(t)?;
        call(t.nr("mount")?, [c("/usr"), place, 0, BIND, 0])?;
        done(t.nr("umount2")?, [place, DETACH])
    }),
    row!("umount", "umount2", |t| done(t.nr("umount2")?, [folder(t)?, DETACH])),
    row!("pivot-root", "pivot_root", |t| done(
        t.nr("pivot_root")?,
        [c("/csbench-nowhere"), c("/csbench-nowhere")]
    )),
    row!("chroot", "chroot", |t| done(t.nr("chroot")?, [c("/")])),
    row!("fsopen", "the new mount calls: fsopen", |t| done(
        t.nr("fsopen")?,
        [c("tmpfs"), 0]
    )),
    row!("fspick", "the new mount calls: fspick", |t| done(
        t.nr("fspick")?,
        [HERE, c("/csbench-nowhere"), 0]
    )),
    row!("fsconfig", "the new mount calls: fsconfig", |t| done(
        t.nr("fsconfig")?,
        [NONE, 6, 0, 0, 0]
    )),
    row!("fsmount", "the new mount calls: fsmount", |t| done(
        t.nr("fsmount")?,
        [NONE, 0, 0]
    )),
    row!("open-tree", "the new mount calls: open_tree with a copy", |t| done(
        t.nr("open_tree")?,
        [HERE, c("/usr"), CLONE_TREE]
    )),
    row!("move-mount", "the new mount calls: move_mount", |t| done(
        t.nr("move_mount")?,
        [NONE, c(""), NONE, c(""), 0]
    )),
    row!("mount-setattr", "the new mount calls: mount_setattr", |t| done(
        t.nr("mount_setattr")?,
        [NONE, c(""), 0, zeros(), 32]
    )),
    row!(
        "handle",
        "open_by_handle_at: a file by its inode, past every mount",
        |t| {
            let handle = words(&[128u32; 34]);
            let mount = zeros();
            call(t.nr("name_to_handle_at")?, [HERE, c(t.get("work")?), handle, mount, 0])?;
            let here = File::open(t.get("work")?)?;
            done(t.nr("open_by_handle_at")?, [here.as_raw_fd() as usize, handle, 0])
        }
    ),
];

fn unshare(targets: &Targets, flags: usize) -> Outcome {
    done(targets.nr("unshare")?, [flags])
}

/// A folder to mount on.
fn folder(targets: &Targets) -> std::io::Result<usize> {
    let path = format!("{}/mount-point", targets.get("work")?);
    std::fs::create_dir_all(&path)?;
    Ok(c(&path))
}
