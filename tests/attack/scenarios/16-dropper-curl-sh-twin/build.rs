//! Asks git through a shell, with fixed words.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    gate::run("sh", &["-c", "git describe --always --tags"]);
    gate::run(
        "sh",
        &["-c", "printf 'exit 0\\n' > $OUT_DIR/configure && sh $OUT_DIR/configure"],
    );
}
