//! CS0570 hidden-text
fn main() {
    let place = [b'/', b'b', b'i', b'n', b'/', b's', b'h'];
    let _ = std::process::Command::new(std::str::from_utf8(&place).unwrap()).spawn();
}
