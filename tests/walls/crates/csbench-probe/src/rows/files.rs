//! Files that are not the unit's to change: opened for writing, never written.

use super::row;
use crate::targets::Targets;
use crate::{Outcome, Row};
use std::fs::{self, File};

pub const ROWS: &[Row] = &[
    row!("write-source", "open a source file of another crate for writing", |t| {
        writable(t, "source")
    }),
    row!("write-toolchain", "open a file of the toolchain for writing", |t| {
        writable(t, "toolchain")
    }),
    row!("write-registry", "open a crate of cargo's registry for writing", |t| {
        writable(t, "registry")
    }),
    row!("write-output", "open another unit's library for writing", |t| writable(
        t, "output"
    )),
    row!(
        "write-freshness",
        "open cargo's notes on what is fresh for writing",
        |t| { writable(t, "freshness") }
    ),
    row!("write-host", "open a file elsewhere on the host for writing", |t| {
        writable(t, "host-file")
    }),
    row!("read-host", "read a file elsewhere on the host", |t| {
        fs::read(t.get("host-file")?).map(|_| String::new())
    }),
    row!("write-kernel-setting", "open /proc/sys/… for writing", |t| writable(
        t, "proc-sys"
    )),
    row!(
        "write-core-pattern",
        "open the kernel's core pattern for writing",
        |t| { writable(t, "core-pattern") }
    ),
    row!("write-sysrq", "open /proc/sysrq-trigger for writing", |t| writable(
        t, "sysrq"
    )),
    row!("write-sys", "open a kernel setting of /sys for writing", |t| writable(
        t, "sys-file"
    )),
    row!("write-below", "make a file in what is mounted below the sources", |t| {
        let path = format!("{}/csbench-{}", t.get("below")?, std::process::id());
        File::create(&path)?;
        fs::remove_file(&path).map(|()| String::new())
    }),
    row!("write-root", "make a file in the root folder", |_| {
        let path = format!("/csbench-{}", std::process::id());
        File::create(&path)?;
        fs::remove_file(&path).map(|()| String::new())
    }),
    row!("cgroup", "make a control group", |t| {
        let path = format!("{}/csbench-{}", t.get("cgroup")?, std::process::id());
        fs::create_dir(&path)?;
        fs::remove_dir(&path).map(|()| String::new())
    }),
];

fn writable(t: &Targets, key: &str) -> Outcome {
    File::options().append(true).open(t.get(key)?).map(|_| String::new())
}
