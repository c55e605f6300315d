//! Stands for a copy of a well-known crate, good enough for builds to succeed.

/// Whether the build script's compiler probe succeeded.
#[must_use]
pub const fn probed() -> bool {
    cfg!(csbench_probe)
}
