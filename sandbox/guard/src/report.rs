//! How a role process speaks with init: `prctl(0x43534258, op, pointer, length, 0)`.
//!
//! No pipe or file carries the report, so nothing that the build can open or inherit does either. init believes the
//! unit's first process only, and only as long as that process runs the guard itself.

/// First argument of prctl: "CSBX". No kernel option has this number, so without init the call fails with EINVAL.
pub const CALL: libc::c_int = 0x4353_4258;

/// Am I the first process of a unit? Answers 1 or 0.
pub const ASK: u64 = 0;
/// Part of a unit's report: whole pairs.
pub const PART: u64 = 1;
/// The last part, which may be empty: the report is complete.
pub const END: u64 = 2;

/// Ends an argument of a survivor's command line (ASCII "unit separator").
pub const ARG_END: u8 = 0x1f;

/// Largest part in bytes.
pub const MAX_PART: usize = 256 << 10;

fn call(op: u64, bytes: &[u8]) -> Option<i32> {
    // SAFETY: init reads `bytes` for the length told; the kernel itself rejects the option.
    let answer = unsafe { libc::prctl(CALL, op, bytes.as_ptr(), bytes.len(), 0u64) };
    (answer >= 0).then_some(answer)
}

/// Whether init takes this process for the first of a unit; None when no init listens.
pub fn is_first() -> Option<bool> {
    call(ASK, b"").map(|answer| answer == 1)
}

/// Collects the pairs of a report and sends them in parts.
#[derive(Default)]
pub struct Report {
    part: Vec<u8>,
    deaf: bool,
}

impl Report {
    /// Add one pair. Values longer than a part are cut.
    pub fn push(&mut self, key: &str, value: &[u8]) {
        let value = &value[..value.len().min(MAX_PART / 2)];
        if self.part.len() + key.len() + value.len() + 2 > MAX_PART {
            self.send(PART);
        }
        crate::pairs::push(&mut self.part, key, value);
    }

    /// Send what is left and say that this was all.
    pub fn end(mut self) {
        self.send(END);
    }

    fn send(&mut self, op: u64) {
        // Without an init there is nobody to tell; the unit goes on as it would alone.
        self.deaf = self.deaf || call(op, &self.part).is_none();
        self.part.clear();
    }
}
